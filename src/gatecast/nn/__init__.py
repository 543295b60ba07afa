"""What networks are made of: the LSTM in its one place, and the heads that turn its output into a forecast."""

from gatecast.nn.convlstm import ConvLSTM1d, ConvLSTM2d, ConvLSTM3d
from gatecast.nn.heads import HEADS, Gaussian, Head, NegBinomial, Point, Quantiles, Student
from gatecast.nn.recurrent import make_lstm

__all__ = [
    "HEADS",
    "ConvLSTM1d",
    "ConvLSTM2d",
    "ConvLSTM3d",
    "Gaussian",
    "Head",
    "NegBinomial",
    "Point",
    "Quantiles",
    "Student",
    "make_lstm",
]
