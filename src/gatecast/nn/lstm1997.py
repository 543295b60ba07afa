"""The original LSTM layer (Hochreiter & Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gatecast.errors import SettingError
from gatecast.nn.checks import check_sizes, one_of
from gatecast.nn.timeaxis import steps_of, swapped
from gatecast.ops.lstm1997 import FEEDBACK, Spec1997, State1997, Weights1997, lstm1997
from gatecast.ops.reference import without_masked

BIASES = ("all", "gates", "none")

GateBias = float | Sequence[float] | None


class LSTM1997(nn.Module):
    """Memory cell blocks without a forget gate, learnt by the truncated gradient: the layer of the paper's experiments.

    The equations are those of :mod:`gatecast.ops.lstm1997`. Called as ``layer(x, state=None)``, it gives ``y, (u, c)``:
    ``y`` is ``(time, batch, blocks * block_size)``, ``u`` ``(batch, units)`` what every gate and cell gave at the last
    step, ``c`` ``(batch, blocks * block_size)`` the cells' states. A readout, such as ``torch.nn.Linear``, is not part
    of it.

    Args:
        input_size: features of each step.
        blocks: memory cell blocks, each with its own input and output gate.
        block_size: cells of each block, which share its gates.
        bias: of ``"all"`` units, of the ``"gates"`` alone, or ``"none"``.
        output_gate: False: blocks without output gates (experiment 2a).
        feedback: what every unit sees of the step before: ``"all"`` units, the ``"cells"`` alone, or ``"none"``.
        truncate: the paper's learning rule: the gradient flows back in time through the cells' states alone, and what
            would leave through gates and net inputs is cut. False: the whole gradient.
        init_range: weights begin as U(-init_range, init_range).
        input_gate_bias: first bias of the input gates: one for all or one for each block; None: as the weights.
        output_gate_bias: likewise, of the output gates. Negative values, one lower than the next, keep blocks from
            learning the same (paper, §4, "abuse problem").
        batch_first: x and y are ``(batch, time, ...)``.
        return_sequences: outputs of every step; False: of the last step that counts.
        return_state: give the last state as well; False: the output alone.
        device: of the parameters.
        dtype: of the parameters.

    Raises:
        SettingError: an argument does not fit.

    Example:
        >>> layer = LSTM1997(2, 2, 2, input_gate_bias=(-3.0, -6.0))  # the net of the adding problem, without readout
        >>> y, (u, c) = layer(torch.randn(100, 1, 2))
        >>> y.shape, u.shape, sum(weight.numel() for weight in layer.parameters())
        (torch.Size([100, 1, 4]), torch.Size([1, 8]), 88)
    """

    weight_ih: Tensor
    weight_hh: Tensor | None
    bias_ih: Tensor | None

    def __init__(
        self,
        input_size: int,
        blocks: int,
        block_size: int = 1,
        *,
        bias: str = "all",
        output_gate: bool = True,
        feedback: str = "all",
        truncate: bool = True,
        init_range: float = 0.1,
        input_gate_bias: GateBias = None,
        output_gate_bias: GateBias = None,
        batch_first: bool = False,
        return_sequences: bool = True,
        return_state: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_sizes(input_size=input_size, blocks=blocks, block_size=block_size)
        self.input_size, self.init_range = input_size, init_range
        self.bias = one_of(BIASES, bias=bias)
        self.spec = Spec1997(blocks, block_size, output_gate, one_of(FEEDBACK, feedback=feedback), truncate)
        self.input_gate_bias = self._gate_bias("input_gate_bias", input_gate_bias)
        self.output_gate_bias = self._gate_bias("output_gate_bias", output_gate_bias)
        self.batch_first, self.return_sequences, self.return_state = batch_first, return_sequences, return_state
        gates = self.spec.units - self.spec.cells
        shapes: dict[str, tuple[int, ...] | None] = {
            "weight_ih": (self.spec.units, input_size),
            "weight_hh": (self.spec.units, self.spec.fed_back) if self.spec.fed_back else None,
            "bias_ih": {"all": (self.spec.units,), "gates": (gates,), "none": None}[bias],
        }
        for name, shape in shapes.items():
            value = None if shape is None else nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
            self.register_parameter(name, value)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Begin anew: U(±init_range), and the gates' biases where they were given."""
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -self.init_range, self.init_range)
        blocks = self.spec.blocks
        if self.bias_ih is not None and self.input_gate_bias is not None:
            self.bias_ih[:blocks] = torch.tensor(self.input_gate_bias)
        if self.bias_ih is not None and self.output_gate_bias is not None:
            self.bias_ih[-blocks:] = torch.tensor(self.output_gate_bias)

    def weights(self) -> Weights1997:
        """Weights as the operator takes them: with a bias for every unit, or none."""
        bias = self.bias_ih
        if bias is not None and self.bias == "gates":
            i, cells, _ = self.spec.rows
            bias = torch.cat([bias[:i], bias.new_zeros(cells), bias[i:]])
        return Weights1997(self.weight_ih, self.weight_hh, bias)

    def forward(
        self,
        x: Tensor,
        state: State1997 | None = None,
        *,
        lengths: Tensor | Sequence[int] | None = None,
        mask: Tensor | None = None,
    ) -> Any:
        """Outputs, and the last state where the layer was made with ``return_state``.

        Args:
            x: ``(time, batch, input_size)``; ``(batch, time, input_size)`` with ``batch_first``.
            state: u and c, as a call before gave them; None: zeros.
            lengths: steps of each sequence ``(batch,)``, in any order; the rest of it is padding.
            mask: True where a step counts, ``(time, batch)`` or, with ``batch_first``, ``(batch, time)``.

        Raises:
            SettingError: x, state, lengths or mask do not fit the layer.
        """
        if x.dim() != 3 or x.shape[-1] != self.input_size:
            order = "batch, time" if self.batch_first else "time, batch"
            raise SettingError(f"x must be ({order}, features) with {self.input_size} features, got {tuple(x.shape)}")
        x = swapped(x, batch_first=self.batch_first)
        self._check_state(x, state)
        steps = steps_of(x, lengths, mask, batch_first=self.batch_first)
        y, u, c = lstm1997(without_masked(x, steps), self.weights(), self.spec, state, steps=steps)
        blocks, cells, _ = self.spec.rows
        y = swapped(y, batch_first=self.batch_first) if self.return_sequences else u[:, blocks : blocks + cells]
        return (y, (u, c)) if self.return_state else y

    def step(
        self, x: Float[Tensor, "batch input"], state: State1997 | None = None
    ) -> tuple[Float[Tensor, "batch cells"], State1997]:
        """One step of a stream: its output and the state for the next one.

        Args:
            x: input of the step, ``(batch, input_size)``.
            state: as the step before gave it; None: zeros.
        """
        self._check_state(x[None], state)
        y, u, c = lstm1997(x[None], self.weights(), self.spec, state)
        return y[0], (u, c)

    def _check_state(self, x: Tensor, state: State1997 | None) -> None:
        for name, value, width in zip(("u", "c"), state or (), (self.spec.units, self.spec.cells), strict=False):
            if tuple(value.shape) != (x.shape[1], width):
                raise SettingError(f"{name} must be (batch, width) = {(x.shape[1], width)}, got {tuple(value.shape)}")

    def _gate_bias(self, name: str, value: GateBias) -> tuple[float, ...] | None:
        """A gate's first bias for each block."""
        if value is None:
            return None
        each = tuple(value) if isinstance(value, Sequence) else (value,) * self.spec.blocks
        if len(each) != self.spec.blocks:
            raise SettingError(f"{name} must be one number or {self.spec.blocks}, one for each block; got {value}")
        if self.bias == "none" or (name == "output_gate_bias" and not self.spec.output_gate):
            raise SettingError(f'{name} needs gates with a bias; got bias="{self.bias}", {self.spec}')
        return each

    def extra_repr(self) -> str:
        """Sizes, for ``print(layer)``."""
        return f"{self.input_size}, {self.spec}, bias={self.bias!r}"
