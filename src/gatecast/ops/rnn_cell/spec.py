"""Options and weights of the plain recurrent network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from gatecast.ops.activations import Activation
from gatecast.ops.scan import ScanSpec


@dataclass(frozen=True)
class RNNSpec(ScanSpec):
    """Options of the cell that are not tensors.

    Args:
        activation: of the state.
    """

    activation: Activation = "tanh"


DEFAULT = RNNSpec()


class RNNWeights(NamedTuple):
    """Weights of one layer and direction."""

    w_ih: Float[Tensor, "hidden input"]
    w_hh: Float[Tensor, "hidden hidden"]
    bias: Float[Tensor, " hidden"] | None = None

    def operands(self) -> list[Tensor]:
        """The weights as PyTorch's operators take them: with a second bias."""
        biases = [] if self.bias is None else [self.bias, torch.zeros_like(self.bias)]
        return [self.w_ih, self.w_hh, *biases]
