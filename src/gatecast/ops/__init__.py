"""Tensor functions: the reference that defines each cell, the kernels, and the choice between them."""

from gatecast.ops.activations import ACTIVATIONS, activation_of
from gatecast.ops.dispatch import lstm
from gatecast.ops.lstm_cell.spec import CellSpec, LSTMOutput, LSTMWeights
from gatecast.ops.masks import LSTMMasks
from gatecast.ops.select import SlowPathWarning, explain

__all__ = [
    "ACTIVATIONS",
    "CellSpec",
    "LSTMMasks",
    "LSTMOutput",
    "LSTMWeights",
    "SlowPathWarning",
    "activation_of",
    "explain",
    "lstm",
]
