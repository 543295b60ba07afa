"""What networks are made of: recurrent layers and cells, and the heads that turn their output into a forecast."""

from gatecast.nn.cells import GRUCell, LSTMCell, RNNCell
from gatecast.nn.heads import HEADS, Gaussian, Head, NegBinomial, Point, Quantiles, Student
from gatecast.nn.init import INITIALIZERS, Chrono, Identity, Orthogonal
from gatecast.nn.options import (
    GRUCellOptions,
    LSTMCellOptions,
    LSTMStackOptions,
    RNNCellOptions,
    StackOptions,
)
from gatecast.nn.penalties import CONSTRAINTS, L1, L1L2, L2, MaxNorm, NonNeg, UnitNorm
from gatecast.nn.recurrent import GRU, LSTM, RNN, make_lstm

__all__ = [
    "LSTM",
    "GRU",
    "RNN",
    "LSTMCell",
    "GRUCell",
    "RNNCell",
    "LSTMCellOptions",
    "GRUCellOptions",
    "RNNCellOptions",
    "LSTMStackOptions",
    "StackOptions",
    "INITIALIZERS",
    "Chrono",
    "Identity",
    "Orthogonal",
    "L1",
    "L2",
    "L1L2",
    "CONSTRAINTS",
    "MaxNorm",
    "NonNeg",
    "UnitNorm",
    "HEADS",
    "Gaussian",
    "Head",
    "NegBinomial",
    "Point",
    "Quantiles",
    "Student",
    "make_lstm",
]
