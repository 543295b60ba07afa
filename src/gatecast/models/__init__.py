"""Networks that take a batch of windows. Their settings load without PyTorch, the networks on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatecast.base.lazy import lazy
from gatecast.models.config import NetConfig, Shapes

if TYPE_CHECKING:
    from gatecast.models.lstm import DirectLSTM, SegmentLSTM, Seq2SeqLSTM
    from gatecast.models.model import ForecastModel
    from gatecast.models.recursive import RecursiveLSTM

__all__ = ["DirectLSTM", "ForecastModel", "NetConfig", "RecursiveLSTM", "SegmentLSTM", "Seq2SeqLSTM", "Shapes"]

_HOME = {"DirectLSTM": "lstm", "SegmentLSTM": "lstm", "Seq2SeqLSTM": "lstm"}
_HOME |= {"ForecastModel": "model", "RecursiveLSTM": "recursive"}


__getattr__ = lazy(__name__, _HOME)
