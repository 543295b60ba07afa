"""The sLSTM layer (Beck et al. 2024, https://arxiv.org/abs/2405.04517)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Unpack

import torch
from torch import Tensor
from torch.nn import functional

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.nn.arguments import SLSTMArguments
from gatecast.nn.cell_kinds import CellKind, LayerOutput, State, Weights
from gatecast.nn.init import Spread
from gatecast.nn.options import SLSTMCellOptions, StackOptions
from gatecast.nn.stack import Stack
from gatecast.ops import LSTMMasks
from gatecast.ops.slstm_cell.reference import slstm
from gatecast.ops.slstm_cell.spec import SLSTMSpec, SLSTMState, SLSTMWeights


@dataclass(frozen=True)
class SLSTMKind(CellKind):
    """The sLSTM: h, the cell c, the normaliser n, and the logarithm m of the scale of both."""

    options: SLSTMCellOptions
    takes = SLSTMCellOptions
    names = SLSTMState._fields

    def __post_init__(self) -> None:
        if self.hidden_size % self.options.heads:
            raise SettingError(
                Arg("heads") + f" must divide hidden_size = {self.hidden_size}, got {self.options.heads}"
            )

    @property
    def gates(self) -> str:
        return "ifzo"

    @property
    def widths(self) -> tuple[int, ...]:
        return (self.hidden_size,) * 4

    def completed(self, state: State) -> State:
        """A cell that has seen one step, of weight 1."""
        h, c = state[0], state[1].to(self.part_dtype("c", state[1].dtype))
        return h, c, torch.ones_like(c), torch.zeros_like(c)

    def part_dtype(self, part: str, dtype: torch.dtype) -> torch.dtype:
        return dtype if part == "h" else torch.promote_types(dtype, torch.float32)

    def shapes(self, input_size: int) -> dict[str, tuple[int, ...] | None]:
        rows, head = 4 * self.hidden_size, self.hidden_size // self.options.heads
        return super().shapes(input_size) | {"weight_hh": (rows, head)}

    def _spec(self, **scan: Any) -> SLSTMSpec:
        return SLSTMSpec(self.options.forget_gate == "exponential", **scan)

    def run(
        self, x: Tensor, weights: Weights, state: State | None, spec: Any, masks: LSTMMasks, *, cells: bool = False
    ) -> LayerOutput:
        start = None if state is None else SLSTMState(*state)
        y, last = slstm(x, self.operands(weights), start, spec=spec, masks=masks)
        return LayerOutput(y, tuple(last))

    @staticmethod
    def operands(weights: Weights) -> SLSTMWeights:
        """Named parameters as the operator takes them."""
        return SLSTMWeights(weights["weight_ih"], weights["weight_hh"], weights.get("bias_ih"))


class sLSTM(Stack, kind=SLSTMKind, stack=StackOptions):
    """A stack of LSTM layers with exponential gates: a step can outweigh all that came before it.

    :mod:`gatecast.ops.slstm_cell.reference` has the equations. Call it like ``LSTM``: its state is the tuple
    ``(h, c, n, m)``, each ``(layers*directions, batch, hidden_size)``. In half precision c, n and m are float32. A
    learned initial state, or one from a static context, consists of h and c, with n = 1 and m = 0.

    Args:
        input_size: features of each step.
        hidden_size: width of the state.
        num_layers: stacked layers.
        bias: learn one bias for each gate and unit.
        batch_first: input and output are ``(batch, time, feature)``.
        dropout: probability of dropping an output between two layers.
        bidirectional: read the sequence backwards as well.
        **options: ``device`` and ``dtype`` of the weights; fields of ``SLSTMCellOptions`` and ``StackOptions``.

    Example:
        >>> layer = sLSTM(3, 8, heads=2)
        >>> y, state = layer(torch.randn(20, 4, 3), lengths=[20, 3, 0, 7])
        >>> y_next, (h, c, n, m) = layer.step(torch.randn(4, 3), state)
        >>> y.shape, y_next.shape, c.shape
        (torch.Size([20, 4, 8]), torch.Size([4, 8]), torch.Size([1, 4, 8]))
    """

    cell: SLSTMKind

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        **options: Unpack[SLSTMArguments],
    ) -> None:
        self._build(locals())

    @torch.no_grad()
    def _fill(self, name: str, weight: Tensor) -> None:
        super()._fill(name, weight)
        options = self.cell.options
        if name == "bias_ih" and isinstance(options.bias_initializer, Spread) and options.forget_gate == "exponential":
            f = weight[self.hidden_size : 2 * self.hidden_size]
            f.copy_(functional.logsigmoid(f))  # the gates themselves begin the same
