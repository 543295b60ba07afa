"""Options of the layers as keyword arguments, for type checkers and editors (PEP 692).

Defaults, bounds and help texts are in :mod:`gatecast.nn.options`; a test compares names and types.
"""

from __future__ import annotations

from typing import TypedDict

from gatecast.nn.init import Initializer
from gatecast.nn.regularizers import Constraint, Regularizer
from gatecast.ops.activations import Activation


class CellArguments(TypedDict, total=False):
    kernel_initializer: Initializer
    recurrent_initializer: Initializer
    bias_initializer: Initializer
    kernel_regularizer: Regularizer | None
    recurrent_regularizer: Regularizer | None
    bias_regularizer: Regularizer | None
    activity_regularizer: Regularizer | None
    kernel_constraint: Constraint | None
    recurrent_constraint: Constraint | None
    bias_constraint: Constraint | None
    input_dropout: float
    recurrent_dropout: float
    weight_drop: float
    zoneout: float | tuple[float, float]
    gradient_clip: float | None


class RNNCellArguments(CellArguments, total=False):
    single_bias: bool


class GRUCellArguments(RNNCellArguments, total=False):
    activation: Activation
    recurrent_activation: Activation
    reset_after: bool


class LSTMCellArguments(RNNCellArguments, total=False):
    activation: Activation
    recurrent_activation: Activation
    unit_forget_bias: bool
    peephole: bool
    coupled: bool
    layer_norm: bool
    cell_clip: float | None
    recompute: bool


class StackArguments(TypedDict, total=False):
    variational: bool
    residual: bool
    skip: bool
    merge_mode: str | None
    go_backwards: bool
    stateful: bool
    return_sequences: bool
    return_state: bool
    zero_output_for_mask: bool
    learn_initial_state: bool
    static_size: int


class RNNArguments(RNNCellArguments, StackArguments, total=False):
    pass


class GRUArguments(GRUCellArguments, StackArguments, total=False):
    pass


class LSTMArguments(LSTMCellArguments, StackArguments, total=False):
    return_cells: bool


class SLSTMArguments(CellArguments, StackArguments, total=False):
    heads: int
    forget_gate: str


class LSTM1997Arguments(CellArguments, StackArguments, total=False):
    output_gate: bool
    feedback: str
    truncate: bool


class ConvLSTMArguments(CellArguments, StackArguments, total=False):
    activation: Activation
    recurrent_activation: Activation
    unit_forget_bias: bool
