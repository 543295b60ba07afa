"""Convolutional LSTM layers over lines, images and volumes (Shi et al. 2015, https://arxiv.org/abs/1506.04214)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from gatecast.base.errors import SettingError
from gatecast.nn.cell_kinds import Design, Run, State, Weights
from gatecast.nn.checks import Lengths, Mask, check_sizes, check_switches, one_of, same_kind
from gatecast.nn.masks import draw_masks, dropped
from gatecast.nn.options import (
    ConvLSTMCellOptions,
    StackOptions,
    check_can_be_packed,
    check_reads_forwards,
    check_stack,
    differences,
    read_options,
    shown,
    signed_with,
)
from gatecast.nn.sequences import Form, last_step, merged, open_sequence, steps_that_count
from gatecast.nn.sizes import AXES, Sizes, check_input, padding_of, sizes, space_of
from gatecast.nn.states import WithState, state_out
from gatecast.ops import LSTMMasks
from gatecast.ops.convlstm_cell.reference import convlstm, result_space
from gatecast.ops.convlstm_cell.spec import ConvSpec, ConvWeights, Shape

PEEPHOLES = ("none", "channel", "pixel")


@dataclass(frozen=True)
class ConvDesign(Design):
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

    def spec(self, *, reverse: bool = False, zero_output: bool = True) -> ConvSpec:
        options = self.options
        acts = options.activation, options.recurrent_activation
        return ConvSpec(*acts, (), "same", self.dilation, reverse, options.gradient_clip, zero_output)

    def run(
        self, x: Tensor, weights: Weights, state: State | None, spec: Any, masks: LSTMMasks, *, cells: bool = False
    ) -> Run:
        start = None if state is None else (state[0], state[1])
        out = convlstm(x, self.operands(weights), start, spec=spec, masks=masks)
        return Run(out.y, (out.h, out.c))

    @staticmethod
    def operands(weights: Weights) -> ConvWeights:
        """Named parameters as the operator takes them."""
        return ConvWeights(
            weights.get("weight_ih"), weights["weight_hh"], weights.get("bias_ih"), weights.get("peephole")
        )


class ConvLSTM(WithState):
    """What ``ConvLSTM1d``, ``ConvLSTM2d`` and ``ConvLSTM3d`` share: a stack of convolutional LSTM layers.

    :mod:`gatecast.ops.convlstm_cell.reference` has the equations. Stride and padding apply to the first layer's input
    convolution; recurrent convolutions and the layers above keep the size. Call it like ``LSTM``: the output is
    ``(time, batch, hidden_channels * directions, *space)``, h and c are ``(num_layers * directions, batch,
    hidden_channels, *space)``.

    Args:
        in_channels: channels of the input; 0: the layer reads no input, and x only tells the number of steps.
        hidden_channels: channels of the state, F.
        kernel_size: of the input convolution: one number, or one for each axis of space; even sizes are allowed.
        num_layers: stacked layers.
        recurrent_kernel_size: of the convolution of h; None: as ``kernel_size``.
        stride: of the first input convolution.
        padding: of the first input convolution: ``"same"`` (``ceil(size / stride)`` places come out), ``"valid"``, or a
            number of zeros on both sides.
        dilation: of the input convolutions.
        bias: learn one bias for each gate and channel.
        peephole: gates see the cell through a weight for each ``"channel"`` or each ``"pixel"`` of it, or ``"none"``.
        space: size of the state in each axis; needed for ``peephole="pixel"``, and by it alone.
        batch_first: x and y are ``(batch, time, ...)``.
        dropout: probability of dropping an entry of a layer's output on its way to the next layer.
        bidirectional: a second set of weights reads the other way.
        device: of the parameters.
        dtype: of the parameters.
        **options: fields of ``ConvLSTMCellOptions`` and ``StackOptions``, by keyword.

    Raises:
        SettingError: an argument does not fit.
    """

    rank: ClassVar[int]
    design: ConvDesign

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
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> None:
        cell, stack = read_options(type(self), options, ConvLSTMCellOptions, StackOptions)
        check_sizes(hidden_channels=hidden_channels, num_layers=num_layers)
        check_sizes(0, in_channels=in_channels)
        check_switches(bias=bias, batch_first=batch_first, bidirectional=bidirectional)
        check_stack(stack, num_layers=num_layers, dropout=dropout, bidirectional=bidirectional)
        kernel = sizes(self.rank, kernel_size=kernel_size)
        again = kernel if recurrent_kernel_size is None else recurrent_kernel_size
        recurrent, dilation = sizes(self.rank, recurrent_kernel_size=again), sizes(self.rank, dilation=dilation)
        one_of(PEEPHOLES, peephole=peephole)
        pixels = space_of(space, peephole, self.rank)
        super().__init__(ConvDesign(hidden_channels, bias, cell, kernel, recurrent, peephole, pixels, dilation))
        self.in_channels, self.hidden_channels, self.num_layers = in_channels, hidden_channels, num_layers
        self.kernel_size, self.recurrent_kernel_size, self.dilation = kernel, recurrent, dilation
        self.stride, self.padding = sizes(self.rank, stride=stride), padding_of(padding, self.rank)
        self.bias, self.peephole, self.space, self.batch_first = bias, peephole, pixels, batch_first
        self.dropout, self.bidirectional = float(dropout), bidirectional
        if stack.skip and (max(self.stride) > 1 or self.padding != "same"):
            raise SettingError('skip=True joins x to smaller images; it needs stride=1 and padding="same"')
        self._add_layers(stack, device=device, dtype=dtype)
        self._add_initial_state(len(self.suffixes), stack, device=device, dtype=dtype)
        self.reset_parameters()

    @property
    def directions(self) -> int:
        """1, or 2 where the layer is bidirectional."""
        return 2 if self.bidirectional else 1

    def _add_layers(self, stack: StackOptions, **factory: Any) -> None:
        above = self.hidden_channels * (self.directions if stack.merge_mode in ("concat", None) else 1)
        for layer in range(self.num_layers):
            channels = self.in_channels if layer == 0 else above + self.in_channels * stack.skip
            for suffix in (f"_l{layer}", f"_l{layer}_reverse")[: self.directions]:
                self._add_weights(suffix, channels, **factory)

    def _fill(self, name: str, weight: Tensor) -> None:
        if name == "peephole":
            nn.init.zeros_(weight)  # as in the paper's code: gates begin without them
        else:
            super()._fill(name, weight)

    def weights(self, suffix: str) -> ConvWeights:
        """Weights of one layer and direction, named by the end of its parameters: ``"_l0"``, ``"_l0_reverse"``."""
        return self.design.operands(self._weights(suffix))

    def state_space(self, *space: Any) -> Shape:
        """Size of the state in each axis for an input of that size."""
        if len(space) != self.rank:
            raise SettingError(f"state_space takes one size for each axis, ({AXES[self.rank]}); got {space}")
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
        if self.stack.go_backwards:
            sequence, steps = sequence.flip(0), None if steps is None else steps.flip(0)
        y, last, state = self._run(sequence, state, steps)
        if self.stack.stateful:
            self._keep(state)
        return self._give(y, last, state, form)

    def step(
        self, x: Tensor, hx: Sequence[Tensor] | None = None, *, static: Tensor | None = None
    ) -> tuple[Tensor, Any]:
        """One step of a stream: its output and the state for the next one, in time that does not grow.

        Args:
            x: input of the step, ``(batch, in_channels, *space)``, or the same without batch.
            hx: as the step before gave it; None at the first step.
            static: context, at the first step of a layer that has ``static_size``.
        """
        check_reads_forwards(self.stack, bidirectional=self.bidirectional)
        check_input(x, self.rank, self.in_channels, axes=("batch",))
        batched = x.dim() == self.rank + 2
        form = Form(False, batched, None, self.rank)
        sequence = self._checked(x)[None] if batched else self._checked(x)[None, None]
        y, _, state = self._run(sequence, self._state_before(sequence, hx, static, form, stateful=False), None)
        return form.state(y[0]), state_out(form.states(state))

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
                f"dilation={self.dilation} and padding={self.padding}: no place comes out; "
                'give larger inputs, a smaller kernel, or padding="same"'
            )
        if self.space and space != self.space:
            raise SettingError(
                f"peepholes for each pixel were made for space={self.space}, but the state of an input "
                f"{tuple(x.shape[3:])} has size {space}"
            )
        return self._first_state(x.shape[1], hx, static, batched=form.batched, stateful=stateful, space=space)

    # ── the layers ───────────────────────────────────────────────────────────────────────────────────────────────────
    def _run(
        self, x: Tensor, state: State | None, steps: Tensor | None
    ) -> tuple[Tensor, Tensor | None, tuple[Tensor, Tensor]]:
        """Output, output of the last step where it was asked for, and the last states."""
        options = self.design.options
        x = dropped(x, options.input_dropout, training=self.training, variational=True)
        below, base, every = x, None, []
        runs: list[Run] = []
        for layer in range(self.num_layers):
            base = below if layer and self.stack.residual else None
            inputs = self._between(below, x) if layer else x
            runs = [self._direction(layer, way, inputs, state, steps) for way in range(self.directions)]
            below = self._join([run.y for run in runs], base, 2)
            every += runs
        last = None
        if not self.stack.return_sequences:
            last = self._join([run.state[0] for run in runs], None if base is None else last_step(base, steps), 1)
        h, c = (torch.stack(parts) for parts in zip(*(run.state for run in every), strict=True))
        return below, last, (h, c)

    def _between(self, below: Tensor, x: Tensor) -> Tensor:
        """What a layer above the first reads."""
        below = below.to(x.dtype)  # another dtype: autocast chose it
        below = dropped(below, self.dropout, training=self.training, variational=self.stack.variational)
        return torch.cat([below, x], 2) if self.stack.skip else below

    def _direction(self, layer: int, way: int, x: Tensor, state: State | None, steps: Tensor | None) -> Run:
        index = layer * self.directions + way
        space = self.state_space(*x.shape[3:]) if layer == 0 else x.shape[3:]
        options, widths = self.design.options, self.design.widths
        masks = draw_masks(x, steps, options, widths, training=self.training, space=tuple(space))
        start = None if state is None else tuple(part[index] for part in state)
        return self.design.run(x, self._weights(self.suffixes[index]), start, self._spec(layer, way), masks)

    def _spec(self, layer: int, way: int) -> ConvSpec:
        """Options of one layer and direction: only the first layer's input convolution may change the size."""
        spec = self.design.spec(reverse=way == 1, zero_output=self.stack.zero_output_for_mask)
        return spec if layer else replace(spec, stride=self.stride, padding=self.padding)

    def _join(self, parts: list[Tensor], base: Tensor | None, channels: int) -> Tensor:
        """Both directions as one, and the layer's input added."""
        y = merged(parts, self.stack.merge_mode, channels)
        return y if base is None else y + base

    # ── on the way out ───────────────────────────────────────────────────────────────────────────────────────────────
    def _give(self, y: Tensor, last: Tensor | None, state: tuple[Tensor, Tensor], form: Form) -> Any:
        y = y if last is None else last
        self._note_activity(y, -2 - self.rank)
        parts = y.chunk(2, -1 - self.rank) if self.bidirectional and self.stack.merge_mode is None else (y,)
        shaped = tuple(form.sequence(part) if last is None else form.state(part) for part in parts)
        output = shaped if len(shaped) == 2 else shaped[0]
        return (output, form.states(state)) if self.stack.return_state else output

    def extra_repr(self) -> str:
        """Sizes, and the options that are not the default."""
        usual = {"num_layers": 1, "recurrent_kernel_size": self.kernel_size, "stride": (1,) * self.rank}
        usual |= {"padding": "same", "dilation": (1,) * self.rank, "bias": True, "peephole": "none", "space": ()}
        usual |= {"batch_first": False, "dropout": 0.0, "bidirectional": False}
        given = {name: getattr(self, name) for name, value in usual.items() if getattr(self, name) != value}
        given |= differences(self.design.options) | differences(self.stack)
        names = self.in_channels, self.hidden_channels
        return ", ".join([*map(str, names), *shown(kernel_size=self.kernel_size, **given)])


@signed_with(ConvLSTMCellOptions, StackOptions)
class ConvLSTM1d(ConvLSTM):
    """:class:`ConvLSTM` over lines: x is ``(time, batch, channels, width)``."""

    rank = 1


@signed_with(ConvLSTMCellOptions, StackOptions)
class ConvLSTM2d(ConvLSTM):
    """:class:`ConvLSTM` over images: x is ``(time, batch, channels, height, width)``.

    Example:
        >>> layer = ConvLSTM2d(1, 8, kernel_size=3, stride=2)
        >>> y, (h, c) = layer(torch.rand(5, 2, 1, 12, 13))
        >>> y.shape, h.shape
        (torch.Size([5, 2, 8, 6, 7]), torch.Size([1, 2, 8, 6, 7]))
    """

    rank = 2


@signed_with(ConvLSTMCellOptions, StackOptions)
class ConvLSTM3d(ConvLSTM):
    """:class:`ConvLSTM` over volumes: x is ``(time, batch, channels, depth, height, width)``."""

    rank = 3
