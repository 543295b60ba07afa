"""The LSTM as it was first published: no forget gate, blocks of cells, and a gradient that flows through cells alone.

One step (Hochreiter & Schmidhuber 1997, "Long Short-Term Memory", §4 and appendix A.1,
https://doi.org/10.1162/neco.1997.9.8.1735); ``u`` holds what every unit gave at the step before::

    i, g, o = W_ih x_t + W_hh u + b                   one i and one o for each block, one g for each of its cells
    i, o = sigmoid(i), sigmoid(o)
    c = c + i (4 sigmoid(g) - 2)                      the constant error carousel: dc/dc = 1
    h = o (2 sigmoid(c) - 1)
    u = i, h, o

The paper's learning rule cuts every error that would leave a unit through ``u`` and go back in time (A.1): here ``u``
is detached, and the gradient of what is left is the paper's truncated gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

FEEDBACK = ("all", "cells", "none")

State1997 = tuple[Float[Tensor, "batch units"], Float[Tensor, "batch cells"]]


@dataclass(frozen=True)
class Spec1997:
    """Options of the original cell.

    Args:
        blocks: memory cell blocks, each with an input gate and an output gate.
        size: cells of each block.
        output_gate: False: the cells' outputs are always open.
        feedback: what is fed back: ``"all"`` units, the ``"cells"`` alone, or ``"none"``.
        truncate: no gradient flows back in time through what is fed back.
    """

    blocks: int
    size: int = 1
    output_gate: bool = True
    feedback: str = "all"
    truncate: bool = True

    @property
    def cells(self) -> int:
        """Cells of all blocks."""
        return self.blocks * self.size

    @property
    def rows(self) -> list[int]:
        """Units in the order of the weights' rows: input gates, cells, output gates."""
        return [self.blocks, self.cells, self.blocks if self.output_gate else 0]

    @property
    def units(self) -> int:
        """Gates and cells."""
        return sum(self.rows)

    @property
    def fed_back(self) -> int:
        """Columns of W_hh."""
        return {"all": self.units, "cells": self.cells, "none": 0}[self.feedback]


class Weights1997(NamedTuple):
    """Weights of the layer; rows: input gates, cells block by block, output gates."""

    w_ih: Float[Tensor, "units input"]
    w_hh: Float[Tensor, "units feedback"] | None = None
    bias: Float[Tensor, " units"] | None = None


class Output1997(NamedTuple):
    """Outputs of the cells at every step; then what every unit gave, and the cells' states, at the last."""

    y: Float[Tensor, "time batch cells"]
    u: Float[Tensor, "batch units"]
    c: Float[Tensor, "batch cells"]


def lstm1997(
    x: Float[Tensor, "time batch input"],
    weights: Weights1997,
    spec: Spec1997,
    state: State1997 | None = None,
    *,
    steps: Bool[Tensor, "time batch"] | None = None,
) -> Output1997:
    """Run the cell over the time axis; outputs at masked steps are 0.

    Args:
        x: input of every step.
        weights: of the layer.
        spec: options of the cell.
        state: u and c before the first step; None: zeros.
        steps: True where a step counts; other steps leave the state as it was.
    """
    u, c = (x.new_zeros(x.shape[1], spec.units), x.new_zeros(x.shape[1], spec.cells)) if state is None else state
    units_x = torch.nn.functional.linear(x, weights.w_ih, weights.bias)
    outputs = []
    for t, net in enumerate(units_x.unbind(0)):
        h, new_u, new_c = step(net, u, c, weights.w_hh, spec)
        on = None if steps is None else steps[t][:, None]
        outputs.append(h if on is None else torch.where(on, h, 0.0))
        u, c = (new_u, new_c) if on is None else (torch.where(on, new_u, u), torch.where(on, new_c, c))
    return Output1997(torch.stack(outputs) if outputs else x.new_zeros(0, *c.shape), u, c)


def step(
    units_x: Float[Tensor, "batch units"],
    u: Float[Tensor, "batch units"],
    c: Float[Tensor, "batch cells"],
    w_hh: Float[Tensor, "units feedback"] | None,
    spec: Spec1997,
) -> tuple[Float[Tensor, "batch cells"], Float[Tensor, "batch units"], Float[Tensor, "batch cells"]]:
    """Output of the cells, then u and c, after one step from the input's share of the net inputs."""
    if spec.truncate:
        u = u.detach()
    if spec.feedback == "cells":
        u = u[:, spec.blocks : spec.blocks + spec.cells]
    i, g, o = (units_x if w_hh is None else units_x + u @ w_hh.T).split(spec.rows, -1)
    i, o = i.sigmoid(), o.sigmoid()
    c = c + _to_cells(i, spec) * (4 * g.sigmoid() - 2)
    h = 2 * c.sigmoid() - 1
    h = _to_cells(o, spec) * h if spec.output_gate else h
    return h, torch.cat([i, h, o], -1), c


def _to_cells(gate: Float[Tensor, "batch blocks"], spec: Spec1997) -> Float[Tensor, "batch cells"]:
    """A block's gate at each of its cells."""
    return gate.repeat_interleave(spec.size, -1)
