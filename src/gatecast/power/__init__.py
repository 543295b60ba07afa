"""Power of wind farms: weather forecasts as they were known, an ensemble of networks on causal wavelets."""

from __future__ import annotations

from gatecast.power.bases import Curve
from gatecast.power.config import PowerConfig
from gatecast.power.evaluate import score_latest
from gatecast.power.forecaster import PowerForecast, PowerForecaster
from gatecast.power.plant import Plant
from gatecast.power.vintages import Vintages
from gatecast.power.wavelets import causal_bands

__all__ = [
    "Curve",
    "Plant",
    "PowerConfig",
    "PowerForecast",
    "PowerForecaster",
    "Vintages",
    "causal_bands",
    "score_latest",
]
