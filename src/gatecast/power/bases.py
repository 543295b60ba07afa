"""Forecasts that need no network: persistence, climatology, and a power curve of the forecast wind speed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float32

_KNOTS = 24
_SHRINK = 24.0  # hours with which the mean of all counts in the climatology of a month and hour


@dataclass(frozen=True, eq=False)
class Curve:
    """Power by wind speed, rising: means of classes of equally many hours, made monotone (isotonic), linear between.

    Args:
        speed, power: knots for each site.
    """

    speed: Float32[np.ndarray, "sites knots"]
    power: Float32[np.ndarray, "sites knots"]

    @classmethod
    def fit(cls, speed: Float32[np.ndarray, "hours sites"], power: Float32[np.ndarray, "hours sites"]) -> Self:
        """From forecast wind speeds and the power of their hours; NaN are left out."""
        found = [_knots(speed[:, site], power[:, site]) for site in range(power.shape[1])]
        return cls(*(np.stack(part).astype(np.float32) for part in zip(*found, strict=True)))

    def __call__(self, speed: Float32[np.ndarray, "*shape sites"]) -> Float32[np.ndarray, "*shape sites"]:
        parts = [np.interp(speed[..., k], self.speed[k], self.power[k]) for k in range(len(self.speed))]
        return np.stack(parts, -1).astype(np.float32)


def _knots(speed: np.ndarray, power: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    both = np.isfinite(speed) & np.isfinite(power)
    order = np.argsort(speed[both], kind="stable")
    classes = np.array_split(order, _KNOTS)
    x = np.array([speed[both][one].mean() for one in classes if len(one)])
    y = np.array([power[both][one].mean() for one in classes if len(one)])
    return np.resize(x, _KNOTS), np.resize(_isotonic(y), _KNOTS)


def _isotonic(y: np.ndarray) -> np.ndarray:
    """The nearest rising sequence, by pooling adjacent violators (Ayer et al. 1955)."""
    blocks: list[list[float]] = []  # mean, count
    for value in y:
        blocks.append([float(value), 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, count = blocks.pop()
            before = blocks[-1]
            before[0] = (before[0] * before[1] + mean * count) / (before[1] + count)
            before[1] += count
    return np.concatenate([np.full(int(count), mean) for mean, count in blocks])


def climatology(times: np.ndarray, power: Float32[np.ndarray, "hours sites"]) -> Float32[np.ndarray, "12 24 sites"]:
    """Mean power by month and hour, drawn towards the mean of all where there are few hours."""
    month, hour = month_and_hour(times)
    overall = np.nanmean(power, axis=0)
    table = np.zeros((12, 24, power.shape[1]), np.float32)
    for m in range(12):
        for h in range(24):
            own = power[(month == m) & (hour == h)]
            count = np.isfinite(own).sum(0)
            table[m, h] = (np.nansum(own, axis=0) + _SHRINK * overall) / (count + _SHRINK)
    return table


def month_and_hour(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Month and hour of each time, from 0."""
    hours = times.astype("datetime64[h]").astype(int)
    return times.astype("datetime64[M]").astype(int) % 12, hours % 24


def persistence(power: Float32[np.ndarray, "hours sites"], rows: np.ndarray) -> Float32[np.ndarray, "origins sites"]:
    """The last known power at rows of the table; NaN where none is known in the day before."""
    found = power[rows].copy()
    for back in range(1, 24):
        found = np.where(np.isnan(found), power[np.maximum(rows - back, 0)], found)
    return found
