"""Several models as one: averages, the choice of the best by backtest, and the baselines to beat."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Self

import numpy as np

from gatecast.base.errors import DataError, SettingError
from gatecast.base.findings import Arg
from gatecast.base.text import plural
from gatecast.data.panel import Panel, require_panel
from gatecast.evaluation.forecast import Forecast, level_quantiles
from gatecast.forecasters.backtest import Backtest, backtest
from gatecast.forecasters.base import Forecaster, require_forecasters
from gatecast.forecasters.baselines import Drift, Mean, Naive, SeasonalNaive
from gatecast.forecasters.linear import LinearAR
from gatecast.forecasters.statistical import AutoARIMA, AutoETS, AutoTheta

STATISTICAL_SERIES = 500  # more series: statistical models would take too long


@dataclass(eq=False, repr=False)
class Ensemble(Forecaster):
    """Weighted average of several forecasters: of their means, and of each quantile (Vincent averaging).

    Averaging quantiles keeps the shape of the members' intervals, where mixing the distributions would widen them
    (Lichtendahl, Grushka-Cockayne & Winkler 2013, Management Science 59:1594). Sample paths are a mixture: each
    member gives its share.

    Args:
        members: forecasters.
        weights: one a member, not negative; None weighs all the same.
        name: column of the forecast.
    """

    horizon = None

    members: Sequence[Forecaster]
    weights: Sequence[float] | None = None
    _: KW_ONLY
    name: str = "Ensemble"

    def fit(self, panel: Panel) -> Self:
        require_panel(panel)
        require_forecasters("members", self.members)
        if not self.members:
            raise SettingError("an ensemble needs at least one member", "e.g. Ensemble([Naive(), LinearAR(14)])")
        weights = np.ones(len(self.members)) if self.weights is None else np.asarray(self.weights, float)
        if len(weights) != len(self.members) or (weights < 0).any() or weights.sum() <= 0:
            raise SettingError(
                Arg("weights") + f" must be {len(self.members)} numbers, one for each member, not negative and not all "
                f"0, got {self.weights}"
            )
        self.weights_ = weights / weights.sum()
        self.members_ = [member.clone().fit(panel) for member in self.members]
        self.panel_ = panel
        return self

    def _forecast(self, panel: Panel, horizon: int, levels: Sequence[float], samples: int | None) -> Forecast:
        shares = [None] * len(self.members) if samples is None else _shares(samples, self.weights_)
        parts = [
            member.predict(horizon, panel=panel, levels=levels, samples=share or None)
            for member, share in zip(self.members_, shares, strict=True)
        ]
        return _average(self.name, panel, parts, self.weights_, levels, joint=samples is not None)

    def _own_horizon(self) -> int | None:
        return next((own for member in self.members if (own := member._own_horizon()) is not None), None)

    def _covariate_steps(self) -> int:
        return max(member._covariate_steps() for member in self.members_)


def _average(
    name: str, panel: Panel, parts: list[Forecast], weights: np.ndarray, levels: Sequence[float], *, joint: bool
) -> Forecast:
    mean = sum(w * part.mean for w, part in zip(weights, parts, strict=True))
    probabilities = level_quantiles(levels)
    able = [(w, part) for w, part in zip(weights, parts, strict=True) if set(probabilities) <= set(part.probabilities)]
    total = sum(w for w, _ in able)
    quantiles = np.empty(0)
    if total > 0:
        quantiles = sum(w / total * np.stack([p.quantile(q) for q in probabilities], axis=-1) for w, p in able)
    paths = [part.samples for part in parts if part.samples is not None] if joint else []
    notes = dict.fromkeys(f"{part.model}: {note}" for part in parts for note in part.notes)
    return Forecast(
        name,
        panel,
        np.asarray(mean),
        probabilities if total > 0 else (),
        np.asarray(quantiles),
        np.concatenate(paths, axis=1) if paths else None,
        tuple(notes),
    )


def _shares(samples: int, weights: np.ndarray) -> list[int]:
    """Whole numbers that add up to ``samples``, in proportion to the weights."""
    edges = np.rint(np.concatenate([[0.0], np.cumsum(weights)]) * samples).astype(int)
    return [int(n) for n in np.diff(edges)]


def best_of(result: Backtest, *, most: int = 3) -> dict[str, float]:
    """The models and weights with the lowest error in a backtest: the best alone, or a blend of the best few.

    A blend weighs each by the inverse of its error. It is taken only where its own error on the same rows is lower.

    Args:
        result: a backtest.
        most: members of the largest blend tried.

    Returns:
        Model → weight; the weights add up to 1.
    """
    _, losses = result.losses()
    error = {name: float(np.nanmean(loss)) for name, loss in losses.items() if np.isfinite(loss).any()}
    if not error:
        raise DataError("no model can be chosen: the backtest has no actual values to compare with")
    ranked = sorted(error, key=lambda name: error[name])
    blends = [_inverse({name: error[name] for name in ranked[:size]}) for size in range(1, most + 1)]
    return min(blends[: len(ranked)], key=lambda blend: _blend_error(result, blend))


def _inverse(error: Mapping[str, float]) -> dict[str, float]:
    """Weights 1/error; a model without error takes all."""
    exact = [name for name, value in error.items() if value == 0]
    inverse = dict.fromkeys(exact, 1.0) if exact else {name: 1 / value for name, value in error.items()}
    return {name: value / sum(inverse.values()) for name, value in inverse.items()}


def _blend_error(result: Backtest, blend: Mapping[str, float]) -> float:
    """Mean scaled absolute error of the weighted mean of forecasts."""
    mixed = sum(weight * result.frame[name].to_numpy() for name, weight in blend.items())
    scale = result.scales[..., 0]
    scale = scale if np.isfinite(scale).any() else np.ones_like(scale)
    error = np.abs(result.frame["y"].to_numpy() - mixed).reshape(result.shape) / scale[None, :, None]
    return float(np.nanmean(error))


@dataclass(eq=False, repr=False)
class AutoSelect(Forecaster):
    """Backtests the candidates on the panel given to ``fit`` and keeps the best, or a blend of the best.

    The error of the model chosen is optimistic, since the luckiest of several was taken. To measure the choice itself,
    backtest ``AutoSelect`` next to its candidates with ``refit=True``: each origin then chooses on its own past.

    Args:
        horizon: steps ahead.
        candidates: forecasters; None takes the baselines that fit the panel and :class:`LSTMForecaster`.
        windows: origins of the backtest inside ``fit``.
        blend: members of the largest blend; 1 keeps the single best model.
        name: column of the forecast.

    Attributes:
        weights_: model → weight of what was chosen.
        backtest_: the backtest it was chosen on.
    """

    horizon: int
    candidates: Sequence[Forecaster] | None = None
    _: KW_ONLY
    windows: int = 3
    blend: int = 3
    name: str = "auto"

    def fit(self, panel: Panel) -> Self:
        require_panel(panel)
        candidates = list(self.candidates) if self.candidates is not None else _candidates(panel, self.horizon)
        self.backtest_ = backtest(candidates, panel, self.horizon, windows=self.windows, progress=False)
        self.weights_ = best_of(self.backtest_, most=self.blend)
        chosen = {model.name: model for model in candidates}
        members = [chosen[name] for name in self.weights_]
        self.model_ = Ensemble(members, list(self.weights_.values()), name=self.name).fit(panel)
        self.panel_ = panel
        return self

    def _forecast(self, panel: Panel, horizon: int, levels: Sequence[float], samples: int | None) -> Forecast:
        forecast = self.model_.predict(horizon, panel=panel, levels=levels, samples=samples)
        return replace(forecast, notes=(self._chosen(), *forecast.notes))

    def _covariate_steps(self) -> int:
        return self.model_._covariate_steps()

    def _chosen(self) -> str:
        """Note on what was chosen, and that its error is optimistic."""
        parts = [name if len(self.weights_) == 1 else f"{w:.0%} {name}" for name, w in self.weights_.items()]
        origins = len(self.backtest_.cutoffs)
        over, trust = plural(origins, "origin"), "Its error there is the one it was chosen on: expect more."
        return f"Chosen by backtest over {over}: {', '.join(parts)}. {trust}"


def _candidates(panel: Panel, horizon: int) -> list[Forecaster]:
    from gatecast.forecasters.neural import LSTMForecaster

    baselines, _ = default_baselines(panel, horizon)
    return [*baselines, LSTMForecaster(horizon)]


def default_baselines(panel: Panel, horizon: int) -> tuple[list[Forecaster], list[str]]:
    """The models that every forecast of this panel should be compared with.

    Returns:
        The forecasters, and what was left out with the reason: statistical models without the extra ``stats`` or for
        very many series.
    """
    seasonal: list[Forecaster] = [SeasonalNaive()] if panel.season > 1 else []
    simple: list[Forecaster] = [Naive(), *seasonal, Drift(), Mean(), LinearAR(horizon)]
    names = "AutoETS, AutoARIMA and AutoTheta"
    if importlib.util.find_spec("statsforecast") is None:
        return simple, [f'{names} (pip install "gatecast[stats]")']
    count = len(panel) * panel.targets
    if count > STATISTICAL_SERIES:
        return simple, [f"{names} (they take too long for {count:,} series)"]
    return [*simple, AutoETS(), AutoARIMA(), AutoTheta()], []
