"""Several forecasters as one: the average of their forecasts, and the best of them by backtest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from gatecast.data.panel import Panel
from gatecast.errors import NotFittedError, SettingError
from gatecast.evaluation.forecast import DEFAULT_LEVELS, Forecast
from gatecast.forecasters.base import Forecaster
from gatecast.forecasters.baselines import Drift, Mean, Naive, SeasonalNaive
from gatecast.forecasters.linear import LinearAR

if TYPE_CHECKING:
    from gatecast.forecasters.backtest import Backtest

CLOSE = 1.05  # a model within 5 % of the best takes part in an ensemble of the best
FEW_SERIES = 200  # more series than this times the season: statistical models would take longer than all else


class Ensemble(Forecaster):
    """Weighted mean of the forecasts of several models; quantiles are averaged (Vincentization).

    Args:
        members: forecasters with different names.
        weights: one for each member, at least 0; None weighs all alike.
        name: column of the forecast.
    """

    def __init__(
        self, members: Sequence[Forecaster], *, weights: Sequence[float] | None = None, name: str = "Ensemble"
    ) -> None:
        self.members = members
        self.weights = weights
        self.name = name

    def fit(self, panel: Panel) -> Self:
        """Fit a clone of every member."""
        if not self.members:
            raise SettingError("an ensemble needs at least one member, e.g. Ensemble([Naive(), Drift()])")
        weights = np.ones(len(self.members)) if self.weights is None else np.asarray(self.weights, np.float64)
        if weights.shape != (len(self.members),) or (weights < 0).any() or not weights.sum() > 0:
            raise SettingError(
                f"weights must be {len(self.members)} numbers of at least 0 with a positive sum, got {self.weights}"
            )
        self.weights_ = weights / weights.sum()
        self.members_ = [member.clone().fit(panel) for member in self.members]
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
        """The weighted mean of the members' forecasts; sample paths are drawn from the members by their weights."""
        if not hasattr(self, "members_"):
            raise NotFittedError(f"{self.name} is not fitted yet; call fit(panel) before predict")
        parts = [
            member.predict(horizon, panel=panel, levels=levels, samples=samples, future=future)
            for member in self.members_
        ]
        first = parts[0]
        mean = sum(w * part.mean for w, part in zip(self.weights_, parts, strict=True))
        quantiles = sum(w * part.quantiles for w, part in zip(self.weights_, parts, strict=True))
        paths = None
        if samples:
            source = np.random.default_rng(0).choice(len(parts), samples, p=self.weights_)
            drawn = np.stack([part.samples for part in parts if part.samples is not None])
            paths = drawn[source, :, np.arange(samples)].swapaxes(0, 1)
        notes = tuple(f"{part.model}: {note}" for part in parts for note in part.notes)
        return Forecast(
            self.name, first.panel, np.asarray(mean), first.probabilities, np.asarray(quantiles), paths, notes
        )


class AutoSelect(Forecaster):
    """The candidate with the lowest error on rolling origins, or an ensemble of the best.

    The winner's own backtest score is flattering, since it was chosen by it; judge this forecaster by a backtest of
    itself, which repeats the choice before every origin.

    Args:
        horizon: steps ahead.
        candidates: forecasters to choose from.
        windows: rolling origins inside ``fit``.
        combine: average the candidates within 5 % of the best instead of taking the best alone.
        name: column of the forecast.
    """

    def __init__(
        self,
        horizon: int,
        candidates: Sequence[Forecaster],
        *,
        windows: int = 3,
        combine: bool = False,
        name: str = "Auto",
    ) -> None:
        self.horizon = horizon
        self.candidates = candidates
        self.windows = windows
        self.combine = combine
        self.name = name

    def fit(self, panel: Panel) -> Self:
        """Backtest the candidates on the panel, then fit the chosen one on all of it."""
        from gatecast.forecasters.backtest import backtest

        self.backtest_ = backtest(self.candidates, panel, self.horizon, windows=self.windows, progress=False)
        self.chosen_ = best_of(self.backtest_, self.candidates, combine=self.combine).clone().fit(panel)
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
        """The forecast of the chosen model, under this forecaster's name."""
        if not hasattr(self, "chosen_"):
            raise NotFittedError(f"{self.name} is not fitted yet; call fit(panel) before predict")
        forecast = self.chosen_.predict(
            horizon or self.horizon, panel=panel, levels=levels, samples=samples, future=future
        )
        return forecast.rename(self.name)


def best_of(result: Backtest, candidates: Sequence[Forecaster], *, combine: bool = False) -> Forecaster:
    """The forecaster with the lowest error in a backtest, or an ensemble of those within 5 % of it.

    Members of an ensemble weigh by the inverse of their error.
    """
    _, losses = result.losses()
    scores = {name: float(np.nanmean(loss)) for name, loss in losses.items() if np.isfinite(loss).any()}
    known = {candidate.name: candidate for candidate in candidates}
    order = sorted((name for name in scores if name in known), key=lambda name: scores[name])
    if not order:
        raise SettingError(f"no candidate took part in the backtest; it has {', '.join(result.models)}")
    close = [name for name in order if scores[name] <= CLOSE * scores[order[0]]]
    if not combine or len(close) == 1:
        return known[order[0]]
    return Ensemble([known[name] for name in close], weights=[1 / max(scores[name], 1e-12) for name in close])


def default_baselines(panel: Panel, horizon: int) -> tuple[list[Forecaster], list[str]]:
    """The baselines that stand beside every model, and those left out, each with the reason."""
    models: list[Forecaster] = [Naive(), SeasonalNaive(), Drift(), Mean(), LinearAR(horizon)]
    if panel.season == 1:
        models = [model for model in models if not isinstance(model, SeasonalNaive)]
    from importlib.util import find_spec

    names = ("AutoETS", "AutoARIMA", "AutoTheta")
    if find_spec("statsforecast") is None:
        return models, [f'{", ".join(names)} (pip install "gatecast[stats]")']
    from gatecast.forecasters.statistical import AutoARIMA, AutoETS, AutoTheta

    most = max(1, FEW_SERIES // (1 if panel.season <= 12 else 10))
    if len(panel) * panel.targets > most:
        return models, [f"{', '.join(names)} (they fit every series alone: {len(panel)} series would take too long)"]
    models += [AutoETS(), AutoTheta()]
    if panel.season > 52:
        return models, [f"AutoARIMA (a season of {panel.season} steps takes too long)"]
    return [*models, AutoARIMA()], []
