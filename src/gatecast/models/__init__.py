"""Networks that take a batch of windows."""

from gatecast.models.config import NetConfig, Shapes
from gatecast.models.lstm import DirectLSTM, SegmentLSTM, Seq2SeqLSTM
from gatecast.models.model import ForecastModel
from gatecast.models.recursive import RecursiveLSTM

__all__ = ["DirectLSTM", "ForecastModel", "NetConfig", "RecursiveLSTM", "SegmentLSTM", "Seq2SeqLSTM", "Shapes"]
