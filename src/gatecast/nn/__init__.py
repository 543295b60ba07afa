"""What networks are made of: the LSTM in its one place, and the heads that turn its output into a forecast."""

from gatecast.nn.convlstm import ConvLSTM1d, ConvLSTM2d, ConvLSTM3d
from gatecast.nn.heads import HEADS, Gaussian, Head, NegBinomial, Point, Quantiles, Student
from gatecast.nn.lstm1997 import LSTM1997
from gatecast.nn.recurrent import make_lstm
from gatecast.nn.slstm import sLSTM

__all__ = [
    "HEADS",
    "ConvLSTM1d",
    "ConvLSTM2d",
    "ConvLSTM3d",
    "Gaussian",
    "Head",
    "LSTM1997",
    "NegBinomial",
    "Point",
    "Quantiles",
    "Student",
    "make_lstm",
    "sLSTM",
]
