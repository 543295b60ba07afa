"""Parameter names, kinds and defaults of what users call."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import gatecast
from gatecast import nn

TOP = [
    "NetConfig",
    "FitConfig",
    "read_panel",
    "LSTMForecaster",
    "LSTMClassifier",
    "SEIRForecaster",
    "SEIRHybrid",
    "Naive",
    "SeasonalNaive",
    "Drift",
    "Mean",
    "LinearAR",
    "AutoETS",
    "AutoARIMA",
    "AutoTheta",
    "Ensemble",
    "backtest",
    "fit_each",
    "load",
    "tune",
    "explain_training",
    "write_report",
]


def build() -> dict[str, Any]:
    """Signatures by name; of a table of names its keys."""
    own = {name: getattr(gatecast, name) for name in TOP}
    layers = {f"nn.{name}": getattr(nn, name) for name in nn.__all__ if name != "losses"}
    forward = {
        f"nn.{name}.forward": getattr(nn, name).forward for name in ("LSTM", "GRU", "RNN", "sLSTM", "ConvLSTM2d")
    }
    doors = {f"LSTMForecaster.{name}": getattr(gatecast.LSTMForecaster, name) for name in ("fit", "predict", "save")}
    return {"gatecast": sorted(gatecast.__all__), "nn": sorted(nn.__all__)} | {
        name: _described(value) for name, value in (own | layers | forward | doors).items()
    }


def _described(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return sorted(map(str, value))
    parameters = inspect.signature(value).parameters.values()
    return [f"{one.name} {one.kind.description}{_default(one)}" for one in parameters]


def _default(parameter: inspect.Parameter) -> str:
    return "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
