"""Options, weights and state of the convolutional LSTM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from jaxtyping import Float
from torch import Tensor

from gatecast.ops.activations import Activation
from gatecast.ops.scan import ScanSpec

Shape = tuple[Any, ...]  # a size may be symbolic while torch.export traces
ConvState = tuple[Float[Tensor, "batch hidden *state"], Float[Tensor, "batch hidden *state"]]


@dataclass(frozen=True)
class ConvSpec(ScanSpec):
    """Options of a convolutional LSTM that are not tensors.

    Args:
        activation: of the candidate and of the cell on its way out: a name or a function.
        recurrent_activation: of the gates, likewise.
        stride: of the input convolution, one for each axis of space; empty: 1.
        padding: of the input convolution: ``"same"`` gives ``ceil(size / stride)`` places; or zeros on both sides.
        dilation: of the input convolution, one for each axis of space; empty: 1.
    """

    activation: Activation = "tanh"
    recurrent_activation: Activation = "sigmoid"
    stride: tuple[int, ...] = ()
    padding: str | tuple[int, ...] = "same"
    dilation: tuple[int, ...] = ()


class ConvWeights(NamedTuple):
    """Weights of one layer and direction; gates in the order i, f, g, o along the first axis.

    ``w_ih`` is None for a layer without input, such as the first layer of Shi et al.'s forecaster; ``x`` then has no
    channels. ``peephole`` holds i, f, o; its axes of space are 1 where it is one number for each channel.
    """

    w_ih: Float[Tensor, "gates input *kernel"] | None
    w_hh: Float[Tensor, "gates hidden *recurrent"]
    bias: Float[Tensor, " gates"] | None = None
    peephole: Float[Tensor, "3 hidden *state"] | None = None


class ConvOutput(NamedTuple):
    """Outputs of every step and the last states."""

    y: Float[Tensor, "time batch hidden *state"]
    h: Float[Tensor, "batch hidden *state"]
    c: Float[Tensor, "batch hidden *state"]
