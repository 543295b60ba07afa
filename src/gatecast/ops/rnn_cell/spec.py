"""Options and weights of the plain recurrent network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

from gatecast.ops.activations import Activation


@dataclass(frozen=True)
class RNNSpec:
    """Options of the cell that are not tensors; as in :class:`gatecast.ops.CellSpec`."""

    activation: Activation = "tanh"
    reverse: bool = False
    gradient_clip: float | None = None
    zero_output: bool = True


class RNNWeights(NamedTuple):
    """Weights of one layer and direction."""

    w_ih: Float[Tensor, "hidden input"]
    w_hh: Float[Tensor, "hidden hidden"]
    bias: Float[Tensor, " hidden"] | None = None
