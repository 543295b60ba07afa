"""AutoETS, AutoARIMA and AutoTheta through statsforecast (the extra ``stats``), behind the two doors.

Each series is fitted anew from its own history at every forecast, as is usual for these models; ``fit`` settles the
season only. Long histories are cut to the last cycles, since fitting time grows much faster than accuracy.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from gatecast.data.panel import Panel
from gatecast.errors import NotFittedError, SettingError, require
from gatecast.evaluation.forecast import DEFAULT_LEVELS, Forecast, level_quantiles
from gatecast.forecasters.base import Forecaster
from gatecast.forecasters.baselines import SeasonalNaive


class Statistical(Forecaster):
    """A model of statsforecast for each series and target.

    Args:
        season: season length in steps; None takes ``panel.season``.
        recent: rows of history used, counted from the origin; None takes the class's own bound.
        jobs: processes; 1 runs in this one.
        seed: of the sample paths.
        name: column of the forecast.
    """

    cycles = 60  # seasons of history used
    bounds = (200, 2000)  # least and most rows used

    def __init__(
        self,
        season: int | None = None,
        *,
        recent: int | None = None,
        jobs: int = 1,
        seed: int = 1,
        name: str | None = None,
    ) -> None:
        self.season = season
        self.recent = recent
        self.jobs = jobs
        self.seed = seed
        self.name = name or type(self).__name__

    @abstractmethod
    def _model(self, library: Any, season: int) -> Any:
        """The model object of statsforecast."""

    def fit(self, panel: Panel) -> Self:
        """Check that statsforecast is there and settle the season.

        Raises:
            MissingExtraError: without the extra ``stats``.
        """
        require("statsforecast", extra="stats", purpose=type(self).__name__)
        if self.season is not None and self.season < 1:
            raise SettingError(f"season is a number of steps, at least 1; got season={self.season}")
        self.season_ = panel.season if self.season is None else self.season
        self.panel_ = panel
        return self

    def predict(
        self,
        horizon: int | None = None,
        *,
        panel: Panel | None = None,
        levels: Sequence[float] = DEFAULT_LEVELS,
        samples: int | None = None,
        future: Any = None,
    ) -> Forecast:
        """Fit each series up to the origin of ``panel`` and forecast; covariates (``future``) are not used."""
        if not hasattr(self, "season_"):
            raise NotFittedError(f"{self.name} has not seen a panel yet; call fit(panel) before predict")
        if horizon is None or horizon < 1:
            raise SettingError(
                f"{self.name}.predict needs a horizon of at least 1 step, e.g. predict(14); got {horizon}"
            )
        panel = self.panel_ if panel is None else panel
        probabilities = level_quantiles(levels)
        histories = [column for _, values in panel for column in self._history(values).T]
        filled = [_interpolated(history) for history in histories]
        shape = (len(panel), panel.targets, horizon, len(probabilities))
        table = np.full((len(histories), horizon, len(probabilities)), np.nan)
        usable = [i for i, y in enumerate(filled) if len(y) > 2 * self.season_ and len(y) >= 8 and np.ptp(y) > 0]
        if usable:
            table[usable] = self._run([filled[i] for i in usable], horizon, probabilities)
        failed = np.isnan(table).any(axis=(1, 2)).reshape(len(panel), panel.targets)
        quantiles = np.moveaxis(table.reshape(shape), 1, 2)
        if failed.any():
            instead = SeasonalNaive(self.season_).fit(panel).predict(horizon, levels=levels).quantiles
            quantiles = np.where(failed[:, None, :, None], instead, quantiles)
        mean = quantiles[..., probabilities.index(0.5)]
        paths = None if samples is None else self._paths(mean, quantiles, probabilities, samples)
        return Forecast(self.name, panel, mean, probabilities, quantiles, paths, self._notes(panel, histories, failed))

    def _history(self, values: np.ndarray) -> np.ndarray:
        low, high = self.bounds
        rows = self.recent or int(np.clip(self.cycles * self.season_, low, high))
        return values[-rows:].astype(np.float64)

    def _run(self, series: list[np.ndarray], horizon: int, probabilities: tuple[float, ...]) -> np.ndarray:
        """``(series, horizon, probabilities)``; NaN for a series that the model cannot take."""
        models = require("statsforecast.models", extra="stats", purpose=type(self).__name__)
        lower = [p for p in probabilities if p < 0.5]
        levels = [round(100 * (1 - 2 * p), 4) for p in lower]
        if self.jobs > 1 and len(series) > 1:
            from concurrent.futures import ProcessPoolExecutor

            size = -(-len(series) // (4 * self.jobs))
            parts = [series[i : i + size] for i in range(0, len(series), size)]
            with ProcessPoolExecutor(self.jobs) as pool:
                tasks = [pool.submit(_forecast, self._model(models, self.season_), p, horizon, levels) for p in parts]
                tables = [task.result() for task in tasks]
            return np.concatenate(tables)
        return _forecast(self._model(models, self.season_), series, horizon, levels)

    def _paths(
        self, mean: np.ndarray, quantiles: np.ndarray, probabilities: tuple[float, ...], samples: int
    ) -> np.ndarray:
        """Random walks whose spread at each step is the width of the widest interval."""
        from statistics import NormalDist

        reach = NormalDist().inv_cdf(probabilities[-1])
        sd = (quantiles[..., -1] - quantiles[..., 0]) / (2 * reach) if reach > 0 else np.zeros_like(mean)
        draws = np.random.default_rng(self.seed).standard_normal((len(mean), samples, *mean.shape[1:]))
        walk = draws.cumsum(axis=2) / np.sqrt(np.arange(1, mean.shape[1] + 1))[:, None]
        return mean[:, None] + sd[:, None] * walk

    def _notes(self, panel: Panel, histories: list[np.ndarray], failed: np.ndarray) -> tuple[str, ...]:
        used = max((len(h) for h in histories), default=0)
        found = []
        if used < int(panel.lengths.max(initial=0)):
            found.append(f"the last {used} rows of each series were used")
        gaps = sum(bool(np.isnan(h).any()) for h in histories)
        if gaps:
            found.append(f"missing values were interpolated in {gaps} series")
        if failed.any():
            found.append(f"seasonal naive stands in for {int(failed.any(axis=1).sum())} short or constant series")
        return tuple(found)


class AutoETS(Statistical):
    """Exponential smoothing with components chosen by AICc (Hyndman et al. 2008)."""

    def _model(self, library: Any, season: int) -> Any:
        return library.AutoETS(season_length=season)


class AutoTheta(Statistical):
    """The best of four Theta models (Fiorucci et al. 2016)."""

    def _model(self, library: Any, season: int) -> Any:
        return library.AutoTheta(season_length=season)


class AutoARIMA(Statistical):
    """Seasonal ARIMA with orders chosen step by step by AICc (Hyndman & Khandakar 2008)."""

    cycles = 20
    bounds = (120, 500)

    def _model(self, library: Any, season: int) -> Any:
        return library.AutoARIMA(season_length=season, approximation=season > 12)


def _forecast(model: Any, series: list[np.ndarray], horizon: int, levels: list[float]) -> np.ndarray:
    """Quantiles of each series, lower ends first, then the point forecast, then upper ends."""
    table = np.full((len(series), horizon, 2 * len(levels) + 1), np.nan)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for row, values in enumerate(series):
            try:
                found = model.forecast(y=values, h=horizon, level=sorted(levels))
            except Exception:  # the caller counts the series that failed and says so in a note
                continue
            lower = [found[f"lo-{_key(found, level)}"] for level in levels]
            upper = [found[f"hi-{_key(found, level)}"] for level in reversed(levels)]
            table[row] = np.stack([*lower, found["mean"], *upper], axis=1)
    return np.sort(table, axis=2)


def _key(found: dict[str, Any], level: float) -> str:
    """The level as statsforecast spells it in its keys."""
    return next(key.removeprefix("lo-") for key in found if key.startswith("lo-") and float(key[3:]) == level)


def _interpolated(values: np.ndarray) -> np.ndarray:
    """From the first observed value on, with missing ones on the line between their neighbours."""
    seen = np.flatnonzero(np.isfinite(values))
    if not len(seen):
        return values[:0]
    return np.interp(np.arange(seen[0], len(values)), seen, values[seen])
