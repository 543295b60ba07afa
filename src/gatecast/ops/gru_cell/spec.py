"""Options and weights of the gated recurrent unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from gatecast.ops.activations import Activation
from gatecast.ops.scan import ScanSpec


@dataclass(frozen=True)
class GRUSpec(ScanSpec):
    """Options of the cell that are not tensors.

    Args:
        activation: of the candidate.
        recurrent_activation: of the gates.
        reset_after: the reset gate multiplies ``W_hn h + b_hn``; else it multiplies ``h``.
    """

    activation: Activation = "tanh"
    recurrent_activation: Activation = "sigmoid"
    reset_after: bool = True


DEFAULT = GRUSpec()


class GRUWeights(NamedTuple):
    """Weights of one layer and direction; rows of the gates in the order r, z, n."""

    w_ih: Float[Tensor, "gates input"]
    w_hh: Float[Tensor, "gates hidden"]
    bias_ih: Float[Tensor, " gates"] | None = None
    bias_hh: Float[Tensor, " gates"] | None = None

    def operands(self) -> list[Tensor]:
        """The weights as PyTorch's operator takes them."""
        return [weight for weight in self if weight is not None]
