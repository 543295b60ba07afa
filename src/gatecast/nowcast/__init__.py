"""Nowcasting of rain: from radar fields to the next two hours, by a ConvLSTM and by its rivals."""

from __future__ import annotations

from gatecast.nowcast.backtest import NowcastBacktest, backtest_nowcasts
from gatecast.nowcast.bundled import finland, pretrained
from gatecast.nowcast.config import RainConfig
from gatecast.nowcast.forecast import Nowcast
from gatecast.nowcast.forecaster import ConvLSTMForecaster
from gatecast.nowcast.rivals import RIVALS, Extrapolation, Persistence, Smoothed

__all__ = [
    "RIVALS",
    "ConvLSTMForecaster",
    "Extrapolation",
    "Nowcast",
    "NowcastBacktest",
    "Persistence",
    "RainConfig",
    "Smoothed",
    "backtest_nowcasts",
    "finland",
    "pretrained",
]
