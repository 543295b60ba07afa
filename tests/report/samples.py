"""Small panels, a forecast and a backtest of each, and a reader of the written page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from gatecast.data.panel import Panel
from gatecast.evaluation.forecast import Forecast
from gatecast.forecasters.backtest import Backtest, backtest
from gatecast.forecasters.baselines import Drift, Naive, SeasonalNaive

HISTORY = [{"step": 10 * k, "train_loss": 2.0 / k, "val_loss": 1.0 + (k - 4) ** 2 / 10} for k in range(1, 10)]


def wave(rows: int, shift: int = 0) -> np.ndarray:
    """A weekly wave on a trend with a little fixed noise."""
    t = np.arange(rows)
    noise = np.random.default_rng(shift).normal(0, 3, rows)
    return 100 + 0.1 * t + 20 * np.sin(2 * np.pi * (t + shift) / 7) + noise


def daily(count: int = 1, rows: int = 120, **fields: Any) -> Panel:
    """``count`` daily series from 2024-01-01."""
    starts = np.array([np.datetime64("2024-01-01", "ns")] * count)
    ids = fields.pop("ids", [f"s{i}" for i in range(count)] if count > 1 else ["cases"])
    return Panel.from_arrays([wave(rows, i) for i in range(count)], ids=ids, starts=starts, freq="D", **fields)


def forecast_of(panel: Panel, horizon: int = 7, levels: tuple[float, ...] = (80, 95)) -> Forecast:
    """Drift forecast."""
    return Drift().fit(panel).predict(horizon, levels=levels)


def backtest_of(panel: Panel, horizon: int = 7) -> Backtest:
    """Three naive models from three origins."""
    return backtest([Drift(), SeasonalNaive(), Naive()], panel, horizon, windows=3, progress=False)


def page_data(path: Path) -> Any:
    """What the charts of a written page draw."""
    found = re.search(r'<script type="application/json" id="report-data">(.*?)</script>', path.read_text("utf-8"), re.S)
    assert found is not None
    return json.loads(found[1])


def page_text(path: Path) -> str:
    """The page without plotly.js."""
    return re.sub(r"<script>.*?</script>", "", path.read_text("utf-8"), flags=re.S)
