"""Layers on layers, in one direction or two: what LSTM, GRU and RNN share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from gatecast.nn.cell_kinds import State
from gatecast.nn.checks import Lengths, Mask, checked_input
from gatecast.nn.options import check_can_be_packed, check_reads_forwards
from gatecast.nn.sequences import Form, open_sequence, steps_that_count
from gatecast.nn.states import Layers, StackOutput, state_out

STEP, STEPS = Form(False, batched=False), Form(False, batched=True)  # of one stream, and of a batch of streams


class Stack(Layers):
    """A stack of recurrent layers that read vectors."""

    input_size: int
    batch_first: bool

    # ── parameters ───────────────────────────────────────────────────────────────────────────────────────────────────
    @property
    def _inputs(self) -> int:
        return self.input_size

    @property
    def output_size(self) -> int:
        """Width of an output (of each of the two, with ``merge_mode=None``)."""
        joined = self.bidirectional and self.stack.merge_mode == "concat"
        return self.cell.widths[0] * (2 if joined else 1)

    @property
    def mode(self) -> str:
        """Name of the cell as ``torch.nn`` has it: LSTM, GRU, RNN_TANH …; for code written for its layers."""
        name = type(self).__name__.upper()
        return f"{name}_{self.nonlinearity}".upper() if hasattr(self, "nonlinearity") else name

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """Weights of each layer and direction, in the order of ``torch.nn``."""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
        wanted = [[getattr(self, name + suffix, None) for name in names] for suffix in self.suffixes]
        return [[weight for weight in layer if weight is not None] for layer in wanted]

    def _add_parameters(self, *options: Any, **factory: Any) -> None:
        super()._add_parameters(*options, **factory)
        self.hidden_size = self.cell.hidden_size
        zeros = self.stack.zero_output_for_mask
        self.specs = [self.cell.spec(reverse=reverse, zero_output=zeros) for reverse in (False, True)]

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────────
    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: Tensor | Sequence[Tensor] | None = None,
        *,
        lengths: Lengths | None = None,
        mask: Mask | None = None,
        static: Tensor | None = None,
    ) -> Any:
        """Run all layers over a batch of sequences.

        Args:
            input: ``(time, batch, input_size)``; with ``batch_first``: ``(batch, time, input_size)``; without batch:
                ``(time, input_size)``; or a ``PackedSequence``.
            hx: h before the first step, ``(layers*directions, batch, width)``; LSTM: the pair (h, c). None: zeros, the
                learned or the static one, or with ``stateful`` the last one.
            lengths: steps of each sequence that count, ``(batch,)``, in any order; the rest is padding.
            mask: True where a step counts, ``(batch, time)`` whatever ``batch_first`` is; holes are allowed. Lengths
                and mask may be tensors, NumPy arrays or lists.
            static: context known for all steps, ``(batch, static_size)``.

        Returns:
            ``(output, h_n)``, for the LSTM ``(output, (h_n, c_n))``, as in PyTorch. ``return_state=False`` gives
            ``output`` alone, ``return_cells=True`` also the cell states of every step,
            ``(layers*directions, time, batch, hidden_size)``.
        """
        sequence, packed_lengths, form = self._open(input)
        steps = steps_that_count(sequence, form, lengths, mask, packed_lengths)
        state = self._first_state(sequence.shape[1], hx, static, batched=form.batched, stateful=self.stack.stateful)
        return self._read(sequence, state, steps, form)

    def step(
        self, x: Tensor, hx: Tensor | Sequence[Tensor] | None = None, *, static: Tensor | None = None
    ) -> tuple[Tensor, Any]:
        """One step of a stream: equal to a run over the whole sequence, at the cost of one step.

        In training, masks are drawn at each step.

        Args:
            x: ``(batch, input_size)`` or ``(input_size,)``.
            hx: state returned by the last step; None at the first step.
            static: context, at the first step of a layer that has ``static_size``.

        Returns:
            The output ``(batch, width)`` and the state after the step.
        """
        check_reads_forwards(self.stack, bidirectional=self.bidirectional)
        x = checked_input(x, self.input_size, self.first_weight, dims=(1, 2), axes="batch, input_size")
        form = STEPS if x.dim() == 2 else STEP
        x = x if form.batched else x[None]
        out = self._run(x, self._first_state(x.shape[0], hx, static, batched=form.batched, stateful=False), None)
        return form.state(out.y), state_out(form.states(out.state))

    # ── on the way in ────────────────────────────────────────────────────────────────────────────────────────────────
    def _open(self, x: Tensor | PackedSequence) -> tuple[Tensor, Tensor | None, Form]:
        weight, size = self.first_weight, self.input_size
        if isinstance(x, PackedSequence):
            check_can_be_packed(self.stack)
            axes = "rows of a PackedSequence, input_size"
            x = x._replace(data=checked_input(x.data, size, weight, dims=(2, 2), axes=axes))
        else:
            axes = "batch, time, input_size" if self.batch_first else "time, batch, input_size"
            x = checked_input(x, size, weight, dims=(2, 3), axes=axes)
        return open_sequence(x, batch_first=self.batch_first)

    # ── the layers ───────────────────────────────────────────────────────────────────────────────────────────────────
    def _run(
        self, x: Float[Tensor, "*time batch input"], state: State | None, steps: Bool[Tensor, "time batch"] | None
    ) -> StackOutput:
        """Run all layers over a sequence, or over one step without an axis of time."""
        if self._can_run_at_once():
            weights, directions = self._weights_in_order(), self.directions
            found = self.cell.run_all(x, weights, state, self.specs[0], steps, self.num_layers, directions)
            if found is not None:
                y, ends = found
                last = None if self.stack.return_sequences else self._join([*ends[0][-directions:]])
                return StackOutput(y, last, ends, None)
        if x.dim() == 3:
            return self._run_one_by_one(x, state, steps)
        out = self._run_one_by_one(x[None], state, steps)
        return out._replace(y=out.y[0])

    def _can_run_at_once(self) -> bool:
        """Whether one operator can run all layers: without gradients, masks or options between layers."""
        stack, options = self.stack, self.cell.options
        if (
            torch.is_grad_enabled()
            or torch.jit.is_tracing()
            or options.masked(training=self.training)
            or (self.training and self.dropout > 0)
        ):
            return False
        if stack.residual or stack.skip or getattr(stack, "return_cells", False) or not self._in_order:
            return False
        return not self.bidirectional or stack.merge_mode in ("concat", None)

    def _spec(self, layer: int, direction: int) -> Any:
        return self.specs[direction]
