"""The four simple methods that every model must beat: naive, seasonal naive, drift and mean.

Forecasts and interval widths follow Hyndman & Athanasopoulos, *Forecasting: Principles and Practice* (3rd ed.),
§5.2 and §5.5 (https://otexts.com/fpp3/prediction-intervals.html): with σ̂ the standard deviation of the one-step
residuals, the h-step forecast has the standard deviation

    mean            σ̂ √(1 + 1/T)
    naive           σ̂ √h
    seasonal naive  σ̂ √(k + 1),  k = ⌊(h - 1)/m⌋
    drift           σ̂ √(h (1 + h/(T - 1)))

Missing values are skipped: a forecast starts from the last observed value (of its season), and h counts from there.
Nothing is trained, so the history of the panel given to ``predict`` is all that is used.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

import numpy as np

from gatecast.data.blocks import blocks
from gatecast.data.panel import Panel, require_panel
from gatecast.evaluation.forecast import Forecast, level_quantiles
from gatecast.forecasters.base import Forecaster
from gatecast.forecasters.seasons import season_of


@dataclass(frozen=True)
class NormalForecast:
    """Means and standard deviations of a block of series: each array is ``(series, horizon, targets)``.

    Args:
        mean: point forecast; NaN where a series has no observation.
        sd: standard deviation of the forecast error; NaN where it cannot be estimated.
        replaced: ``(series,)`` True where a simpler rule was used instead.
    """

    mean: np.ndarray
    sd: np.ndarray
    replaced: np.ndarray


class LocalBaseline(Forecaster):
    """A formula applied to the history of each series; ``fit`` only keeps the panel. Covariates are not used."""

    horizon = None

    def __init__(self, *, seed: int = 1, name: str | None = None):
        self.seed = seed
        self.name = name or type(self).__name__

    def fit(self, panel: Panel) -> Self:
        require_panel(panel)
        self.panel_ = panel
        return self

    def _forecast(self, panel: Panel, horizon: int, levels: Sequence[float], samples: int | None) -> Forecast:
        shape = (len(panel), horizon, panel.targets)
        mean, sd, replaced = np.empty(shape), np.empty(shape), np.zeros(len(panel), bool)
        for chosen, values in blocks(panel):
            one = self._normal(values, horizon)
            mean[chosen], sd[chosen], replaced[chosen] = one.mean, one.sd, one.replaced
        probabilities = level_quantiles(levels)
        notes = _notes(mean, sd, replaced, self._fallback)
        sd = np.where(np.isnan(sd), 0.0, sd)
        paths = None if samples is None else mean[:, None] + sd[:, None] * self._noise(samples, shape, panel)
        return Forecast(self.name, panel, mean, probabilities, normal_quantiles(mean, sd, probabilities), paths, notes)

    _fallback = ""

    @abstractmethod
    def _normal(self, values: np.ndarray, horizon: int) -> NormalForecast:
        """Mean and standard deviation for ``(series, time, targets)`` histories."""

    def _noise(self, samples: int, shape: tuple[int, ...], panel: Panel) -> np.ndarray:
        """``(series, samples, horizon, targets)`` errors of unit variance, joined over the horizon as a random walk."""
        draws = np.random.default_rng(self.seed).standard_normal((shape[0], samples, *shape[1:]))
        return draws.cumsum(axis=2) / np.sqrt(np.arange(1, shape[1] + 1))[:, None]


class Naive(LocalBaseline):
    """The last observed value, for ever: ``ŷ[T+h] = y[T]``."""

    def _normal(self, values: np.ndarray, horizon: int) -> NormalForecast:
        return _repeat_season(values, 1, horizon)


class SeasonalNaive(LocalBaseline):
    """The last observed value of the same season: ``ŷ[T+h] = y[T + h - m(k + 1)]``.

    Args:
        season: season m in steps; None takes ``panel.season`` of the panel fitted on.
        seed: of the sample paths.
        name: column of the forecast.
    """

    _fallback = "has no observation of some season; the last observed value stands in"

    def __init__(self, season: int | None = None, *, seed: int = 1, name: str | None = None):
        super().__init__(seed=seed, name=name)
        self.season = season

    def fit(self, panel: Panel) -> Self:
        self.season_ = season_of(self.season, panel)
        return super().fit(panel)

    def _normal(self, values: np.ndarray, horizon: int) -> NormalForecast:
        naive = _repeat_season(values, 1, horizon)
        if self.season_ == 1:
            return naive
        own = _repeat_season(values, self.season_, horizon)
        unseen = np.isnan(own.mean)
        mean = np.where(unseen, naive.mean, own.mean)
        sd = np.where(unseen | np.isnan(own.sd), naive.sd, own.sd)
        return NormalForecast(mean, sd, unseen.any(axis=(1, 2)))

    def _noise(self, samples: int, shape: tuple[int, ...], panel: Panel) -> np.ndarray:
        series, horizon, targets = shape
        cycles = -(-horizon // self.season_)
        draws = np.random.default_rng(self.seed).standard_normal((series, samples, cycles, self.season_, targets))
        walk = draws.cumsum(axis=2) / np.sqrt(np.arange(1, cycles + 1))[:, None, None]
        return walk.reshape(series, samples, -1, targets)[:, :, :horizon]


class Drift(LocalBaseline):
    """The line through the first and the last observation: ``ŷ[T+h] = y[T] + h (y[T] - y[1])/(T - 1)``."""

    _fallback = "has fewer than two observations; its last value stands in"

    def _normal(self, values: np.ndarray, horizon: int) -> NormalForecast:
        last, gap = _last_observed(values)
        first, lead = _last_observed(values[:, ::-1])
        span = values.shape[1] - 1 - gap - lead  # steps from the first to the last observation
        single = span <= 0
        slope = np.where(single, 0.0, (last - first) / np.where(single, 1, span))
        steps = np.arange(1, horizon + 1)[:, None] + gap[:, None]
        residuals = np.diff(values, axis=1) - slope[:, None]
        count = np.isfinite(residuals).sum(axis=1) - 1
        sigma = np.sqrt(_divide(np.nansum(residuals**2, axis=1), count))
        spread = np.sqrt(steps * (1 + steps / np.maximum(span, 1)[:, None]))
        mean = last[:, None] + steps * slope[:, None]
        return NormalForecast(mean, sigma[:, None] * spread, (single & np.isfinite(last)).any(axis=1))

    def _noise(self, samples: int, shape: tuple[int, ...], panel: Panel) -> np.ndarray:
        rng = np.random.default_rng(self.seed)
        steps = np.arange(1, shape[1] + 1)[:, None]
        walk = rng.standard_normal((shape[0], samples, *shape[1:])).cumsum(axis=2)
        span = np.maximum(panel.lengths - 1, 1)[:, None, None, None]
        tilt = steps * rng.standard_normal((shape[0], samples, 1, shape[2])) / np.sqrt(span)
        return (walk + tilt) / np.sqrt(steps * (1 + steps / span))


class Mean(LocalBaseline):
    """The mean of all observations: ``ŷ[T+h] = ȳ``."""

    def _normal(self, values: np.ndarray, horizon: int) -> NormalForecast:
        count = np.isfinite(values).sum(axis=1)
        mean = _divide(np.nansum(values, axis=1), count)
        sigma = np.sqrt(_divide(np.nansum((values - mean[:, None]) ** 2, axis=1), count - 1))
        sd = sigma * np.sqrt(1 + _divide(np.ones_like(mean), count))
        steps = np.ones((horizon, 1))
        return NormalForecast(mean[:, None] * steps, sd[:, None] * steps, np.zeros(len(values), bool))

    def _noise(self, samples: int, shape: tuple[int, ...], panel: Panel) -> np.ndarray:
        rng = np.random.default_rng(self.seed)
        count = panel.lengths[:, None, None, None]
        shared = rng.standard_normal((shape[0], samples, 1, shape[2])) / np.sqrt(count)
        return (rng.standard_normal((shape[0], samples, *shape[1:])) + shared) / np.sqrt(1 + 1 / count)


def normal_quantiles(mean: np.ndarray, sd: np.ndarray, probabilities: Sequence[float]) -> np.ndarray:
    """``(…, probabilities)`` quantiles of normal distributions."""
    z = np.array([NormalDist().inv_cdf(p) for p in probabilities])
    return mean[..., None] + sd[..., None] * z


def _repeat_season(values: np.ndarray, season: int, horizon: int) -> NormalForecast:
    """Last observed value of each season; the naive forecast with ``season=1``. NaN where a season was never seen."""
    series, time, targets = values.shape
    cycles = -(-time // season)
    padded = np.full((series, cycles * season, targets), np.nan)
    padded[:, -time:] = values
    last, gap = _last_observed(padded.reshape(series, cycles, season * targets))
    last, gap = last.reshape(series, season, targets), gap.reshape(series, season, targets)
    steps = np.arange(horizon)
    changes = values[:, season:] - values[:, :-season] if time > season else np.full((series, 1, targets), np.nan)
    sigma = np.sqrt(_divide(np.nansum(changes**2, axis=1), np.isfinite(changes).sum(axis=1)))
    ahead = (steps // season)[:, None] + 1 + gap[:, steps % season]
    return NormalForecast(last[:, steps % season], sigma[:, None] * np.sqrt(ahead), np.zeros(series, bool))


def _last_observed(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Last value along axis 1 that is not missing, and how many steps before the end it lies (0 where none is)."""
    gap = np.isfinite(values[:, ::-1]).argmax(axis=1)
    last = np.take_along_axis(values, values.shape[1] - 1 - gap[:, None], axis=1)[:, 0]
    return last, gap


def _divide(numerator: np.ndarray, count: np.ndarray) -> np.ndarray:
    """The ratio; NaN where the count is not positive."""
    return np.where(count > 0, numerator / np.maximum(count, 1), np.nan)


def _notes(mean: np.ndarray, sd: np.ndarray, replaced: np.ndarray, fallback: str) -> tuple[str, ...]:
    """What the user should know, with the number of series it touches."""
    empty = np.isnan(mean).any(axis=(1, 2))
    flat = np.isnan(sd).any(axis=(1, 2)) & ~empty
    found = [
        (empty, "has no observation at all and gets no forecast"),
        (flat, "has too few observations to estimate a spread; its intervals have no width"),
        (replaced & ~empty, fallback),
    ]
    return tuple(
        f"{count} of {len(mean)} series {text}." for mask, text in found if text and (count := int(mask.sum()))
    )
