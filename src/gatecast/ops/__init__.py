"""Tensor functions: the reference that defines each cell, the kernels, and the choice between them."""

from gatecast.ops.activations import ACTIVATIONS, activation_of
from gatecast.ops.lstm import lstm
from gatecast.ops.select import SlowPathWarning, explain
from gatecast.ops.spec import CellSpec, LSTMMasks, LSTMOutput, LSTMWeights

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
