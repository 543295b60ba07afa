"""Convolutional LSTM layers over lines, images and volumes (Shi et al. 2015, https://arxiv.org/abs/1506.04214)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from gatecast.errors import SettingError
from gatecast.nn.checks import check_probability, check_sizes, one_of
from gatecast.nn.options import MERGE_MODES
from gatecast.nn.regularize import keep_mask
from gatecast.nn.sequences import merged
from gatecast.nn.sizes import (
    AXES,
    Sizes,
    check_input,
    padding_of,
    sizes,
    space_of,
)
from gatecast.nn.timeaxis import steps_of, swapped
from gatecast.ops.activations import activation_of
from gatecast.ops.convlstm import ConvOutput, ConvSpec, ConvWeights, Shape, convlstm, result_space
from gatecast.ops.reference import without_masked
from gatecast.ops.spec import Activation

States = tuple[Tensor, Tensor]  # h and c: of all layers and directions, or of one

PEEPHOLES = ("none", "channel", "pixel")


class ConvLSTM(nn.Module):
    """What ``ConvLSTM1d``, ``ConvLSTM2d`` and ``ConvLSTM3d`` share: a stack of convolutional LSTM layers.

    The equations are those of :mod:`gatecast.ops.convlstm`. Stride and padding belong to the first layer's input
    convolution; recurrent convolutions, and the layers above, keep the size. Called as ``layer(x, state=None)``, it
    gives ``y, (h, c)``: ``y`` is ``(time, batch, hidden_channels * directions, *space)``, ``h`` and ``c`` are
    ``(num_layers * directions, batch, hidden_channels, *space)``.

    Args:
        in_channels: channels of the input; 0: the layer reads no input, and x only tells the number of steps.
        hidden_channels: channels of the state, F.
        kernel_size: of the input convolution: one number, or one for each axis of space; even sizes are allowed.
        num_layers: stacked layers.
        recurrent_kernel_size: of the convolution of h; None: as ``kernel_size``.
        stride: of the first input convolution.
        padding: of the first input convolution: ``"same"`` (``ceil(size / stride)`` places come out), or a number of
            zeros on both sides.
        dilation: of the input convolutions.
        bias: learn one bias for each gate and channel.
        unit_forget_bias: forget gates begin with bias 1.
        peephole: gates see the cell through a weight for each ``"channel"`` or each ``"pixel"`` of it, or ``"none"``.
        space: size of the state in each axis; needed for ``peephole="pixel"``, and by it alone.
        activation: of the candidate and of the cell: a name or a function of a tensor.
        recurrent_activation: of the gates, likewise.
        dropout: probability of dropping an entry of a layer's output on its way to the next layer.
        input_dropout: probability of dropping an entry of x: one mask for all steps of a call.
        recurrent_dropout: probability of dropping an entry of h before its convolution: one mask for all steps.
        go_backwards: read the sequence from its end; outputs come in the order of reading (Keras).
        bidirectional: a second set of weights reads the other way.
        merge_mode: how directions are joined: ``concat``, ``sum``, ``mul``, ``ave``; None: a tuple of both.
        zero_output_for_mask: outputs at masked steps are 0; False: the last one repeats.
        batch_first: x and y are ``(batch, time, ...)``.
        return_sequences: outputs of every step; False: of the last step that each direction read.
        return_state: give the last states as well; False: the output alone.
        device: of the parameters.
        dtype: of the parameters.

    Raises:
        SettingError: an argument does not fit.
    """

    rank: ClassVar[int]

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        kernel_size: Sizes,
        *,
        num_layers: int = 1,
        recurrent_kernel_size: Sizes | None = None,
        stride: Sizes = 1,
        padding: str | Sizes = "same",
        dilation: Sizes = 1,
        bias: bool = True,
        unit_forget_bias: bool = True,
        peephole: str = "none",
        space: Sizes | None = None,
        activation: Activation = "tanh",
        recurrent_activation: Activation = "sigmoid",
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        go_backwards: bool = False,
        bidirectional: bool = False,
        merge_mode: str | None = "concat",
        zero_output_for_mask: bool = True,
        batch_first: bool = False,
        return_sequences: bool = True,
        return_state: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_sizes(hidden_channels=hidden_channels, num_layers=num_layers)
        check_sizes(0, in_channels=in_channels)
        check_probability(dropout=dropout, input_dropout=input_dropout, recurrent_dropout=recurrent_dropout)
        activation_of(activation), activation_of(recurrent_activation)
        self.in_channels, self.hidden_channels, self.num_layers = in_channels, hidden_channels, num_layers
        self.kernel_size = sizes(self.rank, kernel_size=kernel_size)
        again = self.kernel_size if recurrent_kernel_size is None else recurrent_kernel_size
        self.recurrent_kernel_size = sizes(self.rank, recurrent_kernel_size=again)
        self.stride, self.dilation = sizes(self.rank, stride=stride), sizes(self.rank, dilation=dilation)
        self.padding = padding_of(padding, self.rank)
        self.bias, self.unit_forget_bias = bias, unit_forget_bias
        self.peephole = one_of(PEEPHOLES, peephole=peephole)
        self.space = space_of(space, peephole, self.rank)
        self.activation, self.recurrent_activation = activation, recurrent_activation
        self.dropout, self.input_dropout, self.recurrent_dropout = dropout, input_dropout, recurrent_dropout
        self.go_backwards, self.bidirectional = go_backwards, bidirectional
        self.merge_mode = one_of(MERGE_MODES, merge_mode=merge_mode)
        self.zero_output_for_mask, self.batch_first = zero_output_for_mask, batch_first
        self.return_sequences, self.return_state = return_sequences, return_state
        self._make(device, dtype)
        self.reset_parameters()

    @property
    def directions(self) -> int:
        """1, or 2 where the layer is bidirectional."""
        return 2 if self.bidirectional else 1

    @property
    def suffixes(self) -> list[str]:
        """Ends of the parameters' names, one for each layer and direction, in the order of the states."""
        ways = ("", "_reverse")[: self.directions]
        return [f"_l{layer}{way}" for layer in range(self.num_layers) for way in ways]

    def _make(self, device: torch.device | str | None, dtype: torch.dtype | None) -> None:
        """Register the parameters of every layer and direction."""
        gates, hidden = 4 * self.hidden_channels, self.hidden_channels
        above = hidden * (self.directions if self.merge_mode in ("concat", None) else 1)
        pixels = self.space if self.peephole == "pixel" else (1,) * self.rank
        for number, end in enumerate(self.suffixes):
            channels = self.in_channels if number < self.directions else above
            shapes: dict[str, tuple[int, ...] | None] = {
                "weight_ih": (gates, channels, *self.kernel_size) if channels else None,
                "weight_hh": (gates, hidden, *self.recurrent_kernel_size),
                "bias_ih": (gates,) if self.bias else None,
                "peephole": None if self.peephole == "none" else (3, hidden, *pixels),
            }
            for name, shape in shapes.items():
                value = None if shape is None else nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
                self.register_parameter(name + end, value)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Begin anew, as Keras does: Glorot for x, orthogonal for h, biases and peepholes 0, forget gates 1."""
        for end in self.suffixes:
            weights = self.weights(end)
            if weights.w_ih is not None:
                nn.init.xavier_uniform_(weights.w_ih)
            wide = torch.empty(weights.w_hh.shape, device=weights.w_hh.device)  # its decomposition has no bfloat16
            weights.w_hh.copy_(nn.init.orthogonal_(wide))
            if weights.bias is not None:
                nn.init.zeros_(weights.bias)
                weights.bias[self.hidden_channels : 2 * self.hidden_channels] = float(self.unit_forget_bias)
            if weights.peephole is not None:
                nn.init.zeros_(weights.peephole)

    def weights(self, suffix: str) -> ConvWeights:
        """Weights of one layer and direction, named by the end of its parameters: ``"_l0"``, ``"_l0_reverse"``."""
        return ConvWeights(*[getattr(self, n + suffix) for n in ("weight_ih", "weight_hh", "bias_ih", "peephole")])

    def state_space(self, *space: Any) -> Shape:
        """Size of the state in each axis for an input of that size."""
        if not self.in_channels:
            return space
        return result_space(space, self.kernel_size, self.stride, self.padding, self.dilation)

    def forward(
        self,
        x: Tensor,
        state: States | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        mask: Tensor | None = None,
    ) -> Any:
        """Outputs, and the last states where the layer was made with ``return_state``.

        Args:
            x: ``(time, batch, in_channels, *space)``; ``(batch, time, ...)`` with ``batch_first``.
            state: h and c, each ``(num_layers * directions, batch, hidden_channels, *space)``; None: zeros.
            lengths: steps of each sequence ``(batch,)``, in any order; the rest of it is padding.
            mask: True where a step counts, ``(time, batch)`` or, with ``batch_first``, ``(batch, time)``.

        Raises:
            SettingError: x, state, lengths or mask do not fit the layer.
        """
        check_input(x, self.rank, self.in_channels, batch_first=self.batch_first)
        x = swapped(x, batch_first=self.batch_first)
        steps = steps_of(x, lengths, mask, batch_first=self.batch_first)
        before = self._before(x, state)
        x = without_masked(x, steps)
        if self.go_backwards:
            x, steps = x.flip(0), None if steps is None else steps.flip(0)
        results: list[ConvOutput] = []
        for layer in range(self.num_layers):
            x = self._input(x, results[-self.directions :])
            results += [self._run(x, layer, way, before, steps) for way in range(self.directions)]
        y = self._output(results[-self.directions :])
        return (
            (y, (torch.stack([r.h for r in results]), torch.stack([r.c for r in results]))) if self.return_state else y
        )

    def _before(self, x: Tensor, state: States | None) -> list[States | None]:
        """State of every layer and direction before the first step."""
        space = self.state_space(*x.shape[3:])
        if self.space and tuple(space) != self.space:
            raise SettingError(
                f"peepholes for each pixel were made for space={self.space}, but the state of an input "
                f"{tuple(x.shape[3:])} has size {tuple(space)}"
            )
        if state is None:
            return [None] * len(self.suffixes)
        shape = (len(self.suffixes), x.shape[1], self.hidden_channels, *space)
        for name, value in zip(("h", "c"), state, strict=True):
            if tuple(value.shape) != shape:
                raise SettingError(
                    f"{name} must be (layers*directions, batch, hidden, {AXES[self.rank]}) = {shape}, "
                    f"got {tuple(value.shape)}; layer.state_space(...) tells the size of the state"
                )
        return list(zip(*state, strict=True))

    def _input(self, x: Tensor, below: list[ConvOutput]) -> Tensor:
        """What the next layer reads: x, or the layer below, with its dropout."""
        if below:
            return functional.dropout(merged([r.y for r in below], self.merge_mode, 2), self.dropout, self.training)
        return x * keep_mask(x[:1], self.input_dropout) if self.training and self.input_dropout else x

    def _run(self, x: Tensor, layer: int, way: int, before: list[States | None], steps: Tensor | None) -> ConvOutput:
        """One layer in one direction."""
        number = layer * self.directions + way
        spec = self._spec(layer, way)
        space = self.state_space(*x.shape[3:]) if layer == 0 else x.shape[3:]
        drops = self.training and self.recurrent_dropout > 0
        ones = x.new_ones(x.shape[1], self.hidden_channels, *space) if drops else None
        keep = None if ones is None else keep_mask(ones, self.recurrent_dropout)
        return convlstm(
            x, self.weights(self.suffixes[number]), before[number], spec=spec, steps=steps, recurrent_mask=keep
        )

    def _spec(self, layer: int, way: int) -> ConvSpec:
        """Options of one layer and direction: only the first layer's input convolution may change the size."""
        stride, padding = (self.stride, self.padding) if layer == 0 else ((), "same")
        acts = self.activation, self.recurrent_activation
        return ConvSpec(*acts, stride, padding, self.dilation, way == 1, self.zero_output_for_mask)

    def _output(self, top: list[ConvOutput]) -> Tensor | tuple[Tensor, ...]:
        """Outputs of the top layer as the caller wants them."""
        every = [swapped(r.y, batch_first=self.batch_first) if self.return_sequences else r.h for r in top]
        if self.bidirectional and self.merge_mode is None:
            return tuple(every)
        return merged(every, self.merge_mode, 2 if self.return_sequences else 1)

    def extra_repr(self) -> str:
        """Sizes, for ``print(layer)``."""
        names = "in_channels", "hidden_channels", "kernel_size", "num_layers", "stride", "padding", "peephole"
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in names)


class ConvLSTM1d(ConvLSTM):
    """:class:`ConvLSTM` over lines: x is ``(time, batch, channels, width)``."""

    rank = 1


class ConvLSTM2d(ConvLSTM):
    """:class:`ConvLSTM` over images: x is ``(time, batch, channels, height, width)``.

    Example:
        >>> layer = ConvLSTM2d(1, 8, kernel_size=3, stride=2)
        >>> y, (h, c) = layer(torch.rand(5, 2, 1, 12, 13))
        >>> y.shape, h.shape
        (torch.Size([5, 2, 8, 6, 7]), torch.Size([1, 2, 8, 6, 7]))
    """

    rank = 2


class ConvLSTM3d(ConvLSTM):
    """:class:`ConvLSTM` over volumes: x is ``(time, batch, channels, depth, height, width)``."""

    rank = 3
