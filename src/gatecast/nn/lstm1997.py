"""The original LSTM layer (Hochreiter & Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, Unpack

import torch
from torch import Tensor

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.options import Bounds, is_number
from gatecast.nn.arguments import LSTM1997Arguments
from gatecast.nn.cell_kinds import CellKind, LayerOutput, State, Weights
from gatecast.nn.checks import RULES
from gatecast.nn.options import LSTM1997CellOptions, StackOptions
from gatecast.nn.stack import Stack
from gatecast.ops import LSTMMasks
from gatecast.ops.lstm1997_cell.reference import lstm1997
from gatecast.ops.lstm1997_cell.spec import Spec1997, State1997, Weights1997

BIASES = ("all", "gates", "none")

GateBias = float | Sequence[float] | None


@dataclass(frozen=True)
class Kind1997(CellKind):
    """Memory cell blocks; the state consists of cell outputs h, cells c and gate outputs.

    Args:
        blocks: each with an input gate and an output gate.
        biases: of ``"all"`` units, of the ``"gates"`` alone, or ``"none"``.
        init_range: bound of weights initialised ``"uniform"``.
    """

    options: LSTM1997CellOptions
    blocks: int
    biases: str
    init_range: float
    takes = LSTM1997CellOptions
    names = State1997._fields

    @classmethod
    def of(cls, options: Any, given: Mapping[str, Any]) -> Self:
        blocks, biases = given["blocks"], given["bias"]
        return cls(blocks * given["block_size"], biases != "none", options, blocks, biases, given["init_range"])

    @property
    def units(self) -> Spec1997:
        """Gates and cells, as the operator counts them."""
        return self._spec()

    @property
    def gates(self) -> str:
        return "u"  # rows of all units as one block: the numbers of gates and cells differ

    @property
    def bound(self) -> float:
        return self.init_range

    @property
    def widths(self) -> tuple[int, ...]:
        return self.hidden_size, self.hidden_size, self.units.gates

    def completed(self, state: State) -> State:
        """Gates without an output yet."""
        return *state, state[0].new_zeros(*state[0].shape[:-1], self.units.gates)

    def shapes(self, input_size: int) -> dict[str, tuple[int, ...] | None]:
        units = self.units
        return {
            "weight_ih": (units.units, input_size),
            "weight_hh": (units.units, units.fed_back) if units.fed_back else None,
            "bias_ih": {"all": (units.units,), "gates": (units.gates,), "none": None}[self.biases],
        }

    def _spec(self, **scan: Any) -> Spec1997:
        options, size = self.options, self.hidden_size // self.blocks
        return Spec1997(self.blocks, size, options.output_gate, options.feedback, options.truncate, **scan)

    def run(
        self, x: Tensor, weights: Weights, state: State | None, spec: Any, masks: LSTMMasks, *, cells: bool = False
    ) -> LayerOutput:
        start = None if state is None else State1997(*state)
        y, last = lstm1997(x, self.operands(weights), spec, start, masks=masks)
        return LayerOutput(y, tuple(last))

    def operands(self, weights: Weights) -> Weights1997:
        """Named parameters as the operator takes them, with a bias for every unit or without biases."""
        bias = weights.get("bias_ih")
        if bias is not None and self.biases == "gates":
            bias = torch.cat([bias[: self.blocks], bias.new_zeros(self.hidden_size), bias[self.blocks :]])
        return Weights1997(weights["weight_ih"], weights.get("weight_hh"), bias)


class LSTM1997(Stack, kind=Kind1997, stack=StackOptions):
    """Memory cell blocks without a forget gate, learnt by the truncated gradient: the layer of the paper's experiments.

    :mod:`gatecast.ops.lstm1997_cell.reference` has the equations. Call it like ``LSTM``: its output is ``(time, batch,
    blocks * block_size)``, its state the tuple ``(h, c, gates)``: cell outputs of the last step, cell states and gate
    outputs, each ``(layers*directions, batch, width)``. A readout, such as ``torch.nn.Linear``, is not included.

    Args:
        input_size: features of each step.
        blocks: memory cell blocks, each with its own input and output gate.
        block_size: cells of each block, which share its gates.
        num_layers: stacked layers; the paper has one.
        bias: of ``"all"`` units, of the ``"gates"`` alone, or ``"none"``.
        init_range: weights begin as U(-init_range, init_range), unless an initializer says otherwise.
        input_gate_bias: first bias of the input gates: one for all or one for each block; None: as the weights.
        output_gate_bias: likewise, of the output gates. Negative values, one lower than the next, keep blocks from
            learning the same (paper, §4, "abuse problem").
        **options: ``batch_first``, ``dropout`` between layers and ``bidirectional``, as of ``LSTM``; ``device`` and
            ``dtype`` of the weights; fields of ``LSTM1997CellOptions`` and ``StackOptions``.

    Raises:
        SettingError: an argument does not fit.

    Example:
        >>> layer = LSTM1997(2, 2, 2, input_gate_bias=(-3.0, -6.0))  # the net of the adding problem, without readout
        >>> y, (h, c, gates) = layer(torch.randn(100, 1, 2))
        >>> y.shape, gates.shape, sum(weight.numel() for weight in layer.parameters())
        (torch.Size([100, 1, 4]), torch.Size([1, 1, 4]), 88)
    """

    cell: Kind1997
    leading = 3
    rules: ClassVar = {**RULES, "bias": ("str", Bounds(one_of=BIASES))}

    def __init__(
        self,
        input_size: int,
        blocks: int,
        block_size: int = 1,
        num_layers: int = 1,
        *,
        bias: str = "all",
        init_range: float = 0.1,
        input_gate_bias: GateBias = None,
        output_gate_bias: GateBias = None,
        **options: Unpack[LSTM1997Arguments],
    ) -> None:
        self._build(locals())

    def _settle(self, given: dict[str, Any], *options: Any) -> None:
        super()._settle(given, *options)
        for name in ("input_gate_bias", "output_gate_bias"):
            given[name] = _each_block(name, given, output_gate=options[0].output_gate)

    @torch.no_grad()
    def _fill(self, name: str, weight: Tensor) -> None:
        super()._fill(name, weight)
        if name == "bias_ih" and self.input_gate_bias is not None:
            weight[: self.cell.blocks] = torch.tensor(self.input_gate_bias)
        if name == "bias_ih" and self.output_gate_bias is not None:
            weight[-self.cell.blocks :] = torch.tensor(self.output_gate_bias)


def _each_block(name: str, given: Mapping[str, Any], *, output_gate: bool) -> tuple[float, ...] | None:
    """Initial bias of a gate for each block."""
    value, blocks, bias = given[name], given["blocks"], given["bias"]
    if value is None:
        return None
    each = tuple(value) if isinstance(value, Sequence) else (value,) * blocks
    if len(each) != blocks or not all(map(is_number, each)):
        raise SettingError(Arg(name) + f" must be one number, or {blocks} for the blocks, got {value!r}")
    if bias == "none" or (name == "output_gate_bias" and not output_gate):
        raise SettingError(Arg(name) + f" needs gates with a bias, got bias={bias!r}, output_gate={output_gate}")
    return each
