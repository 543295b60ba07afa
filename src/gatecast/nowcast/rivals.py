"""Nowcasts without training: persistence, the last field moved, and both smoothed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gatecast.data.grid.grid import Grid
from gatecast.nowcast.advection import moved
from gatecast.nowcast.config import THRESHOLDS
from gatecast.nowcast.forecast import Nowcast
from gatecast.nowcast.motion import motion_of
from gatecast.nowcast.smoothing import smoothed


@dataclass(frozen=True)
class Persistence:
    """The last field stays as it is and where it is."""

    thresholds: tuple[float, ...] = THRESHOLDS
    name: str = "Persistence"

    def predict(self, grid: Grid, steps: int) -> Nowcast:
        """Forecast ``steps`` fields."""
        last = torch.from_numpy(grid.values[-1].copy())[None].expand(steps, -1, -1)
        seen = torch.from_numpy(~grid.missing[-1]).float()[None].expand(steps, -1, -1)
        return nowcast_of(self.name, grid, self.thresholds, _above(last, self.thresholds), seen)


@dataclass(frozen=True)
class Extrapolation:
    """The last field moved along its motion, semi-Lagrangian (Germann & Zawadzki 2002).

    The motion is the optical flow of Lucas and Kanade (1981) over the last three fields, as pysteps computes it.
    """

    thresholds: tuple[float, ...] = THRESHOLDS
    name: str = "Extrapolation"

    def predict(self, grid: Grid, steps: int) -> Nowcast:
        """Forecast ``steps`` fields."""
        velocity = torch.from_numpy(motion_of(grid))
        rain = moved(torch.from_numpy(grid.values[-1].copy()), velocity, steps)[0]
        seen = moved(torch.from_numpy(~grid.missing[-1]).float(), velocity, steps)[0]
        return nowcast_of(self.name, grid, self.thresholds, _above(rain, self.thresholds), seen)


@dataclass(frozen=True)
class Smoothed:
    """Areas of the moved and the last field above each threshold, mixed and smoothed: three numbers, no network.

    Args:
        weight: of the moved field.
        km_at_hour: standard deviation of the Gaussian after one hour; it grows with the square root of time.
    """

    weight: float = 0.8
    km_at_hour: float = 8.0
    thresholds: tuple[float, ...] = THRESHOLDS
    name: str = "Smoothed"

    def predict(self, grid: Grid, steps: int) -> Nowcast:
        """Forecast ``steps`` fields."""
        velocity = torch.from_numpy(motion_of(grid))
        last, known = torch.from_numpy(grid.values[-1].copy()), torch.from_numpy(~grid.missing[-1]).float()
        rain, seen = moved(last, velocity, steps)[0], moved(known, velocity, steps)[0]
        still = _above(last[None], self.thresholds)[0]
        found = []
        for k, area in enumerate(_above(rain, self.thresholds)):
            deviation = self.km_at_hour * ((k + 1) * grid.step / 60) ** 0.5 / grid.pixel_km
            both = self.weight * area + (1 - self.weight) * still
            found.append(smoothed(both, torch.ones_like(last), deviation))
        return nowcast_of(self.name, grid, self.thresholds, torch.stack(found), seen)


RIVALS = (Persistence, Extrapolation, Smoothed)


def nowcast_of(
    name: str, grid: Grid, thresholds: Sequence[float], chances: Float[Tensor, "steps thresholds y x"], inside: Tensor
) -> Nowcast:
    """A nowcast of tensors; probabilities never rise with the threshold."""
    falling = np.minimum.accumulate(chances.clamp(0, 1).numpy(), axis=1)
    return Nowcast(
        name,
        grid,
        grid.times_ahead(len(chances)),
        tuple(thresholds),
        np.ascontiguousarray(falling, dtype=np.float32),
        np.ascontiguousarray(inside.clamp(0, 1).numpy(), dtype=np.float32),
    )


def _above(rain: Float[Tensor, "steps y x"], thresholds: Sequence[float]) -> Float[Tensor, "steps thresholds y x"]:
    return torch.stack([(rain >= threshold).float() for threshold in thresholds], 1)
