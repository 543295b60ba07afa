"""The kinds of cells: gates, state, weights under PyTorch's names, and the operator that runs each."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.nn.options import CellOptions, GRUCellOptions, LSTMCellOptions, RNNCellOptions, check_activations
from gatecast.ops import CellSpec, LSTMMasks, LSTMWeights, lstm
from gatecast.ops.activations import Activation
from gatecast.ops.dispatch import lstm_layers
from gatecast.ops.gru_cell.pytorch import gru
from gatecast.ops.gru_cell.spec import GRUSpec, GRUWeights
from gatecast.ops.lstm_cell.spec import DEFAULT
from gatecast.ops.rnn_cell.pytorch import rnn
from gatecast.ops.rnn_cell.spec import RNNSpec, RNNWeights

State = tuple[Tensor, ...]
Weights = Mapping[str, Tensor]


class LayerOutput(NamedTuple):
    """Output of one layer and direction."""

    y: Tensor  # (time, batch, output)
    state: State  # (batch, width) each
    cells: Tensor | None = None  # (time, batch, hidden)


@dataclass(frozen=True)
class CellKind(ABC):
    """A cell of some kind, with its sizes and options; the fields are arguments of the layer's constructor.

    Args:
        hidden_size: width of the state.
        bias: whether the gates have biases.
        options: of the cell.
    """

    hidden_size: int
    bias: bool
    options: CellOptions
    takes: ClassVar[type[CellOptions]]
    names: ClassVar[tuple[str, ...]] = ("h", "c")
    all_layers: ClassVar[Callable[..., tuple[Tensor, ...] | None] | None] = None  # operator of all layers, if any
    in_order: ClassVar[tuple[str, ...]] = ()  # weights as that operator takes them

    @classmethod
    def of(cls, options: Any, given: Mapping[str, Any]) -> Self:
        """The cell with these options for the arguments of a constructor, by name."""
        return cls(options=options, **{f.name: given[f.name] for f in fields(cls) if f.name != "options"})

    @property
    @abstractmethod
    def gates(self) -> str:
        """Letters of the gates, in the order of the rows."""

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of the state's tensors; the first is the output."""
        return (self.hidden_size,)

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the state's tensors."""
        return self.names[: len(self.widths)]

    @property
    def learned(self) -> tuple[str, ...]:
        """Parts that can be learned or computed from a static context; :meth:`completed` adds the others."""
        return self.parts[:2]

    def completed(self, state: State) -> State:
        """The whole state from its learned parts."""
        return state

    def part_dtype(self, part: str, dtype: torch.dtype) -> torch.dtype:
        """Dtype of a part of the state, for the dtype of the weights."""
        return dtype

    @property
    def single_bias(self) -> bool:
        """Whether there is one bias vector; PyTorch has two."""
        return getattr(self.options, "single_bias", True)

    @property
    def bound(self) -> float:
        """Bound of weights initialised ``"uniform"``, by PyTorch's rule."""
        return 1 / math.sqrt(self.hidden_size)

    def shapes(self, input_size: int) -> dict[str, tuple[int, ...] | None]:
        """Shapes of the weights in PyTorch's order; None for a weight that only other layers have."""
        rows = len(self.gates) * self.hidden_size
        biases = ("bias_ih", "bias_hh")[: 1 if self.single_bias else 2] if self.bias else ()
        matrices: dict[str, tuple[int, ...] | None] = {
            "weight_ih": (rows, input_size),
            "weight_hh": (rows, self.widths[0]),
        }
        return {**matrices, **dict.fromkeys(biases, (rows,))}

    def spec(self, *, reverse: bool = False, zero_output: bool = True) -> Any:
        """The options that the operator reads, for one direction."""
        return self._spec(reverse=reverse, gradient_clip=self.options.gradient_clip, zero_output=zero_output)

    @abstractmethod
    def _spec(self, **scan: Any) -> Any:
        """:meth:`spec` from the options that every operator reads."""

    @abstractmethod
    def run(
        self, x: Tensor, weights: Weights, state: State | None, spec: Any, masks: LSTMMasks, *, cells: bool = False
    ) -> LayerOutput:
        """Run one layer in one direction."""

    def run_all(
        self,
        x: Tensor,
        weights: list[Tensor],
        state: State | None,
        spec: Any,
        steps: Tensor | None,
        layers: int,
        directions: int,
    ) -> tuple[Tensor, State] | None:
        """Run all layers in one call, without gradients: the output and the state; None where no operator can.

        Args:
            x: input of the first layer.
            weights: of each layer and direction in turn: those of ``in_order``, or the first of them.
            state: before the first step, of all layers and directions.
            spec: options that the operator reads.
            steps: True where a step counts.
            layers: how many.
            directions: 1 or 2, concatenated.
        """
        found = None if self.all_layers is None else self.all_layers(x, weights, state, spec, steps, layers, directions)
        return None if found is None else (found[0], found[1:])


