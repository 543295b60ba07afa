"""Options and weights of the gated recurrent unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from gatecast.ops.activations import Activation


@dataclass(frozen=True)
class GRUSpec:
    """Options of the cell that are not tensors.

    Args:
        activation: of the candidate.
        recurrent_activation: of the gates.
        reset_after: the reset gate multiplies ``W_hn h + b_hn``; else it multiplies ``h``.
        reverse: read the time axis from its end; outputs stay at their own time.
        gradient_clip: bound on each entry of the gradient that flows back through the gates; None: no bound.
        zero_output: outputs at masked steps are 0; else they repeat the last one.
    """

    activation: Activation = "tanh"
    recurrent_activation: Activation = "sigmoid"
    reset_after: bool = True
    reverse: bool = False
    gradient_clip: float | None = None
    zero_output: bool = True


class GRUWeights(NamedTuple):
    """Weights of one layer and direction; rows of the gates in the order r, z, n."""

    w_ih: Float[Tensor, "gates input"]
    w_hh: Float[Tensor, "gates hidden"]
    bias_ih: Float[Tensor, " gates"] | None = None
    bias_hh: Float[Tensor, " gates"] | None = None
