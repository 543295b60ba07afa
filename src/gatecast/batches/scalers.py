"""Scalers: each window is scaled by statistics of its context, and the forecast is scaled back.

``z = (g(y) - location) / scale`` with ``location`` and ``scale`` from the context alone, so that no statistic sees
a row after the origin, and a series of millions and one of units train the same network (instance normalisation;
Salinas et al. 2020, DeepAR, eq. 4 for the mean; Kim et al. 2022, RevIN).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Values = Float[Tensor, "batch time targets"]
Mask = Bool[Tensor, "batch time targets"]
Statistic = Float[Tensor, "batch 1 targets"]


@dataclass(frozen=True)
class Scaler:
    """Base: keeps the values as they are (location 0, scale 1).

    Args:
        recent: rows at the end of the context that the statistics are taken from; None for all of them.
    """

    recent: int | None = None
    relative: ClassVar[bool] = False  # the scaled values are the same whatever the unit of the series

    def forward(self, values: Values) -> Values:
        """``g``: the transformation applied before the statistics."""
        return values

    def inverse(self, values: Tensor) -> Tensor:
        """``g`` undone."""
        return values

    def statistics(self, values: Values, observed: Mask) -> tuple[Statistic, Statistic]:
        """Location and scale of transformed values."""
        zero = torch.zeros_like(values[:, :1])
        return zero, torch.ones_like(zero)

    def __call__(self, past: Values, observed: Mask) -> tuple[Values, Statistic, Statistic]:
        """The scaled context (missing values at 0) with its location and scale."""
        values = self.forward(past)
        start = 0 if self.recent is None else max(0, values.shape[1] - self.recent)
        recent, seen = values[:, start:], observed[:, start:]
        if start and not bool(seen.any(1).all()):  # nothing recent was observed in some window: use the whole context
            recent, seen = values, observed
        location, scale = self.statistics(recent, seen)
        scale = _positive(scale, location)
        return torch.where(observed, (values - location) / scale, 0.0), location, scale

    @property
    def name(self) -> str:
        """Short name, as given to ``scaler=``."""
        return next(name for name, kind in SCALERS.items() if kind is type(self))


@dataclass(frozen=True)
class Standard(Scaler):
    """Mean and standard deviation of the context."""

    relative = True

    def statistics(self, values: Values, observed: Mask) -> tuple[Statistic, Statistic]:
        mean = _mean(values, observed)
        return mean, _mean((values - mean) ** 2, observed).sqrt()


@dataclass(frozen=True)
class Last(Scaler):
    """Last observed value and the standard deviation of the context: for series that wander."""

    relative = True

    def statistics(self, values: Values, observed: Mask) -> tuple[Statistic, Statistic]:
        mean = _mean(values, observed)
        return last_observed(values, observed), _mean((values - mean) ** 2, observed).sqrt()


@dataclass(frozen=True)
class Shift(Scaler):
    """Last observed value and scale 1: for series already on one scale (NLinear: Zeng et al. 2023)."""

    def statistics(self, values: Values, observed: Mask) -> tuple[Statistic, Statistic]:
        last = last_observed(values, observed)
        return last, torch.ones_like(last)


@dataclass(frozen=True)
class Robust(Scaler):
    """Median and interquartile range / 1.349 (the standard deviation of a normal): robust to spikes."""

    relative = True

    def statistics(self, values: Values, observed: Mask) -> tuple[Statistic, Statistic]:
        masked = values.masked_fill(~observed, torch.nan)
        quartiles = torch.tensor([0.25, 0.5, 0.75], dtype=values.dtype, device=values.device)
        low, middle, high = torch.nanquantile(masked, quartiles, dim=1, keepdim=True).nan_to_num(0.0)
        spread = (high - low) / 1.349
        fallback = _mean((values - middle) ** 2, observed).sqrt()  # more than half of the values are equal
        return middle, torch.where(spread > 0, spread, fallback)


@dataclass(frozen=True)
class MeanAbs(Scaler):
    """Location 0 and the mean absolute value: keeps zero at zero, for counts and intermittent series."""

    relative = True

    def statistics(self, values: Values, observed: Mask) -> tuple[Statistic, Statistic]:
        return torch.zeros_like(values[:, :1]), _mean(values.abs(), observed)


@dataclass(frozen=True)
class Log1p(Standard):
    """``g(y) = log(1 + y)``, then mean and standard deviation: for counts that grow by factors; needs ``y > -1``."""

    relative = False

    def forward(self, values: Values) -> Values:
        return values.clamp(min=0).log1p()

    def inverse(self, values: Tensor) -> Tensor:
        return values.clamp(max=80.0).expm1().clamp(min=0)


SCALERS: dict[str, type[Scaler]] = {
    "none": Scaler,
    "standard": Standard,
    "last": Last,
    "shift": Shift,
    "robust": Robust,
    "mean_abs": MeanAbs,
    "log1p": Log1p,
}


def last_observed(values: Values, observed: Mask) -> Statistic:
    """The last observed value of each window; 0 where nothing was observed."""
    if bool(observed[:, -1].all()):
        return values[:, -1:]
    steps = torch.arange(1, values.shape[1] + 1, device=values.device)[:, None]
    position = (observed * steps).amax(1, keepdim=True)
    return torch.where(position > 0, values.gather(1, (position - 1).clamp(min=0)), 0.0)


def _mean(values: Values, observed: Mask) -> Statistic:
    count = observed.sum(1, keepdim=True).clamp(min=1)
    return (values * observed).sum(1, keepdim=True) / count


def _positive(scale: Statistic, location: Statistic) -> Statistic:
    """The scale, replaced in constant windows by the size of their value, or 1, so that nothing divides by zero.

    A window is constant if it varies no more than rounding does: a season on a level of a million still counts.
    """
    floor = 8 * torch.finfo(scale.dtype).eps * location.abs()
    return torch.where(scale > floor, scale, torch.where(location.abs() > 0, location.abs(), 1.0))