@dataclass(frozen=True)
class LSTMKind(CellKind):
    """The LSTM; ``proj_size`` > 0: with a projection of the output (Sak, Senior & Beaufays 2014)."""

    options: LSTMCellOptions
    proj_size: int = 0
    takes = LSTMCellOptions
    all_layers = staticmethod(lstm_layers)
    in_order = (
        "weight_ih", "weight_hh", "bias_ih", "bias_hh", "peephole", "norm_ih", "norm_hh", "norm_c", "weight_hr"
    )  # fmt: skip

    def __post_init__(self) -> None:
        if not self.proj_size < self.hidden_size:
            raise SettingError(
                Arg("proj_size") + f" must be below hidden_size = {self.hidden_size}, got {self.proj_size}",
                Arg("proj_size", 0) + " for no projection",
            )

    @property
    def gates(self) -> str:
        return "fgo" if self.options.coupled else "ifgo"

    @property
    def widths(self) -> tuple[int, ...]:
        return (self.proj_size or self.hidden_size, self.hidden_size)

    def shapes(self, input_size: int) -> dict[str, tuple[int, ...] | None]:
        shapes = super().shapes(input_size)
        rows, hidden = len(self.gates) * self.hidden_size, self.hidden_size
        if self.proj_size:
            shapes["weight_hr"] = (self.proj_size, hidden)
        if self.options.peephole:
            shapes["peephole"] = (len(self.gates) - 1, hidden)
        if self.options.layer_norm:
            shapes |= {"norm_ih": (rows,), "norm_hh": (rows,), "norm_c": (2, hidden)}
        return shapes

    def _spec(self, **scan: Any) -> CellSpec:
        options = self.options
        spec = CellSpec(
            options.activation,
            options.recurrent_activation,
            coupled=options.coupled,
            cell_clip=options.cell_clip,
            recompute=options.recompute,
            **scan,
        )
        return DEFAULT if spec == DEFAULT else spec  # select recognises DEFAULT by identity

    def run(
        self, x: Tensor, weights: Weights, state: State | None, spec: Any, masks: LSTMMasks, *, cells: bool = False
    ) -> LayerOutput:
        start = None if state is None else (state[0], state[1])
        out = lstm(x, self.operands(weights), start, spec=spec, masks=masks, cells=cells)
        return LayerOutput(out.y, (out.h, out.c), out.cells)

    @staticmethod
    def operands(weights: Weights) -> LSTMWeights:
        """Named parameters as the operator takes them."""
        return LSTMWeights(
            weights["weight_ih"],
            weights["weight_hh"],
            _one_bias(weights),
            weights.get("peephole"),
            weights.get("norm_ih"),
            weights.get("norm_hh"),
            weights.get("norm_c"),
            weights.get("weight_hr"),
        )


@dataclass(frozen=True)
class GRUKind(CellKind):
    """The gated recurrent unit."""

    options: GRUCellOptions
    takes = GRUCellOptions

    @property
    def gates(self) -> str:
        return "rzn"

    def _spec(self, **scan: Any) -> GRUSpec:
        options = self.options
        return GRUSpec(options.activation, options.recurrent_activation, options.reset_after, **scan)

    def run(
        self, x: Tensor, weights: Weights, state: State | None, spec: Any, masks: LSTMMasks, *, cells: bool = False
    ) -> LayerOutput:
        biases = weights.get("bias_ih"), weights.get("bias_hh")
        operands = GRUWeights(weights["weight_ih"], weights["weight_hh"], *biases)
        out = gru(x, operands, None if state is None else state[0], spec=spec, masks=masks)
        return LayerOutput(out.y, (out.h,))


@dataclass(frozen=True)
class RNNKind(CellKind):
    """The plain recurrent network."""

    options: RNNCellOptions
    nonlinearity: Activation = "tanh"
    takes = RNNCellOptions

    def __post_init__(self) -> None:
        check_activations(nonlinearity=self.nonlinearity)

    @property
    def gates(self) -> str:
        return "h"

    def _spec(self, **scan: Any) -> RNNSpec:
        return RNNSpec(self.nonlinearity, **scan)

    def run(
        self, x: Tensor, weights: Weights, state: State | None, spec: Any, masks: LSTMMasks, *, cells: bool = False
    ) -> LayerOutput:
        operands = RNNWeights(weights["weight_ih"], weights["weight_hh"], _one_bias(weights))
        out = rnn(x, operands, None if state is None else state[0], spec=spec, masks=masks)
        return LayerOutput(out.y, (out.h,))


def _one_bias(weights: Weights) -> Tensor | None:
    """The sum of the biases; None without any."""
    if "bias_hh" in weights:
        return weights["bias_ih"] + weights["bias_hh"]
    return weights.get("bias_ih")
