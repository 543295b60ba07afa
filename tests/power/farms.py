"""Made-up farms: wind that a forecast knows with an error that grows, and power by a curve."""

from __future__ import annotations

import numpy as np
import pandas as pd

import gatecast
from gatecast.power import Plant, Vintages

CAPACITY = 20.0


def wind(hours: int) -> np.ndarray:
    """Wind speed, m/s."""
    steps = np.random.default_rng(0).normal(size=hours)
    smooth = np.convolve(steps, np.exp(-np.arange(48) / 12), mode="full")[:hours]
    return np.clip(8 + 1.3 * smooth, 0, None)


def weather_table(hours: int, every: int = 12, horizon: int = 48, error: float = 0.3) -> pd.DataFrame:
    """An issue every 12 hours."""
    speed, draw, parts = wind(hours + horizon + 1), np.random.default_rng(1), []
    for issue in range(0, hours, every):
        leads = np.arange(1, horizon + 1)
        said = speed[issue + leads] + error * np.sqrt(leads) * draw.normal(size=horizon) * 0.3
        issued = pd.Timestamp("2023-01-01") + pd.Timedelta(hours=issue)
        parts.append(pd.DataFrame({"issued": str(issued), "lead": leads, "ws": said.clip(0)}))
    return pd.concat(parts, ignore_index=True)


def power_table(hours: int) -> pd.DataFrame:
    """Hourly power in MW."""
    power = CAPACITY * np.clip((wind(hours) - 3) / 9, 0, 1) ** 2
    return pd.DataFrame({"time": pd.date_range("2023-01-01", periods=hours, freq="h"), "power": power})


def plant(hours: int = 900) -> Plant:
    weather = Vintages.read(weather_table(hours), issued="issued", lead="lead")
    return Plant.of(gatecast.read_panel(power_table(hours), target="power"), weather, CAPACITY)
