"""Options, weights and state of the sLSTM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from gatecast.ops.scan import ScanSpec


@dataclass(frozen=True)
class SLSTMSpec(ScanSpec):
    """Options of an sLSTM that are not tensors.

    Args:
        exponential_forget: the forget gate is ``exp``, else ``sigmoid``.
    """

    exponential_forget: bool = False


class SLSTMWeights(NamedTuple):
    """Weights of one layer; rows of the gates in the order i, f, z, o, and within a gate head by head.

    A unit's row of ``w_hh`` holds its weights to the units of its head only: a block-diagonal matrix without its
    zeros. With one head it is the whole matrix.
    """

    w_ih: Float[Tensor, "gates input"]
    w_hh: Float[Tensor, "gates head"]
    bias: Float[Tensor, " gates"] | None = None


class SLSTMState(NamedTuple):
    """Output, cell, normaliser, and the logarithm of the last two's scale; of one layer, or stacked over layers."""

    h: Float[Tensor, "*layers batch hidden"]
    c: Float[Tensor, "*layers batch hidden"]
    n: Float[Tensor, "*layers batch hidden"]
    m: Float[Tensor, "*layers batch hidden"]
