"""gatecast: LSTM forecasting, from the cell to the forecast.

The names below load on first use, so that ``import gatecast`` costs PyTorch at most and nothing heavier: PyTorch itself
waits for the first name that needs it, which lets the command line answer ``--help`` at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatecast.base.lazy import lazy
from gatecast.base.version import VERSION as __version__

_HOME = {
    "read_panel": "data",
    "read_grid": "data",
    "describe": "data",
    "read": "data.read",
    "add_future": "data",
    "Panel": "data",
    "Grid": "data",
    "Schema": "data",
    "Frequency": "data",
    "datasets": "data",
    "Forecast": "evaluation",
    "Forecaster": "forecasters",
    "LSTMForecaster": "forecasters",
    "LSTMClassifier": "forecasters",
    "ZeroShotLSTM": "forecasters",
    "SEIRForecaster": "epidemic",
    "SEIRHybrid": "epidemic",
    "Naive": "forecasters",
    "SeasonalNaive": "forecasters",
    "Drift": "forecasters",
    "Mean": "forecasters",
    "LinearAR": "forecasters",
    "AutoETS": "forecasters",
    "AutoARIMA": "forecasters",
    "AutoTheta": "forecasters",
    "Ensemble": "forecasters",
    "backtest": "forecasters",
    "fit_each": "forecasters",
    "load": "forecasters",
    "tune": "tuning",
    "NetConfig": "models",
    "FitConfig": "training",
    "explain_training": "training",
    "write_report": "report",
    "GatecastError": "base.errors",
    "DataError": "base.errors",
}

_PACKAGES = ("convert", "epidemic", "nn", "ops")  # import gatecast; gatecast.nn.LSTM(…)

__all__ = ["__version__", *_HOME]

if TYPE_CHECKING:
    from gatecast import convert as convert
    from gatecast import epidemic as epidemic
    from gatecast import nn as nn
    from gatecast import ops as ops
    from gatecast.base.errors import DataError, GatecastError
    from gatecast.data import Frequency, Grid, Panel, Schema, add_future, datasets, describe, read_grid, read_panel
    from gatecast.data.read import read
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
        ZeroShotLSTM,
        fit_each,
        load,
    )
    from gatecast.forecasters.backtest import backtest
    from gatecast.models import NetConfig
    from gatecast.report import write_report
    from gatecast.training import FitConfig, explain_training
    from gatecast.tuning import tune


__getattr__ = lazy(__name__, {**_HOME, **dict.fromkeys(_PACKAGES, "")})


def __dir__() -> list[str]:
    return sorted(__all__)
