"""What networks are made of: the LSTM in its one place, and the heads that turn its output into a forecast."""

from gatecast.nn.heads import HEADS, Gaussian, Head, NegBinomial, Point, Quantiles, Student
from gatecast.nn.recurrent import make_lstm

__all__ = ["HEADS", "Gaussian", "Head", "NegBinomial", "Point", "Quantiles", "Student", "make_lstm"]
