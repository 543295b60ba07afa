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

import torch
from jaxtyping import Float
from torch import Tensor

from gatecast.ops.lstm1997_cell.spec import Spec1997, State1997, Weights1997
from gatecast.ops.masks import LSTMMasks, without_masked
from gatecast.ops.scan import State, clip_gradient, scan


def lstm1997(
    x: Float[Tensor, "time batch input"],
    weights: Weights1997,
    spec: Spec1997,
    state: State1997 | None = None,
    *,
    masks: LSTMMasks | None = None,
) -> tuple[Float[Tensor, "time batch cells"], State1997]:
    """Run the cell over the time axis: outputs of every step, and the last state.

    Args:
        x: input of every step.
        weights: of the layer.
        spec: options of the cell.
        state: before the first step; None: zeros.
        masks: of steps, recurrent dropout (of h alone) and zoneout.
    """
    masks = masks or LSTMMasks()
    units_x = torch.nn.functional.linear(without_masked(x, masks.steps), weights.w_ih, weights.bias)
    if state is None:
        widths = spec.cells, spec.cells, spec.gates
        state = State1997(*[x.new_zeros(x.shape[1], width) for width in widths])

    def run(net: Tensor, h: Tensor, state: State) -> State:
        return step(net, State1997(h, *state[1:]), weights.w_hh, spec)

    y, last = scan(units_x.unbind(0), state, run, masks, spec)
    return y, State1997(*last)


def units_of(state: State1997, spec: Spec1997) -> Float[Tensor, "batch units"]:
    """What every unit gave, u: input gates, cells, output gates."""
    return torch.cat([state.gates[:, : spec.blocks], state.h, state.gates[:, spec.blocks :]], -1)


def step(
    units_x: Float[Tensor, "batch units"],
    state: State1997,
    w_hh: Float[Tensor, "units feedback"] | None,
    spec: Spec1997,
) -> State1997:
    """The state after one step from the input's share of the net inputs."""
    c, units = state.c, units_x
    if w_hh is not None:
        u = units_of(state, spec) if spec.feedback == "all" else state.h
        u = u.detach() if spec.truncate else u
        units = units + (u if spec.gradient_clip is None else clip_gradient(u, spec.gradient_clip)) @ w_hh.T
    i, g, o = units.split(spec.rows, -1)
    i, o = i.sigmoid(), o.sigmoid()
    c = c + _to_cells(i, spec) * (4 * g.sigmoid() - 2)
    h = 2 * c.sigmoid() - 1
    h = _to_cells(o, spec) * h if spec.output_gate else h
    return State1997(h, c, torch.cat([i, o], -1))


def _to_cells(gate: Float[Tensor, "batch blocks"], spec: Spec1997) -> Float[Tensor, "batch cells"]:
    """A block's gate at each of its cells."""
    return gate.repeat_interleave(spec.size, -1)
