"""gatecast: LSTM forecasting, from the cell to the forecast.

The names below load on first use, so that ``import gatecast`` costs PyTorch at most and nothing heavier: PyTorch itself
waits for the first name that needs it, which lets the command line answer ``--help`` at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gatecast.base.version import VERSION as __version__

_HOME = {
    "read_panel": "gatecast.data",
    "describe": "gatecast.data",
    "add_future": "gatecast.data",
    "Panel": "gatecast.data",
    "Schema": "gatecast.data",
    "Frequency": "gatecast.data",
    "datasets": "gatecast.data",
    "Forecast": "gatecast.evaluation",
    "Forecaster": "gatecast.forecasters",
    "LSTMForecaster": "gatecast.forecasters",
    "LSTMClassifier": "gatecast.forecasters",
    "SEIRForecaster": "gatecast.epidemic",
    "SEIRHybrid": "gatecast.epidemic",
    "Naive": "gatecast.forecasters",
    "SeasonalNaive": "gatecast.forecasters",
    "Drift": "gatecast.forecasters",
    "Mean": "gatecast.forecasters",
    "LinearAR": "gatecast.forecasters",
    "AutoETS": "gatecast.forecasters",
    "AutoARIMA": "gatecast.forecasters",
    "AutoTheta": "gatecast.forecasters",
    "Ensemble": "gatecast.forecasters",
    "backtest": "gatecast.forecasters",
    "fit_each": "gatecast.forecasters",
    "load": "gatecast.forecasters",
    "tune": "gatecast.tuning",
    "NetConfig": "gatecast.models",
    "FitConfig": "gatecast.training",
    "explain_training": "gatecast.training",
    "write_report": "gatecast.report",
    "GatecastError": "gatecast.base.errors",
    "DataError": "gatecast.base.errors",
}

__all__ = ["__version__", *_HOME]

if TYPE_CHECKING:
    from gatecast.base.errors import DataError, GatecastError
    from gatecast.data import Frequency, Panel, Schema, add_future, datasets, describe, read_panel
    from gatecast.epidemic import SEIRForecaster, SEIRHybrid
    from gatecast.evaluation import Forecast
    from gatecast.forecasters import (
        AutoARIMA,
        AutoETS,
        AutoTheta,
        Drift,
        Ensemble,
        Forecaster,
        LinearAR,
        LSTMClassifier,
        LSTMForecaster,
        Mean,
        Naive,
        SeasonalNaive,
        fit_each,
        load,
    )
    from gatecast.forecasters.backtest import backtest
    from gatecast.models import NetConfig
    from gatecast.report import write_report
    from gatecast.training import FitConfig, explain_training
    from gatecast.tuning import tune


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'gatecast' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
