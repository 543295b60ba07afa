"""Options, weights and state of the original LSTM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from gatecast.ops.scan import ScanSpec

FEEDBACK = ("all", "cells", "none")


@dataclass(frozen=True)
class Spec1997(ScanSpec):
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
    def gates(self) -> int:
        """Input and output gates of all blocks."""
        return self.units - self.cells

    @property
    def fed_back(self) -> int:
        """Columns of W_hh."""
        return {"all": self.units, "cells": self.cells, "none": 0}[self.feedback]


class Weights1997(NamedTuple):
    """Weights of the layer; rows: input gates, cells block by block, output gates."""

    w_ih: Float[Tensor, "units input"]
    w_hh: Float[Tensor, "units feedback"] | None = None
    bias: Float[Tensor, " units"] | None = None


class State1997(NamedTuple):
    """What the cells gave, the cells' states, and what the gates gave: input gates, then output gates."""

    h: Float[Tensor, "batch cells"]
    c: Float[Tensor, "batch cells"]
    gates: Float[Tensor, "batch gates"]
