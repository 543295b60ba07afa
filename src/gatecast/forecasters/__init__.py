"""Forecasters (``fit(panel) → self``, ``predict(horizon) → Forecast``), their backtest and their files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatecast.base.lazy import lazy
from gatecast.forecasters.backtest import Backtest, backtest  # at once: the function hides the module of its name
from gatecast.forecasters.base import Forecaster

if TYPE_CHECKING:
    from gatecast.forecasters.baselines import Drift, Mean, Naive, SeasonalNaive
    from gatecast.forecasters.classifier import LSTMClassifier
    from gatecast.forecasters.ensemble import AutoSelect, Ensemble, best_of, default_baselines
    from gatecast.forecasters.linear import LinearAR
    from gatecast.forecasters.neural import LSTMForecaster
    from gatecast.forecasters.per_series import fit_each
    from gatecast.forecasters.saved import load
    from gatecast.forecasters.statistical import AutoARIMA, AutoETS, AutoTheta
    from gatecast.forecasters.zeroshot import ZeroShotLSTM

__all__ = [
    "AutoARIMA",
    "AutoETS",
    "AutoSelect",
    "AutoTheta",
    "Backtest",
    "Drift",
    "Ensemble",
    "Forecaster",
    "LSTMClassifier",
    "LSTMForecaster",
    "LinearAR",
    "Mean",
    "Naive",
    "SeasonalNaive",
    "ZeroShotLSTM",
    "backtest",
    "best_of",
    "default_baselines",
    "fit_each",
    "load",
]

_HOME = {
    **dict.fromkeys(("Drift", "Mean", "Naive", "SeasonalNaive"), "baselines"),
    **dict.fromkeys(("AutoSelect", "Ensemble", "best_of", "default_baselines"), "ensemble"),
    "fit_each": "per_series",
    "LinearAR": "linear",
    "LSTMClassifier": "classifier",
    "LSTMForecaster": "neural",
    "load": "saved",
    "ZeroShotLSTM": "zeroshot",
    **dict.fromkeys(("AutoARIMA", "AutoETS", "AutoTheta"), "statistical"),
}


__getattr__ = lazy(__name__, _HOME)
