"""Keyword arguments of the layers, for type checkers and editors (PEP 692).

Defaults, bounds and help texts are in :mod:`gatecast.nn.options`; a test compares names and types.
"""

from __future__ import annotations

from typing import TypedDict

import torch

from gatecast.nn.init import Initializer
from gatecast.nn.regularizers import Constraint, Regularizer
from gatecast.ops.activations import Activation


class WeightArguments(TypedDict, total=False):
    device: torch.device | str | int | None
    dtype: torch.dtype | None


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


class StackArguments(WeightArguments, total=False):
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


class LayerArguments(StackArguments, total=False):
    batch_first: bool
    dropout: float
    bidirectional: bool


class RNNArguments(RNNCellArguments, StackArguments, total=False):
    pass


class GRUArguments(GRUCellArguments, StackArguments, total=False):
    pass


class LSTMArguments(LSTMCellArguments, StackArguments, total=False):
    return_cells: bool


class SLSTMArguments(CellArguments, StackArguments, total=False):
    heads: int
    forget_gate: str


class LSTM1997Arguments(CellArguments, LayerArguments, total=False):
    output_gate: bool
    feedback: str
    truncate: bool


class ConvLSTMArguments(CellArguments, LayerArguments, total=False):
    activation: Activation
    recurrent_activation: Activation
    unit_forget_bias: bool
