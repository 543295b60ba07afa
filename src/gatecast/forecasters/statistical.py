"""The statistical standards, AutoETS, AutoARIMA and AutoTheta, as statsforecast fits them to each series.

Each series is fitted anew at every origin, on its latest rows only (see ``history``), with missing values inside
filled by a straight line. A series too short or constant for the model gets the seasonal naive forecast. The notes of
the forecast say where this happened.

Importing statsforecast takes seconds, so it waits for the first ``fit``.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from gatecast.base.errors import require
from gatecast.base.findings import Arg
from gatecast.base.options import check_value
from gatecast.data.panel import Panel
from gatecast.evaluation.forecast import Forecast, level_quantiles
from gatecast.forecasters.base import AT_LEAST_1, Forecaster
from gatecast.forecasters.baselines import SeasonalNaive, normal_quantiles
from gatecast.forecasters.parallel import run_jobs
from gatecast.forecasters.seasons import season_of

ETS_SEASON = 24  # the longest season that exponential smoothing can hold


@dataclass(frozen=True)
class _Task:
    """One series for one process: what to fit and on what."""

    model: str
    season: int
    values: np.ndarray
    horizon: int
    settings: dict[str, Any]


class _Statistical(Forecaster):
    """A model of statsforecast as a forecaster. Covariates are not used.

    Intervals assume normal errors. Sample paths are random walks with the model's standard deviation at every step: the
    model does not say how errors are correlated over the steps.

    Args:
        season: season in steps; None takes ``panel.season`` of the panel fitted on.
        history: rows before the origin that are fitted on; None takes the model's own limit, which bounds the time.
        jobs: processes; 1 fits in this one.
        seed: of the sample paths.
        name: column of the forecast.
    """

    horizon = None
    _settings: dict[str, Any] = {}  # noqa: RUF012  read only

    def __init__(
        self,
        season: int | None = None,
        *,
        history: int | None = None,
        jobs: int = 1,
        seed: int = 1,
        name: str | None = None,
    ):
        self.season = season
        self.history = history
        self.jobs = jobs
        self.seed = seed
        self.name = name or type(self).__name__

    def check(self, panel: Panel) -> None:
        super().check(panel)
        _statsforecast(type(self).__name__)
        check_value(Arg("jobs"), self.jobs, "int", AT_LEAST_1)
        season_of(self.season, panel)

    def fit(self, panel: Panel) -> Self:
        self.check(panel)
        self.season_ = season_of(self.season, panel)
        self.history_ = self.history or self._limit(self.season_)
        self.panel_ = panel
        return self

    def _limit(self, season: int) -> int:
        """Rows fitted on by default: twenty seasons, at least 200."""
        return max(200, 20 * season)

    def _forecast(self, panel: Panel, horizon: int, levels: Sequence[float], samples: int | None) -> Forecast:
        fallback = SeasonalNaive(self.season_).fit(panel)._forecast(panel, horizon, [80], None)  # bounds as they are
        mean, sd = fallback.mean.copy(), _normal_sd(*fallback.interval(80))
        places, notes = self._fit_all(panel, horizon, mean, sd)
        notes += [
            f"Seasonal naive for {_of(len(panel) * panel.targets - places, panel)}: too short, constant, or refused by "
            "the model."
        ] * (places < len(panel) * panel.targets)
        probabilities = level_quantiles(levels)
        paths = None if samples is None else _walks(mean, sd, samples, self.seed)
        quantiles = normal_quantiles(mean, sd, probabilities)
        return Forecast(self.name, panel, mean, probabilities, quantiles, paths, (*notes, *fallback.notes))

    def _fit_all(self, panel: Panel, horizon: int, mean: np.ndarray, sd: np.ndarray) -> tuple[int, list[str]]:
        """Write the model's forecasts over the fallback; return their number and notes."""
        places, tasks, filled = [], [], 0
        for index in range(len(panel)):
            recent = panel.series(index)[-self.history_ :].astype(np.float64)
            for target in range(panel.targets):
                values, gaps = _bridged(recent[:, target])
                filled += gaps > 0
                if _usable(values, self.season_):
                    places.append((index, target))
                    tasks.append(_Task(type(self).__name__, self.season_, values, horizon, self._settings))
        done = 0
        for (index, target), found in zip(places, _run(tasks, self.jobs), strict=True):
            if found is not None:
                mean[index, :, target], sd[index, :, target] = found
                done += 1
        notes = [f"Missing values of {_of(filled, panel)} filled by straight lines."] if filled else []
        if panel.lengths.max(initial=0) > self.history_:
            notes.append(f"Fitted on the last {self.history_} rows only, for the time it takes.")
        if self.season_ > ETS_SEASON and tasks:
            notes.append(f"The season of {self.season_} steps is taken out by LOESS first (MSTL).")
        return done, notes


