"""The original LSTM layer (Hochreiter & Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gatecast.base.errors import SettingError
from gatecast.nn.cell_kinds import Design, Run, State, Weights
from gatecast.nn.checks import check_numbers, check_sizes, one_of
from gatecast.nn.options import LSTM1997CellOptions, StackOptions, differences, read_options, shown, signed_with
from gatecast.nn.stack import Stack
from gatecast.ops import LSTMMasks
from gatecast.ops.lstm1997_cell.reference import lstm1997
from gatecast.ops.lstm1997_cell.spec import Spec1997, State1997, Weights1997
from gatecast.ops.lstm_cell.checks import is_number

BIASES = ("all", "gates", "none")

GateBias = float | Sequence[float] | None


@dataclass(frozen=True)
class Design1997(Design):
    """Memory cell blocks: cells' outputs h, the cells c, and what the gates gave.

    Args:
        blocks: each with an input gate and an output gate.
        biases: of ``"all"`` units, of the ``"gates"`` alone, or ``"none"``.
        init_range: bound of weights that begin ``"uniform"``.
    """

    options: LSTM1997CellOptions
    blocks: int
    biases: str
    init_range: float

    @property
    def units(self) -> Spec1997:
        """Gates and cells, as the operator counts them."""
        options = self.options
        size = self.hidden_size // self.blocks
        return Spec1997(self.blocks, size, options.output_gate, options.feedback, options.truncate)

    @property
    def gates(self) -> str:
        return "u"  # the rows of all units as one block: gates and cells are not equally many

    @property
    def bound(self) -> float:
        return self.init_range

    @property
    def widths(self) -> tuple[int, ...]:
        return self.hidden_size, self.hidden_size, self.units.gates

    @property
    def parts(self) -> tuple[str, ...]:
        return State1997._fields

    @property
    def learned(self) -> tuple[str, ...]:
        return ("h", "c")

    def completed(self, state: State) -> State:
        """Gates that have given nothing yet."""
        return *state, state[0].new_zeros(*state[0].shape[:-1], self.units.gates)

    def shapes(self, input_size: int) -> dict[str, tuple[int, ...] | None]:
        units = self.units
        return {
            "weight_ih": (units.units, input_size),
            "weight_hh": (units.units, units.fed_back) if units.fed_back else None,
            "bias_ih": {"all": (units.units,), "gates": (units.gates,), "none": None}[self.biases],
        }

    def spec(self, *, reverse: bool = False, zero_output: bool = True) -> Spec1997:
        units = self.units
        places = units.blocks, units.size, units.output_gate, units.feedback, units.truncate
        return Spec1997(*places, reverse, self.options.gradient_clip, zero_output)

    def run(
        self, x: Tensor, weights: Weights, state: State | None, spec: Any, masks: LSTMMasks, *, cells: bool = False
    ) -> Run:
        start = None if state is None else State1997(*state)
        y, last = lstm1997(x, self.operands(weights), spec, start, masks=masks)
        return Run(y, tuple(last))

    def operands(self, weights: Weights) -> Weights1997:
        """Named parameters as the operator takes them: with a bias for every unit, or none."""
        bias = weights.get("bias_ih")
        if bias is not None and self.biases == "gates":
            bias = torch.cat([bias[: self.blocks], bias.new_zeros(self.hidden_size), bias[self.blocks :]])
        return Weights1997(weights["weight_ih"], weights.get("weight_hh"), bias)


@signed_with(LSTM1997CellOptions, StackOptions)
class LSTM1997(Stack):
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
        batch_first: input and output are ``(batch, time, feature)``.
        dropout: probability of dropping an output between two layers.
        bidirectional: read the sequence backwards as well.
        device: of the weights.
        dtype: of the weights.
        **options: fields of ``LSTM1997CellOptions`` and ``StackOptions``, by keyword.

    Raises:
        SettingError: an argument does not fit.

    Example:
        >>> layer = LSTM1997(2, 2, 2, input_gate_bias=(-3.0, -6.0))  # the net of the adding problem, without readout
        >>> y, (h, c, gates) = layer(torch.randn(100, 1, 2))
        >>> y.shape, gates.shape, sum(weight.numel() for weight in layer.parameters())
        (torch.Size([100, 1, 4]), torch.Size([1, 1, 4]), 88)
    """

    design: Design1997

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
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> None:
        cell, stack = read_options(LSTM1997, options, LSTM1997CellOptions, StackOptions)
        check_sizes(blocks=blocks, block_size=block_size)
        one_of(BIASES, bias=bias)
        check_numbers(0, init_range=init_range)
        design = Design1997(blocks * block_size, bias != "none", cell, blocks, bias, init_range)
        self.input_gate_bias = _each_block("input_gate_bias", input_gate_bias, design)
        self.output_gate_bias = _each_block("output_gate_bias", output_gate_bias, design)
        super().__init__(
            design,
            stack,
            input_size,
            num_layers,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            device=device,
            dtype=dtype,
        )

    @torch.no_grad()
    def _fill(self, name: str, weight: Tensor) -> None:
        super()._fill(name, weight)
        if name == "bias_ih" and self.input_gate_bias is not None:
            weight[: self.design.blocks] = torch.tensor(self.input_gate_bias)
        if name == "bias_ih" and self.output_gate_bias is not None:
            weight[-self.design.blocks :] = torch.tensor(self.output_gate_bias)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments that are not the default, beside the three sizes."""
        usual: dict[str, Any] = {
            "num_layers": 1,
            "init_range": 0.1,
            "batch_first": False,
            "dropout": 0.0,
            "bidirectional": False,
        }
        usual |= {"input_gate_bias": None, "output_gate_bias": None}
        given: dict[str, Any] = {"bias": self.design.biases} if self.design.biases != "all" else {}
        for name, value in usual.items():
            own = self.design.init_range if name == "init_range" else getattr(self, name)
            given |= {name: own} if own != value else {}
        return {**given, **differences(self.design.options), **differences(self.stack)}

    def extra_repr(self) -> str:
        """Sizes, and the options that are not the default."""
        sizes = self.input_size, self.design.blocks, self.design.units.size
        return ", ".join([*map(str, sizes), *shown(**self.settings())])


def _each_block(name: str, value: GateBias, design: Design1997) -> tuple[float, ...] | None:
    """A gate's first bias for each block."""
    if value is None:
        return None
    each = tuple(value) if isinstance(value, Sequence) else (value,) * design.blocks
    if len(each) != design.blocks or not all(map(is_number, each)):
        raise SettingError(f"{name} must be one number or {design.blocks}, one for each block; got {value!r}")
    if not design.bias or (name == "output_gate_bias" and not design.options.output_gate):
        raise SettingError(
            f'{name} needs gates with a bias; got bias="{design.biases}", output_gate={design.options.output_gate}'
        )
    return each
