"""What networks are made of: recurrent layers and cells, and the heads that turn their output into a forecast."""

from gatecast.nn import losses
from gatecast.nn.cells import GRUCell, LSTMCell, RNNCell
from gatecast.nn.convlstm import ConvLSTM1d, ConvLSTM2d, ConvLSTM3d
from gatecast.nn.heads import HEADS, Gaussian, Head, NegBinomial, Point, Poisson, Quantiles, Student, Tweedie
from gatecast.nn.init import INITIALIZERS, Chrono, Identity, Orthogonal, Spread
from gatecast.nn.losses import LOSSES, Loss
from gatecast.nn.lstm1997 import LSTM1997
from gatecast.nn.options import (
    ConvLSTMCellOptions,
    GRUCellOptions,
    LSTM1997CellOptions,
    LSTMCellOptions,
    LSTMStackOptions,
    RNNCellOptions,
    SLSTMCellOptions,
    StackOptions,
)
from gatecast.nn.recurrent import GRU, LSTM, RNN, make_lstm
from gatecast.nn.regularizers import CONSTRAINTS, L1, L1L2, L2, MaxNorm, NonNeg, UnitNorm
from gatecast.nn.slstm import sLSTM

__all__ = [
    "CONSTRAINTS",
    "Chrono",
    "ConvLSTM1d",
    "ConvLSTM2d",
    "ConvLSTM3d",
    "ConvLSTMCellOptions",
    "GRU",
    "GRUCell",
    "GRUCellOptions",
    "Gaussian",
    "HEADS",
    "Head",
    "INITIALIZERS",
    "Identity",
    "L1",
    "L1L2",
    "L2",
    "LOSSES",
    "LSTM",
    "LSTM1997",
    "LSTM1997CellOptions",
    "LSTMCell",
    "LSTMCellOptions",
    "LSTMStackOptions",
    "Loss",
    "MaxNorm",
    "NegBinomial",
    "NonNeg",
    "Orthogonal",
    "Point",
    "Poisson",
    "Quantiles",
    "RNN",
    "RNNCell",
    "RNNCellOptions",
    "SLSTMCellOptions",
    "Spread",
    "StackOptions",
    "Student",
    "Tweedie",
    "UnitNorm",
    "losses",
    "make_lstm",
    "sLSTM",
]