class AutoETS(_Statistical):
    """Exponential smoothing, its form chosen by AICc (Hyndman et al. 2002)."""


class AutoARIMA(_Statistical):
    """Seasonal ARIMA chosen stepwise by AICc (Hyndman & Khandakar 2008), with approximated likelihoods in the search.

    Its time grows steeply with season and length: by default it is fitted on the last ten seasons, at least 150 rows.
    """

    _settings = {"approximation": True}  # noqa: RUF012  read only

    def _limit(self, season: int) -> int:
        return max(150, 10 * season)


class AutoTheta(_Statistical):
    """The best of four theta models (Fiorucci et al. 2016)."""


def _statsforecast(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own imports warn about other packages
        return require("statsforecast.models", extra="stats", purpose=name)


def _run(tasks: list[_Task], jobs: int) -> list[tuple[np.ndarray, np.ndarray] | None]:
    return list(run_jobs(_fitted, None, [(task,) for task in tasks], workers=None if jobs == 1 else jobs))


def _fitted(_: None, task: _Task) -> tuple[np.ndarray, np.ndarray] | None:
    """``(horizon,)`` mean and standard deviation; None where the model refuses the series."""
    models = _statsforecast(task.model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = _model(models, task).forecast(y=task.values, h=task.horizon, level=[80])
        except Exception:
            return None
    mean, sd = np.asarray(found["mean"]), _normal_sd(np.asarray(found["lo-80"]), np.asarray(found["hi-80"]))
    bound = 1e3 * np.abs(task.values).max()  # an unstable fit runs away
    return (mean, sd) if np.isfinite(mean + sd).all() and np.abs(mean).max() <= bound else None


def _model(models: Any, task: _Task) -> Any:
    if task.season <= ETS_SEASON:
        return getattr(models, task.model)(season_length=task.season, **task.settings)
    unseasonal: dict[str, dict[str, Any]] = {"AutoETS": {"model": "ZZN"}, "AutoARIMA": {"seasonal": False}}
    inner = unseasonal.get(task.model, {})
    return models.MSTL(task.season, trend_forecaster=getattr(models, task.model)(**inner, **task.settings))


def _bridged(values: np.ndarray) -> tuple[np.ndarray, int]:
    """From the first observation on, with straight lines over missing values (flat at the end), and how many."""
    seen = np.flatnonzero(np.isfinite(values))
    if not len(seen):
        return values[:0], 0
    rows = np.arange(seen[0], len(values))
    return np.interp(rows, seen, values[seen]), len(rows) - len(seen)


def _usable(values: np.ndarray, season: int) -> bool:
    return len(values) >= max(10, 2 * season + 2) and float(np.ptp(values)) > 0


def _normal_sd(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Standard deviation of a normal distribution from its central 80 % interval."""
    return (high - low) / (2 * 1.2815515655446004)


def _walks(mean: np.ndarray, sd: np.ndarray, samples: int, seed: int) -> np.ndarray:
    """``(series, samples, horizon, targets)`` paths: normal increments whose sum has the given spread at every step."""
    grown = np.maximum.accumulate(sd, axis=1) ** 2
    shocks = np.sqrt(np.diff(grown, axis=1, prepend=0.0))
    draws = np.random.default_rng(seed).standard_normal((len(mean), samples, *mean.shape[1:]))
    return mean[:, None] + (shocks[:, None] * draws).cumsum(axis=2)


def _of(count: int, panel: Panel) -> str:
    total = len(panel) * panel.targets
    return f"{count} of {total} series" if total > 1 else "the series"
