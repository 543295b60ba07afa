"""The windows of Chandra, Jain & Chauhan (2022), rebuilt from their raw table and compared with those they published.

New cases are the differences of the cumulative ones; 15 April to 1 December 2020; mean of three days; six days in, four
out; scaled to 0..1 by the smallest and largest value of the whole series.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from tasks import data_folder

INPUTS, OUTPUTS = 6, 4
TRAIN_DAYS = 167  # smoothed days up to 30 September
FIRST, LAST = 35, 266  # of the daily counts, which begin on 11 March: 15 April to 1 December
START = np.datetime64("2020-03-11", "ns")
REGIONS = {"India": "Totals", "Maharashtra": "Maharashtra", "Delhi": "Delhi"}
BESIDE = {  # further inputs of the multivariate networks, as in the scripts of the authors
    "India": ("Delhi", "Maharashtra", "Rest of India"),
    "Maharashtra": ("Gujarat", "Madhya Pradesh", "Uttar Pradesh"),
    "Delhi": ("Rajasthan", "Uttar Pradesh", "Haryana"),
}
_NOT_REST = ("Andhra Pradesh", "Maharashtra", "Tamil Nadu", "Karnataka", "Totals")


@dataclass(frozen=True)
class Region:
    """One series of daily new cases.

    Args:
        name: as in the raw table.
        daily: ``(days,)`` new cases from 11 March to 1 December 2020, not smoothed.
    """

    name: str
    daily: np.ndarray

    @cached_property
    def smooth(self) -> np.ndarray:
        """``(229,)`` mean of three days, 17 April to 1 December."""
        return smoothed(self.daily[FIRST:LAST])

    @property
    def low(self) -> float:
        """Smallest smoothed value."""
        return float(self.smooth.min())

    @property
    def span(self) -> float:
        """Largest less smallest smoothed value: the unit of the scaled windows."""
        return float(np.ptp(self.smooth))

    @cached_property
    def windows(self) -> np.ndarray:
        """``(220, 10)`` windows in persons, one a day."""
        return np.lib.stride_tricks.sliding_window_view(self.smooth, INPUTS + OUTPUTS)

    @property
    def scaled(self) -> np.ndarray:
        """``(220, 10)`` windows as the networks see them."""
        return (self.windows - self.low) / self.span


def smoothed(daily: np.ndarray) -> np.ndarray:
    """Mean of each day and the two before it."""
    return np.lib.stride_tricks.sliding_window_view(daily, 3, axis=-1).mean(-1)


def regions() -> dict[str, Region]:
    """All states, ``"Totals"`` and ``"Rest of India"``."""
    raw = pd.read_csv(_folder() / "chandra_raw_cumulative_2020-03-10_2020-12.csv.gz", header=None, dtype=str)
    raw = raw.dropna(how="all")
    table = raw[raw.index >= raw.index[raw[0] == "DATES"][0] + 2]
    names = [str(name).strip() for name in table[0]]
    cumulative = table.iloc[:, 1::4].astype(float).to_numpy()
    cumulative[-1, -1] = cumulative[:-1, -1].sum()  # the last cell of the file is cut off
    daily = dict(zip(names, np.diff(cumulative)[:, :LAST], strict=True))
    daily["Rest of India"] = np.sum([counts for name, counts in daily.items() if name not in _NOT_REST], axis=0)
    return {name: Region(name, counts) for name, counts in daily.items()}


def split(name: str, every: dict[str, Region]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of training and test windows, ``name`` is ``"static"`` or ``"random"``."""
    if name == "static":
        return np.arange(TRAIN_DAYS - INPUTS - OUTPUTS + 1), np.arange(TRAIN_DAYS, len(every["Totals"].windows))
    parts = []
    for part in ("train", "test"):  # their order is the authors': windows are looked up
        published = _published("random", part, "Totals")
        distance = np.abs(published[:, None] - every["Totals"].scaled).max(-1)
        parts.append(distance.argmin(1))
    return parts[0], parts[1]


def difference(every: dict[str, Region]) -> float:
    """Largest difference to the published windows of the three regions, in both splits."""
    worst = 0.0
    for way in ("static", "random"):
        for part, rows in zip(("train", "test"), split(way, every), strict=True):
            for name in REGIONS.values():
                worst = max(worst, float(np.abs(every[name].scaled[rows] - _published(way, part, name)).max()))
    return worst


def summed_rmse(error: np.ndarray) -> float:
    """The authors' measure of ``(windows, 4)`` errors: √(sum of squares / windows), twice the ordinary RMSE."""
    return float(np.sqrt((error**2).sum() / len(error)))


def _published(way: str, part: str, name: str) -> np.ndarray:
    return pd.read_csv(_folder() / f"chandra_{way}_split" / f"{part}_{name}.csv", index_col=0).to_numpy()


def _folder() -> Path:
    return data_folder() / "covid19_india"
