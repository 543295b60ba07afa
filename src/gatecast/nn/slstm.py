"""The sLSTM layer (Beck et al. 2024, https://arxiv.org/abs/2405.04517)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from gatecast.errors import SettingError
from gatecast.nn.checks import check_probability, check_sizes, one_of
from gatecast.nn.timeaxis import steps_of, swapped
from gatecast.ops.reference import without_masked
from gatecast.ops.slstm import SLSTMState, SLSTMWeights, empty_state, slstm

FORGET_GATES = ("sigmoid", "exponential")
FIRST_BIASES = (3.0, 6.0)  # forget gates begin between sigmoid(3) = 0.953 and sigmoid(6) = 0.998


class sLSTM(nn.Module):
    """A stack of LSTM layers with exponential gates: a step can outweigh all that came before it.

    The equations are those of :mod:`gatecast.ops.slstm`. Called as ``layer(x, state=None)``, it gives ``y, state``:
    ``y`` is ``(time, batch, hidden_size)``; the state is the tuple ``(h, c, n, m)``, each ``(num_layers, batch,
    hidden_size)``. In half precision c, n and m are float32.

    Args:
        input_size: features of each step.
        hidden_size: width of the state.
        num_layers: stacked layers.
        heads: groups of units that see only themselves through W_hh; must divide ``hidden_size``.
        forget_gate: ``"sigmoid"`` or ``"exponential"``.
        bias: learn one bias for each gate and unit.
        dropout: probability of dropping an entry of a layer's output on its way to the next layer.
        batch_first: x and y are ``(batch, time, ...)``.
        return_sequences: outputs of every step; False: of the last step that counts.
        return_state: give the last state as well; False: the output alone.
        device: of the parameters.
        dtype: of the parameters.

    Raises:
        SettingError: an argument does not fit.

    Example:
        >>> layer = sLSTM(3, 8, heads=2)
        >>> y, state = layer(torch.randn(20, 4, 3), lengths=[20, 3, 0, 7])
        >>> y_next, state = layer.step(torch.randn(4, 3), state)
        >>> y.shape, y_next.shape, state.c.shape
        (torch.Size([20, 4, 8]), torch.Size([4, 8]), torch.Size([1, 4, 8]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        heads: int = 1,
        forget_gate: str = "sigmoid",
        bias: bool = True,
        dropout: float = 0.0,
        batch_first: bool = False,
        return_sequences: bool = True,
        return_state: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_sizes(input_size=input_size, hidden_size=hidden_size, num_layers=num_layers, heads=heads)
        check_probability(dropout=dropout)
        if hidden_size % heads:
            raise SettingError(f"heads must divide hidden_size = {hidden_size}, got {heads}")
        self.input_size, self.hidden_size, self.num_layers, self.heads = input_size, hidden_size, num_layers, heads
        self.forget_gate = one_of(FORGET_GATES, forget_gate=forget_gate)
        self.bias, self.dropout, self.batch_first = bias, dropout, batch_first
        self.return_sequences, self.return_state = return_sequences, return_state
        for layer in range(num_layers):
            width = input_size if layer == 0 else hidden_size
            shapes = {"weight_ih": (width,), "weight_hh": (hidden_size // heads,), "bias_ih": ()}
            for name, shape in shapes.items():
                value = nn.Parameter(torch.empty(4 * hidden_size, *shape, device=device, dtype=dtype))
                self.register_parameter(f"{name}_l{layer}", value if bias or name != "bias_ih" else None)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Begin anew: U(±1/√hidden) as in PyTorch, biases 0, forget gates spread from short to long memories."""
        span = torch.linspace(*FIRST_BIASES, self.hidden_size)
        for w_ih, w_hh, bias in map(self.weights, range(self.num_layers)):
            for weight in (w_ih, w_hh):
                nn.init.uniform_(weight, -(self.hidden_size**-0.5), self.hidden_size**-0.5)
            if bias is not None:
                nn.init.zeros_(bias)
                bias[self.hidden_size : 2 * self.hidden_size] = (
                    span if self.forget_gate == "sigmoid" else functional.logsigmoid(span)
                )

    def weights(self, layer: int) -> SLSTMWeights:
        """Weights of one layer, counted from 0."""
        return SLSTMWeights(*[getattr(self, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih")])

    def forward(
        self,
        x: Tensor,
        state: tuple[Tensor, Tensor, Tensor, Tensor] | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        mask: Tensor | None = None,
    ) -> Any:
        """Outputs, and the last state where the layer was made with ``return_state``.

        Args:
            x: ``(time, batch, input_size)``; ``(batch, time, input_size)`` with ``batch_first``.
            state: h, c, n and m, as a call before gave them; None: nothing has been seen.
            lengths: steps of each sequence ``(batch,)``, in any order; the rest of it is padding.
            mask: True where a step counts, ``(time, batch)`` or, with ``batch_first``, ``(batch, time)``.

        Raises:
            SettingError: x, state, lengths or mask do not fit the layer.
        """
        if x.dim() != 3 or x.shape[-1] != self.input_size:
            order = "batch, time" if self.batch_first else "time, batch"
            raise SettingError(f"x must be ({order}, features) with {self.input_size} features, got {tuple(x.shape)}")
        x = swapped(x, batch_first=self.batch_first)
        steps = steps_of(x, lengths, mask, batch_first=self.batch_first)
        before = self._before(x[0] if len(x) else x.new_zeros(x.shape[1:]), state)
        y, last = self._run(without_masked(x, steps), before, steps)
        y = swapped(y, batch_first=self.batch_first) if self.return_sequences else last.h[-1]
        return (y, last) if self.return_state else y

    def step(
        self, x: Float[Tensor, "batch input"], state: tuple[Tensor, Tensor, Tensor, Tensor] | None = None
    ) -> tuple[Float[Tensor, "batch hidden"], SLSTMState]:
        """One step of a stream: its output and the state for the next one, in time that does not grow.

        Args:
            x: input of the step, ``(batch, input_size)``.
            state: as the step before gave it; None: nothing has been seen.
        """
        y, last = self._run(x[None], self._before(x, state), None)
        return y[0], last

    def _run(
        self, x: Float[Tensor, "time batch input"], before: list[SLSTMState], steps: Tensor | None
    ) -> tuple[Float[Tensor, "time batch hidden"], SLSTMState]:
        """All layers over all steps."""
        last = []
        for layer, own in enumerate(before):
            x = functional.dropout(x, self.dropout, self.training) if layer else x
            exponential = self.forget_gate == "exponential"
            x, own = slstm(x, self.weights(layer), own, exponential_forget=exponential, steps=steps)
            last.append(own)
        return x, SLSTMState(*map(torch.stack, zip(*last, strict=True)))

    def _before(self, x: Tensor, state: tuple[Tensor, Tensor, Tensor, Tensor] | None) -> list[SLSTMState]:
        """State of every layer before the first step, from the input of one step."""
        empty = [empty_state(x, self.weights(layer)) for layer in range(self.num_layers)]
        if state is None:
            return empty
        shape = (self.num_layers, len(x), self.hidden_size)
        for name, value in zip(("h", "c", "n", "m"), state, strict=True):
            if tuple(value.shape) != shape:
                raise SettingError(f"{name} must be (layers, batch, hidden) = {shape}, got {tuple(value.shape)}")
        return [
            SLSTMState(*[part[layer].to(like.dtype) for part, like in zip(state, own, strict=True)])
            for layer, own in enumerate(empty)
        ]

    def extra_repr(self) -> str:
        """Sizes, for ``print(layer)``."""
        return (
            f"{self.input_size}, {self.hidden_size}, num_layers={self.num_layers}, heads={self.heads}, "
            f"forget_gate={self.forget_gate!r}"
        )
