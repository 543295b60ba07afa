"""Networks that take a batch of windows. Their settings load without PyTorch, the networks on first use."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gatecast.models.config import NetConfig, Shapes

if TYPE_CHECKING:
    from gatecast.models.lstm import DirectLSTM, SegmentLSTM, Seq2SeqLSTM
    from gatecast.models.model import ForecastModel
    from gatecast.models.recursive import RecursiveLSTM

__all__ = ["DirectLSTM", "ForecastModel", "NetConfig", "RecursiveLSTM", "SegmentLSTM", "Seq2SeqLSTM", "Shapes"]

_HOME = {"DirectLSTM": "lstm", "SegmentLSTM": "lstm", "Seq2SeqLSTM": "lstm"}
_HOME |= {"ForecastModel": "model", "RecursiveLSTM": "recursive"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'gatecast.models' has no attribute {name!r}")
    return getattr(importlib.import_module(f"gatecast.models.{_HOME[name]}"), name)
