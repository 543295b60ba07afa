"""Convolutional LSTM layers over lines, images and volumes (Shi et al. 2015, https://arxiv.org/abs/1506.04214)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self, Unpack

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.options import Bounds
from gatecast.nn.arguments import ConvLSTMArguments
from gatecast.nn.cell_kinds import CellKind, LayerOutput, State, Weights
from gatecast.nn.checks import RULES, Lengths, Mask, check_tensor, one_of, same_kind
from gatecast.nn.options import ConvLSTMCellOptions, StackOptions, check_can_be_packed, check_reads_forwards
from gatecast.nn.sequences import Form, open_sequence, steps_that_count
from gatecast.nn.states import Layers, state_out
from gatecast.ops import LSTMMasks
from gatecast.ops.convlstm_cell.reference import convlstm, result_space
from gatecast.ops.convlstm_cell.spec import ConvSpec, ConvWeights, Shape

PEEPHOLES = ("none", "channel", "pixel")
AXES = {1: "width", 2: "height, width", 3: "depth, height, width"}

Sizes = int | Sequence[int]


@dataclass(frozen=True)
class ConvKind(CellKind):
    """The convolutional LSTM.

    Args:
        kernel: size of the input convolution in each axis of space.
        recurrent: size of the recurrent convolution.
        peephole: ``"none"``, one for each ``"channel"`` or each ``"pixel"``.
        space: of the state, for a peephole of each pixel.
        dilation: of the input convolution.
    """

    options: ConvLSTMCellOptions
    kernel: tuple[int, ...]
    recurrent: tuple[int, ...]
    peephole: str
    space: tuple[int, ...]
    dilation: tuple[int, ...]
    takes = ConvLSTMCellOptions

    @classmethod
    def of(cls, options: Any, given: Mapping[str, Any]) -> Self:
        kernels = given["kernel_size"], given["recurrent_kernel_size"]
        shape = given["peephole"], given["space"], given["dilation"]
        return cls(given["hidden_channels"], given["bias"], options, *kernels, *shape)

    @property
    def gates(self) -> str:
        return "ifgo"

    @property
    def widths(self) -> tuple[int, ...]:
        return self.hidden_size, self.hidden_size

    def shapes(self, input_size: int) -> dict[str, tuple[int, ...] | None]:
        gates, hidden = 4 * self.hidden_size, self.hidden_size
        pixels = self.space if self.peephole == "pixel" else (1,) * len(self.kernel)
        return {
            "weight_ih": (gates, input_size, *self.kernel) if input_size else None,
            "weight_hh": (gates, hidden, *self.recurrent),
            "bias_ih": (gates,) if self.bias else None,
            "peephole": None if self.peephole == "none" else (3, hidden, *pixels),
        }

    def _spec(self, **scan: Any) -> ConvSpec:
        options = self.options
        return ConvSpec(options.activation, options.recurrent_activation, dilation=self.dilation, **scan)

    def run(
        self, x: Tensor, weights: Weights, state: State | None, spec: Any, masks: LSTMMasks, *, cells: bool = False
    ) -> LayerOutput:
        start = None if state is None else (state[0], state[1])
        out = convlstm(x, self.operands(weights), start, spec=spec, masks=masks)
        return LayerOutput(out.y, (out.h, out.c))

    @staticmethod
    def operands(weights: Weights) -> ConvWeights:
        """Named parameters as the operator takes them."""
        return ConvWeights(
            weights.get("weight_ih"), weights["weight_hh"], weights.get("bias_ih"), weights.get("peephole")
        )


class ConvLSTM(Layers, kind=ConvKind, stack=StackOptions):
    """A stack of convolutional LSTM layers: the base of ``ConvLSTM1d``, ``ConvLSTM2d`` and ``ConvLSTM3d``.

    :mod:`gatecast.ops.convlstm_cell.reference` has the equations. Stride and padding apply to the first layer's input
    convolution; recurrent convolutions and the layers above keep the size. Call it like ``LSTM``: the output is
    ``(time, batch, hidden_channels * directions, *space)``, h and c are ``(num_layers * directions, batch,
    hidden_channels, *space)``.

    Args:
        in_channels: channels of the input; 0: the layer reads no input, and x gives only the number of steps.
        hidden_channels: channels of the state, F.
        kernel_size: of the input convolution: one number, or one for each axis of space; even sizes are allowed.
        num_layers: stacked layers.
        recurrent_kernel_size: of the convolution of h; None: as ``kernel_size``.
        stride: of the first input convolution.
        padding: of the first input convolution: ``"same"`` (output of ``ceil(size / stride)``), ``"valid"``, or a
            number of zeros on both sides.
        dilation: of the input convolutions.
        bias: learn one bias for each gate and channel.
        peephole: gates see the cell through a weight for each ``"channel"`` or each ``"pixel"`` of it, or ``"none"``.
        space: size of the state in each axis; with ``peephole="pixel"`` only.
        **options: ``batch_first``, ``dropout`` between layers and ``bidirectional``, as of ``LSTM``; ``device`` and
            ``dtype`` of the weights; fields of ``ConvLSTMCellOptions`` and ``StackOptions``.

    Raises:
        SettingError: an argument does not fit.
    """

    rules: ClassVar = {**RULES, "peephole": ("str", Bounds(one_of=PEEPHOLES))}
    cell: ConvKind
    in_channels: int
    hidden_channels: int
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: str | tuple[int, ...]
    dilation: tuple[int, ...]
    space: tuple[int, ...]
    batch_first: bool

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
        peephole: str = "none",
        space: Sizes | None = None,
        **options: Unpack[ConvLSTMArguments],
    ) -> None:
        self._build(locals())

    def _settle(self, given: dict[str, Any], *options: Any) -> None:
        super()._settle(given, *options)
        if given["recurrent_kernel_size"] is None:
            given["recurrent_kernel_size"] = given["kernel_size"]
        for name in ("kernel_size", "recurrent_kernel_size", "dilation", "stride"):
            given[name] = sizes(self.rank, **{name: given[name]})
        given["padding"] = padding_of(given["padding"], self.rank)
        given["space"] = space_of(given["space"], given["peephole"], self.rank)
        if options[1].skip and (max(given["stride"]) > 1 or given["padding"] != "same"):
            raise SettingError(
                Arg("skip", True) + " joins x to smaller images",
                "it needs " + Arg("stride", 1) + " and " + Arg("padding", "same"),
            )

    def _usual(self, name: str, default: Any) -> Any:
        if name == "recurrent_kernel_size":
            return self.kernel_size
        return {"stride": (1,) * self.rank, "dilation": (1,) * self.rank, "space": ()}.get(name, default)

    @property
    def _inputs(self) -> int:
        return self.in_channels

    def _fill(self, name: str, weight: Tensor) -> None:
        if name == "peephole":
            nn.init.zeros_(weight)  # as in the paper's code: no peepholes at first
        else:
            super()._fill(name, weight)

    def weights(self, suffix: str) -> ConvWeights:
        """Weights of one layer and direction, named by the end of its parameters: ``"_l0"``, ``"_l0_reverse"``."""
        return self.cell.operands(self._weights(suffix))

    def state_space(self, *space: Any) -> Shape:
        """Size of the state in each axis for an input of that size."""
        if len(space) != self.rank:
            raise SettingError(f"state_space takes one size for each axis, ({AXES[self.rank]}), got {space}")
        if not self.in_channels:
            return space
        return result_space(space, self.kernel_size, self.stride, self.padding, self.dilation)

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────────
    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: Sequence[Tensor] | None = None,
        *,
        lengths: Lengths | None = None,
        mask: Mask | None = None,
        static: Tensor | None = None,
    ) -> Any:
        """Run all layers over a batch of sequences.

        Args:
            input: ``(time, batch, in_channels, *space)``; with ``batch_first``: ``(batch, time, ...)``; without batch:
                ``(time, in_channels, *space)``; or a ``PackedSequence``.
            hx: h and c, each ``(num_layers * directions, batch, hidden_channels, *space)``; None: zeros, the learned or
                the static state, or with ``stateful`` the last one.
            lengths: steps of each sequence that count, ``(batch,)``, in any order; the rest is padding.
            mask: True where a step counts, ``(batch, time)`` whatever ``batch_first`` is; holes are allowed. Lengths
                and mask may be tensors, NumPy arrays or lists.
            static: context known for all steps, ``(batch, static_size)``: one number for each channel of the state.

        Returns:
            ``(output, (h_n, c_n))``; ``return_state=False`` gives ``output`` alone.

        Raises:
            SettingError: input, state, lengths or mask do not fit the layer.
        """
        sequence, packed_lengths, form = self._open(input)
        steps = steps_that_count(sequence, form, lengths, mask, packed_lengths)
        state = self._state_before(sequence, hx, static, form, stateful=self.stack.stateful)
        return self._read(sequence, state, steps, form)

    def step(
        self, x: Tensor, hx: Sequence[Tensor] | None = None, *, static: Tensor | None = None
    ) -> tuple[Tensor, Any]:
        """One step of a stream: its output and the state for the next one, in constant time.

        Args:
            x: input of the step, ``(batch, in_channels, *space)``, or the same without batch.
            hx: state returned by the last step; None at the first step.
            static: context, at the first step of a layer that has ``static_size``.
        """
        check_reads_forwards(self.stack, bidirectional=self.bidirectional)
        check_input(x, self.rank, self.in_channels, axes=("batch",))
        batched = x.dim() == self.rank + 2
        form = Form(False, batched, None, self.rank)
        sequence = self._checked(x)[None] if batched else self._checked(x)[None, None]
        out = self._run(sequence, self._state_before(sequence, hx, static, form, stateful=False), None)
        return form.state(out.y[0]), state_out(form.states(out.state))

    # ── on the way in ────────────────────────────────────────────────────────────────────────────────────────────────
    def _open(self, x: Tensor | PackedSequence) -> tuple[Tensor, Tensor | None, Form]:
        if isinstance(x, PackedSequence):
            check_can_be_packed(self.stack)
            check_input(x.data, self.rank, self.in_channels, axes=("rows of a PackedSequence",))
            x = x._replace(data=self._checked(x.data))
        else:
            check_input(
                x, self.rank, self.in_channels, axes=("batch", "time") if self.batch_first else ("time", "batch")
            )
            x = self._checked(x)
        return open_sequence(x, batch_first=self.batch_first, space=self.rank)

    def _checked(self, x: Tensor) -> Tensor:
        return same_kind("input", x, self.first_weight)

    def _state_before(self, x: Tensor, hx: Any, static: Tensor | None, form: Form, *, stateful: bool) -> State | None:
        space = tuple(self.state_space(*x.shape[3:]))
        if not torch.compiler.is_compiling() and min(space) < 1:
            raise SettingError(
                f"an input of size {tuple(x.shape[3:])} in space is smaller than the kernel of {self.kernel_size} with "
                f"dilation={self.dilation} and padding={self.padding}: the output would be empty",
                "give larger inputs, a smaller kernel, or " + Arg("padding", "same"),
            )
        if self.space and space != self.space:
            raise SettingError(
                f"peepholes for each pixel were made for space={self.space}, got an input {tuple(x.shape[3:])} whose "
                f"state has size {space}"
            )
        return self._first_state(x.shape[1], hx, static, batched=form.batched, stateful=stateful, space=space)

    # ── the layers ───────────────────────────────────────────────────────────────────────────────────────────────────
    def _space(self, layer: int, x: Tensor) -> Shape:
        return tuple(x.shape[3:] if layer else self.state_space(*x.shape[3:]))

    def _spec(self, layer: int, direction: int) -> ConvSpec:
        """Options of one layer and direction: only the first layer's input convolution may change the size."""
        spec = self.cell.spec(reverse=direction == 1, zero_output=self.stack.zero_output_for_mask)
        return spec if layer else replace(spec, stride=self.stride, padding=self.padding)


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


