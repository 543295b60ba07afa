"""What the network reads at an origin: weather as known then, forecasts without a network, the past of the power."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor

from gatecast.batches.windows import Gathered, WindowOrigins
from gatecast.power.bases import Curve, climatology, month_and_hour, persistence
from gatecast.power.plant import Plant
from gatecast.power.vintages import HOUR

PAST = 168  # hours
_DAY, _YEAR = 2 * np.pi / 24, 2 * np.pi / 12


@dataclass(frozen=True)
class PowerBatch(Gathered):
    """Windows of one site at one origin each.

    Args:
        inputs: for each hour ahead: weather of the site and of all others, bases, calendar.
        base: power curve of the forecast wind.
        past: power of the week before, 0 where unknown.
        seen: which of it is known.
        target: power, 0 where unknown.
        mask: which of it counts.
    """

    inputs: Float[Tensor, "batch channels hours"]
    base: Float[Tensor, "batch hours"]
    past: Float[Tensor, "batch past"]
    seen: Float[Tensor, "batch past"]
    target: Float[Tensor, "batch hours"]
    mask: Bool[Tensor, "batch hours"]


@dataclass(frozen=True, eq=False)
class Learned:
    """What is fitted before the network: the curve, the climatology, and the scale of the weather.

    Args:
        curve, climate: see :mod:`gatecast.power.bases`.
        mean, spread: of the weather, by site and variable.
        speed: position of the wind speed among the variables; −1: from u and v, the first two.
    """

    curve: Curve
    climate: Float32[np.ndarray, "12 24 sites"]
    mean: Float32[np.ndarray, "sites variables"]
    spread: Float32[np.ndarray, "sites variables"]
    speed: int

    @classmethod
    def of(cls, plant: Plant, rows: np.ndarray, horizon: int) -> Self:
        """From the hours up to a day after origins at rows of the plant."""
        weather, _ = plant.known(plant.times[rows], min(horizon, 24))
        hours = np.minimum(rows[:, None] + 1 + np.arange(weather.shape[1]), len(plant.times) - 1)
        flat = weather.reshape(-1, *weather.shape[2:])
        power = plant.power[hours].reshape(-1, len(plant.ids))
        names = [name.lower() for name in plant.weather[0].names]
        speed = next((k for k, name in enumerate(names) if name in ("ws", "wind_speed", "speed", "wind", "wspd")), -1)
        curve = Curve.fit(speed_of(flat, speed), power)
        mean, spread = np.nanmean(flat, 0), np.nanstd(flat, 0) + 1e-6
        return cls(curve, climatology(plant.times, plant.power), mean, spread, speed)


def speed_of(weather: np.ndarray, position: int) -> np.ndarray:
    """Wind speed of ``(…, variables)``."""
    return weather[..., position] if position >= 0 else np.hypot(weather[..., 0], weather[..., 1])


class PowerWindows:
    """Windows of all sites at origins.

    Args:
        plant: the sites.
        rows: rows of the plant's times that are origins: the last known hours.
        horizon: hours ahead.
        learned: from the training hours.
    """

    def __init__(self, plant: Plant, rows: np.ndarray, horizon: int, learned: Learned) -> None:
        self.plant, self.rows, self.horizon, self.learned = plant, rows, horizon, learned
        weather, age = plant.known(plant.times[rows], horizon)
        self.bases = self._bases(weather)
        self.inputs = self._inputs(weather, age)
        self.target = self._target()

    @property
    def ids(self) -> Sequence[Any]:
        """Names of the sites."""
        return self.plant.ids

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Tensors that identify the data."""
        return (torch.from_numpy(self.inputs), torch.from_numpy(np.nan_to_num(self.target)))

    @property
    def task(self) -> dict[str, int]:
        """Sizes of the task."""
        return {"horizon": self.horizon, "sites": len(self.plant.ids)}

    @property
    def channels(self) -> int:
        """Of the inputs, with one for each site."""
        return self.inputs.shape[1] + self._own.shape[2] + len(self.plant.ids)

    def origins(self, chosen: np.ndarray | None = None) -> WindowOrigins:
        """Windows of all sites; ``origin`` is a position among the rows."""
        sites = torch.arange(len(self.plant.ids))
        return WindowOrigins(sites, torch.zeros_like(sites), torch.full_like(sites, len(self.rows)))

    def gather(self, series: Int[Tensor, " batch"], origin: Int[Tensor, " batch"]) -> PowerBatch:
        """A batch of windows."""
        site, place = series.numpy(), origin.numpy()
        one_hot = np.eye(len(self.plant.ids), dtype=np.float32)[site][..., None].repeat(self.horizon, 2)
        inputs = np.concatenate([self.inputs[place], self._own[place, site], one_hot], 1)
        past = self._past(place, site)
        target = self.target[place, :, site]
        return PowerBatch(
            series,
            inputs=_tensor(inputs),
            base=_tensor(self.bases["curve"][place, :, site]),
            past=_tensor(np.nan_to_num(past)),
            seen=_tensor(np.isfinite(past)),
            target=_tensor(np.nan_to_num(target)),
            mask=torch.from_numpy(np.isfinite(target)),
        )

    def _past(self, place: np.ndarray, site: np.ndarray) -> np.ndarray:
        hours = self.rows[place][:, None] - PAST + 1 + np.arange(PAST)
        values = self.plant.power[np.maximum(hours, 0), site[:, None]]
        return np.where(hours >= 0, values, np.nan)

    def _target(self) -> np.ndarray:
        hours = self.rows[:, None] + 1 + np.arange(self.horizon)
        values = self.plant.power[np.minimum(hours, len(self.plant.times) - 1)]
        return np.where((hours < len(self.plant.times))[..., None], values, np.nan).astype(np.float32)

    def _bases(self, weather: np.ndarray) -> dict[str, np.ndarray]:
        """Persistence, climatology and curve, each ``(origins, hours, sites)``."""
        ahead = self.plant.times[self.rows][:, None] + (1 + np.arange(self.horizon)) * HOUR
        climate = self.learned.climate[month_and_hour(ahead)]
        last = persistence(self.plant.power, self.rows)[:, None]
        curve = self.learned.curve(speed_of(weather, self.learned.speed))
        filled = np.where(np.isnan(curve), climate, curve)
        stays = np.where(np.isnan(last), climate, np.broadcast_to(last, climate.shape))
        return {"persistence": stays.astype(np.float32), "climatology": climate, "curve": filled.astype(np.float32)}

    def _inputs(self, weather: np.ndarray, age: np.ndarray) -> np.ndarray:
        """Channels that all sites share; those of each site are kept in ``_own``."""
        scaled = np.nan_to_num((weather - self.learned.mean) / self.learned.spread)
        origins, hours = scaled.shape[:2]
        ahead = self.plant.times[self.rows][:, None] + (1 + np.arange(hours)) * HOUR
        month, hour = month_and_hour(ahead)
        lead = np.broadcast_to((1 + np.arange(hours)) / 24, (origins, hours))
        calendar = [np.sin(_DAY * hour), np.cos(_DAY * hour), np.sin(_YEAR * month), np.cos(_YEAR * month)]
        common = [*calendar, lead, np.exp(-lead * 6), np.broadcast_to(np.nan_to_num(age)[:, None] / 24, lead.shape)]
        missing = np.isnan(weather).any((2, 3))
        own = [scaled, *(self.bases[name][..., None] for name in ("curve", "climatology", "persistence"))]
        error = (self.bases["persistence"][:, :1] - self.bases["curve"][:, :1]) * np.exp(-lead * 4)[..., None]
        self._own = np.concatenate([*own, error[..., None]], -1).transpose(0, 2, 3, 1).astype(np.float32)
        everywhere = np.concatenate([scaled.reshape(origins, hours, -1), self.bases["curve"]], -1)
        shared = np.concatenate([everywhere, np.stack([*common, missing], -1)], -1)
        return np.ascontiguousarray(shared.transpose(0, 2, 1), dtype=np.float32)


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
