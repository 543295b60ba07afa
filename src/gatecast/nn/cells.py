"""One step of a cell as a module: ``torch.nn``'s LSTMCell, GRUCell and RNNCell, with all cell options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import torch
from jaxtyping import Float
from torch import Tensor

from gatecast.nn.arguments import GRUCellArguments, LSTMCellArguments, RNNCellArguments
from gatecast.nn.cell_kinds import GRUKind, LSTMKind, RNNKind, State
from gatecast.nn.checks import checked_input
from gatecast.nn.masks import draw_masks, dropped
from gatecast.nn.parameters import Recurrent
from gatecast.nn.states import given_state, state_out
from gatecast.ops.activations import Activation

Place = torch.device | str | int | None


class Cell(Recurrent):
    """A recurrent cell: state in, state out. Masks of dropout and zoneout are drawn at each call."""

    input_size: int

    def _add_parameters(self, *options: Any, **factory: Any) -> None:
        self.spec = self.cell.spec()
        self._add_weights("", self.input_size, **factory)

    def forward(self, input: Tensor, hx: Tensor | Sequence[Tensor] | None = None) -> Any:
        """One step.

        Args:
            input: ``(batch, input_size)`` or ``(input_size,)``.
            hx: h, ``(batch, width)``; LSTM: the pair (h, c). None: zeros.

        Returns:
            The state after the step, whose h is the output; LSTM: ``(h, c)``.
        """
        x = checked_input(input, self.input_size, self.first_weight, dims=(1, 2), axes="batch, input_size")
        batched = x.dim() == 2
        x = x if batched else x[None]
        state = None
        if hx is not None:
            state = given_state(self.cell, hx, x.shape[0], self.first_weight, batched=batched)
        after = self._run(x, state)
        self._note_activity(after[0], 0)
        return state_out(after if batched else tuple(part[0] for part in after))

    def _run(self, x: Float[Tensor, "batch input"], state: State | None) -> State:
        """The state after the step."""
        options = self.cell.options
        if self._in_order and not _differentiable() and not options.masked(training=self.training):
            start = None if state is None else tuple([part[None] for part in state])
            found = self.cell.run_all(x, self._weights_in_order(), start, self.spec, None, 1, 1)
            if found is not None:
                return tuple([part[0] for part in found[1]])
        x = dropped(x[None], options.input_dropout, training=self.training, variational=True)
        masks = draw_masks(x, None, options, self.cell.widths, training=self.training)
        return self.cell.run(x, self._weights(""), state, self.spec, masks).state


def _differentiable() -> bool:
    """Whether gradients may be wanted; a trace holds for both cases and takes the one path."""
    return torch.is_grad_enabled() or torch.jit.is_tracing()


class LSTMCell(Cell, kind=LSTMKind):
    """One step of an LSTM, a replacement of ``torch.nn.LSTMCell``: ``h, c = cell(x, (h, c))``.

    Args:
        input_size: features of the input.
        hidden_size: width of the state.
        bias: whether the gates have biases.
        device, dtype: of the weights.
        proj_size: width of a projection of the output; 0: none.
        **options: fields of ``LSTMCellOptions``.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Place = None,
        dtype: torch.dtype | None = None,
        *,
        proj_size: int = 0,
        **options: Unpack[LSTMCellArguments],
    ) -> None:
        self._build(locals())


class GRUCell(Cell, kind=GRUKind):
    """One step of a GRU, a replacement of ``torch.nn.GRUCell``: ``h = cell(x, h)``.

    Args:
        input_size: features of the input.
        hidden_size: width of the state.
        bias: whether the gates have biases.
        device, dtype: of the weights.
        **options: fields of ``GRUCellOptions``.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Place = None,
        dtype: torch.dtype | None = None,
        **options: Unpack[GRUCellArguments],
    ) -> None:
        self._build(locals())


class RNNCell(Cell, kind=RNNKind):
    """One step of a plain recurrent network, a replacement of ``torch.nn.RNNCell``: ``h = cell(x, h)``.

    Args:
        input_size: features of the input.
        hidden_size: width of the state.
        bias: whether the state has biases.
        nonlinearity: of the state: a name (tanh, relu, …) or a function of a tensor.
        device, dtype: of the weights.
        **options: fields of ``RNNCellOptions``.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: Activation = "tanh",
        device: Place = None,
        dtype: torch.dtype | None = None,
        **options: Unpack[RNNCellArguments],
    ) -> None:
        self._build(locals())