# ── sizes ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def sizes(rank: int, least: int = 1, **named: Sizes) -> tuple[int, ...]:
    """One number for each axis of space, from one for all or one for each.

    Raises:
        SettingError: ``kernel_size must be 1 number or 2 (height, width), each 1 or more, got (3, 3, 3)``.
    """
    ((name, value),) = named.items()
    each = tuple(value) if isinstance(value, Sequence) else (value,) * rank
    if len(each) != rank or not all(isinstance(one, int) and one >= least for one in each):
        one_or_each = "1 number" if rank == 1 else f"1 number or {rank}"
        raise SettingError(Arg(name) + f" must be {one_or_each} ({AXES[rank]}), each {least} or more, got {value!r}")
    return each


def padding_of(padding: str | Sizes, rank: int) -> str | tuple[int, ...]:
    """``"same"``, or zeros on both sides of each axis (0 for ``"valid"``).

    Raises:
        SettingError: it is another word, or a negative number.
    """
    if isinstance(padding, str):
        return "same" if one_of(("same", "valid"), padding=padding) == "same" else (0,) * rank
    return sizes(rank, 0, padding=padding)


def space_of(space: Sizes | None, peephole: str, rank: int) -> tuple[int, ...]:
    """Size of the state for a peephole of each pixel, else empty.

    Raises:
        SettingError: the size is missing, or given without such peepholes.
    """
    if (space is not None) != (peephole == "pixel"):
        raise SettingError(
            Arg("space") + f" ({AXES[rank]}) of the state and " + Arg("peephole", "pixel") + " need each other, "
            f"got space={space}, peephole={peephole!r}"
        )
    return () if space is None else sizes(rank, space=space)


def check_input(x: Tensor, rank: int, channels: int, *, axes: tuple[str, ...]) -> None:
    """Validate axes and channels of an input.

    Args:
        x: the input.
        rank: axes of space.
        channels: that the layer reads.
        axes: names of the axes before them; the batch is optional.

    Raises:
        SettingError: they do not fit.
    """
    check_tensor(input=x)
    most = rank + 1 + len(axes)
    least = most - ("batch" in axes)
    if least <= x.dim() <= most and x.shape[-1 - rank] == channels:
        return
    optional = ", or the same without batch," if least < most else ""
    raise SettingError(
        Arg("input") + f" must be ({', '.join(axes)}, channels, {AXES[rank]}){optional} with {channels} channels, "
        f"got {tuple(x.shape)}"
    )
