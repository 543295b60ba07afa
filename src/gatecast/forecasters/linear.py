"""Linear autoregression: the horizon as a ridge regression on the context, one set of weights for all series.

With x the context in which missing values repeat the last one, s its scale (mean |x[t] - x[t-m]|) and m the season,

    ŷ = x[C] + s Wᵀ z,   z = ((x[1] - x[C]) / s, …, (x[C-1] - x[C]) / s, 1)
    W = W₀ + (ZᵀZ + λI)⁻¹ Zᵀ(R - Z W₀),   R = (y - x[C]) / s

W₀ is the naive or the seasonal naive forecast, so that the ridge shrinks towards a good forecast and not towards
nonsense. Number of lags, λ and W₀ are chosen on the last windows of time, then W is fitted on all windows.

Zeng, Chen, Zhang & Xu (2023), "Are Transformers Effective for Time Series Forecasting?", AAAI (NLinear),
https://arxiv.org/abs/2205.13504; fitted in closed form as in Toner & Darlow (2024), https://arxiv.org/abs/2403.14587.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Self

import numpy as np

from gatecast.base.errors import DataError
from gatecast.base.findings import Arg, Call
from gatecast.base.options import Bounds, check_value
from gatecast.data.blocks import blocks
from gatecast.data.panel import Panel, require_panel
from gatecast.evaluation.forecast import Forecast, level_quantiles
from gatecast.forecasters.base import Forecaster

RIDGES = (1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0)  # in units of the mean squared lag, times windows
CELLS = 16_000_000  # float32 values of all windows together: 64 MB
MAX_CONTEXT = 720
SPARSE = 0.25  # share of rows that repeat the one before, from which demand counts as intermittent
STEP_PRIOR = 20  # residuals of a step; below, its width in intermittent demand is rather that of all steps
LINEAR_CONTEXT = Bounds(least=1, limit=100_000)
MIN_CHECKS = 8  # fewer windows to choose by: residuals come from leaving one out


@dataclass(frozen=True)
class Cases:
    """Training windows of all series and targets.

    Args:
        lags: ``(windows, context)`` scaled differences to the last value, and 1 instead of the last.
        ahead: ``(windows, horizon)`` scaled differences to the last value; NaN where missing.
        age: ``(windows,)`` rows from the last target of the window to the origin of the panel.
    """

    lags: np.ndarray
    ahead: np.ndarray
    age: np.ndarray

    def where(self, mask: np.ndarray) -> Cases:
        return Cases(self.lags[mask], self.ahead[mask], self.age[mask])


@dataclass(frozen=True)
class Selected:
    """What the last windows selected: number of lags, season of the prior (0: naive), relative ridge."""

    lags: int
    season: int
    ridge: float


@dataclass(eq=False, repr=False)
class LinearAR(Forecaster):
    """Ridge regression of the horizon on the context, pooled over all series and targets. Covariates are not used.

    Intervals are quantiles of the scaled residuals of the last windows, with one width for each step; sample paths add
    residuals of whole windows, so that errors are correlated over the steps as in the past.

    Args:
        horizon: steps ahead.
        context: rows looked at; None chooses among multiples of season and horizon by the last windows.
        seed: of windows drawn where there are too many, and of the sample paths.
        name: column of the forecast.

    Attributes:
        weights_: ``(context, horizon)`` W; the last row is the intercept.
        choice_: lags, prior and ridge chosen.
        sparse_: whether many targets repeat the last value (intermittent demand).
    """

    _fixed_horizon = True

    horizon: int
    context: int | None = None
    _: KW_ONLY
    seed: int = 1
    name: str = "LinearAR"

    def check(self, panel: Panel) -> None:
        super().check(panel)
        self.clone()._prepare(panel)

    def fit(self, panel: Panel) -> Self:
        require_panel(panel)
        cases = self._prepare(panel)
        train, check = _split(cases, self.horizon)
        seasons = [0, *([self.season_] if 1 < self.season_ < self.context_ else [])]
        self.choice_ = _choose(train, check, self._contexts(panel), seasons)
        self.weights_ = _ridge(cases, self.choice_, self.context_)
        checked = len(check.age) >= MIN_CHECKS and len(train.age) >= MIN_CHECKS
        self.sparse_ = _repeated(cases) > SPARSE
        if checked and not self.sparse_:
            self.residuals_ = _residuals(check, _ridge(train, self.choice_, self.context_))
        else:  # few windows, or few of them with a sale: the last alone may hold none
            self.residuals_ = _left_out(cases, self.choice_)
        self.panel_ = panel
        return self

    def _prepare(self, panel: Panel) -> Cases:
        """The windows to learn from, after the checks of settings and panel."""
        self._steps(None)
        if self.context is not None:
            check_value(Arg("context"), self.context, "int", LINEAR_CONTEXT)
        options = self._contexts(panel)
        self.context_, self.season_ = options[-1], panel.season
        cases = _collect(panel, self.context_, self.horizon, self.seed)
        if not len(cases.age):
            raise self._no_windows(panel)
        return cases

    def _forecast(self, panel: Panel, horizon: int, levels: Sequence[float], samples: int | None) -> Forecast:
        mean, scale = self._point(panel, horizon)
        probabilities = level_quantiles(levels)
        width = _residual_quantiles(self.residuals_[:, :horizon], probabilities, STEP_PRIOR if self.sparse_ else 0)
        quantiles = np.sort(mean[..., None] + scale[:, None, :, None] * width[:, None], axis=-1)
        quantiles = _around(mean, quantiles, probabilities)
        paths = None if samples is None else self._paths(mean, scale, samples)
        empty = int(np.isnan(mean[:, 0]).any(axis=1).sum())
        notes = (f"{empty} of {len(panel)} series has no observation at all and gets no forecast.",) if empty else ()
        return Forecast(self.name, panel, mean, probabilities, quantiles, paths, notes)

    def _point(self, panel: Panel, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        """``(series, horizon, targets)`` forecast and ``(series, targets)`` scale."""
        mean = np.full((len(panel), horizon, panel.targets), np.nan)
        scale = np.zeros((len(panel), panel.targets))
        for chosen, values in blocks(panel, last=_memory(self.context_)):
            filled = _fill(np.moveaxis(values, 1, 2))
            context = _padded(filled, self.context_)
            size = _scale(context, _floor(filled, self.season_), self.season_)
            last = context[..., -1:]
            lags = (context - last) / np.where(size > 0, size, 1)[..., None]
            lags[..., -1] = size > 0
            ahead = last + size[..., None] * (lags @ self.weights_[:, :horizon])
            mean[chosen], scale[chosen] = np.moveaxis(ahead, 2, 1), np.nan_to_num(size)
        return mean, scale

    def _paths(self, mean: np.ndarray, scale: np.ndarray, samples: int) -> np.ndarray:
        series, horizon, targets = mean.shape
        drawn = np.random.default_rng(self.seed).integers(0, len(self.residuals_), (series, samples, targets))
        errors = np.moveaxis(self.residuals_[drawn, :horizon], 3, 2)
        return mean[:, None] + scale[:, None, None, :] * errors

    def _contexts(self, panel: Panel) -> list[int]:
        """Numbers of rows to choose among, ascending."""
        if self.context is not None:
            return [self.context]
        typical = int(np.median(panel.lengths)) if len(panel) else 0
        most = min(MAX_CONTEXT, (typical - self.horizon) // 2)
        cycles = [cycle for cycle in panel.freq.cycles if cycle > 1]
        wanted = {self.horizon, 2 * self.horizon, 4, 8, 16}
        wanted |= {k * cycle + 1 for cycle in cycles for k in (1, 2, 3)}
        return sorted(c for c in wanted if 2 <= c <= most) or [max(1, most)]

    def _no_windows(self, panel: Panel) -> DataError:
        """Why there is no window to learn from: too few rows, constant series, or too many missing values."""
        longest, need = int(panel.lengths.max(initial=0)), self.context_ + self.horizon
        rows = f"{need} rows (context {self.context_} + horizon {self.horizon})"
        if longest < need:
            problem = f"{self.name} needs a series with {rows}, the longest has {longest} rows"
            return DataError(problem, "take a shorter " + Arg("horizon"), place=panel.source)
        ranges = [np.fmax.reduce(rows) - np.fmin.reduce(rows) for _, rows in panel if len(rows)]
        if not np.any(np.array(ranges) > 0):
            return DataError(f"{self.name} has nothing to learn: all series are constant", "take " + Call("Naive"))
        problem = f"{self.name} needs {rows} that are mostly observed and not the same as a season before"
        return DataError(problem, "take " + Call("SeasonalNaive" if panel.season > 1 else "Naive"))


# ── windows ───────────────────────────────────────────────────────────────────────────────────────────────────────
def _collect(panel: Panel, context: int, horizon: int, seed: int) -> Cases:
    """All windows of all series and targets, or as many as fit, spread over series and time."""
    width = context + horizon
    held = np.maximum(panel.lengths - width + 1, 0) * panel.targets
    stride = _stride(int(held.sum()), max(1, CELLS // width), panel.season)
    rng = np.random.default_rng(seed)
    parts = list(_parts(panel, context, horizon, stride, rng))
    if not parts:
        return Cases(np.zeros((0, context), np.float32), np.zeros((0, horizon), np.float32), np.zeros(0, np.int64))
    lags, ahead, age = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Cases(lags, ahead, age)


def _stride(total: int, most: int, season: int) -> int:
    """Distance of windows kept: at least total/most, and without a common factor with the season."""
    stride = -(-total // most) if total else 1
    while np.gcd(stride, season) > 1:
        stride += 1
    return stride


def _parts(
    panel: Panel, context: int, horizon: int, stride: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    width = context + horizon
    for _, values in blocks(panel):
        series = np.moveaxis(values, 1, 2).reshape(-1, values.shape[1])
        count = series.shape[1] - width + 1
        if count < 1:
            return  # blocks come longest first
        first = np.arange(count)
        keep = (count - 1 - first[None]) % stride == rng.integers(0, stride, len(series))[:, None]
        filled, seen = _fill(series), np.isfinite(series)
        keep &= np.isfinite(filled[:, :count])  # begun
        row, start = np.nonzero(keep)
        yield _cut(series, filled, seen, row, start, context, horizon, panel.season)


def _cut(
    series: np.ndarray,
    filled: np.ndarray,
    seen: np.ndarray,
    row: np.ndarray,
    start: np.ndarray,
    context: int,
    horizon: int,
    season: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lags, targets and ages of the windows that are mostly observed and not constant."""
    view = np.lib.stride_tricks.sliding_window_view
    inside, ahead = view(filled, context, axis=1)[row, start], view(series, horizon, axis=1)[row, start + context]
    size = _scale(inside, _floor(filled[:, -_memory(context) :], season)[row], season)
    total = np.concatenate([np.zeros((len(seen), 1), np.int64), seen.cumsum(axis=1)], axis=1)
    observed = 2 * (total[row, start + context] - total[row, start]) >= context
    good = observed & (2 * np.isfinite(ahead).sum(axis=1) >= horizon) & (size > 0)
    inside, ahead, size = inside[good], ahead[good], size[good, None]
    last = inside[:, -1:].copy()
    lags = ((inside - last) / size).astype(np.float32)
    lags[:, -1] = 1
    age = series.shape[1] - start[good] - context - horizon
    return lags, ((ahead - last) / size).astype(np.float32), age


def _fill(values: np.ndarray) -> np.ndarray:
    """Missing values filled with the last observed one along the last axis, never with a later one."""
    steps = np.where(np.isfinite(values), np.arange(values.shape[-1]), 0)
    return np.take_along_axis(values, np.maximum.accumulate(steps, axis=-1), axis=-1)


def _padded(filled: np.ndarray, context: int) -> np.ndarray:
    """The last ``context`` values; before the first observation that value itself."""
    first = np.isfinite(filled).argmax(axis=-1)[..., None]
    filled = np.where(np.isfinite(filled), filled, np.take_along_axis(filled, first, axis=-1))
    missing = context - filled.shape[-1]
    return np.concatenate([np.repeat(filled[..., :1], max(0, missing), axis=-1), filled[..., -context:]], axis=-1)


def _memory(context: int) -> int:
    """Rows before the origin whose changes give the least scale: a year of days, where the context is short."""
    return max(10 * context, 366)


def _apart(values: np.ndarray, season: int) -> np.ndarray:
    """Changes over a season along the last axis; without a whole season the deviations from the mean."""
    if 1 < season < values.shape[-1]:
        return values[..., season:] - values[..., :-season]
    return values - _mean(values)[..., None]


def _change(values: np.ndarray, season: int) -> np.ndarray:
    """Mean absolute change over a season along the last axis; without a whole season the mean absolute deviation."""
    return _mean(np.abs(_apart(values, season)))


def _floor(values: np.ndarray, season: int) -> np.ndarray:
    """Least scale of a window, from a longer stretch of its series: a tenth of the mean change there.

    The whole of it where many rows repeat the one before: a context of intermittent demand may hold one sale or none,
    and an error divided by the size of such a context says nothing about another.
    """
    return np.where(_repeats(values) > SPARSE, 1.0, 0.1) * _change(values, season)


def _repeats(values: np.ndarray) -> np.ndarray:
    """Share of the observed rows that repeat the one before, along the last axis."""
    steps = np.diff(values, axis=-1)
    return (steps == 0).sum(axis=-1) / np.maximum(np.isfinite(steps).sum(axis=-1), 1)


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean along the last axis, missing values skipped."""
    return np.nansum(values, axis=-1) / np.maximum(np.isfinite(values).sum(axis=-1), 1)


def _scale(context: np.ndarray, floor: np.ndarray, season: int) -> np.ndarray:
    """Size of the seasonal change in the context, at least the floor: a quiet stretch is no yardstick."""
    return np.maximum(_change(context, season), floor)


# ── the regression ────────────────────────────────────────────────────────────────────────────────────────────────
def _split(cases: Cases, horizon: int) -> tuple[Cases, Cases]:
    """Windows to train on and later windows to choose by; no target row is in both where there are enough windows."""
    last = max(1, int(np.quantile(cases.age, 0.2)))
    check, train = cases.where(cases.age < last), cases.where(cases.age >= last + horizon - 1)
    if len(train.age) < MIN_CHECKS:
        train = cases.where(cases.age >= last)
    if len(check.age) > 4000:
        check = check.where(np.arange(len(check.age)) % (len(check.age) // 4000 + 1) == 0)
    return train, check


def _choose(train: Cases, check: Cases, options: list[int], seasons: list[int]) -> Selected:
    """The choice with the least absolute error on the later windows."""
    if len(train.age) < MIN_CHECKS or not len(check.age):
        return Selected(options[0], seasons[-1] if seasons[-1] < options[0] else 0, 1.0)
    tried = {}
    for lags in options:
        values, vectors = np.linalg.eigh(_gram(train, lags))
        for season in [s for s in seasons if s < lags]:
            prior = _prior(lags, train.ahead.shape[1], season)
            moment = vectors.T @ _moment(train, lags, prior)
            for ridge in RIDGES:
                weights = prior + vectors @ (moment / (values + ridge * values.mean())[:, None])
                tried[Selected(lags, season, ridge)] = _error(check, weights)
    return min(tried, key=lambda choice: tried[choice])


def _gram(cases: Cases, lags: int) -> np.ndarray:
    part = cases.lags[:, -lags:]
    return (part.T @ part).astype(np.float64)


def _moment(cases: Cases, lags: int, prior: np.ndarray) -> np.ndarray:
    """Zᵀ(R - Z W₀), a missing target counted as what the prior says."""
    part = cases.lags[:, -lags:]
    rest = np.nan_to_num(cases.ahead - part @ prior.astype(np.float32))
    return (part.T @ rest).astype(np.float64)


def _prior(lags: int, horizon: int, season: int) -> np.ndarray:
    """``(lags, horizon)`` weights of the naive (season 0) or the seasonal naive forecast."""
    weights = np.zeros((lags, horizon))
    if season:
        step = np.arange(horizon)
        row = lags - season + step % season
        inside = row < lags - 1  # the last value itself is the zero of the scaled lags
        weights[row[inside], step[inside]] = 1
    return weights


def _solve(cases: Cases, choice: Selected) -> tuple[np.ndarray, np.ndarray]:
    """Weights on the chosen lags, and the inverse of the penalised Gram matrix."""
    gram = _gram(cases, choice.lags)
    penalty = choice.ridge * np.trace(gram) / choice.lags
    inverse = np.linalg.inv(gram + penalty * np.eye(choice.lags))
    prior = _prior(choice.lags, cases.ahead.shape[1], choice.season)
    return prior + inverse @ _moment(cases, choice.lags, prior), inverse


def _ridge(cases: Cases, choice: Selected, context: int) -> np.ndarray:
    """``(context, horizon)`` weights; lags not chosen have none."""
    weights, _ = _solve(cases, choice)
    return np.concatenate([np.zeros((context - choice.lags, weights.shape[1])), weights])


def _error(cases: Cases, weights: np.ndarray) -> float:
    return float(np.nanmean(np.abs(_residuals(cases, weights))))


def _residuals(cases: Cases, weights: np.ndarray) -> np.ndarray:
    return cases.ahead - cases.lags[:, -len(weights) :] @ weights.astype(np.float32)


def _repeated(cases: Cases) -> float:
    """Share of the windows whose first target repeats the last value."""
    return float((cases.ahead[:, 0] == 0).mean())


def _around(mean: np.ndarray, quantiles: np.ndarray, probabilities: Sequence[float]) -> np.ndarray:
    """Quantiles whose central intervals contain the point forecast.

    It is a mean: the median error of a sparse series is below 0, and a narrow band around it would lie below the mean.
    """
    p = np.array(probabilities)
    inner = np.where(p < 0.5, np.minimum(quantiles, mean[..., None]), quantiles)
    return np.where(p > 0.5, np.maximum(inner, mean[..., None]), inner)


def _left_out(cases: Cases, choice: Selected) -> np.ndarray:
    """Residuals of each window as if it had not been fitted on: e / (1 - zᵀ(ZᵀZ + λI)⁻¹z)."""
    weights, inverse = _solve(cases, choice)
    part = cases.lags[:, -choice.lags :]
    leverage = np.einsum("ij,jk,ik->i", part, inverse, part)
    return _residuals(cases, weights) / np.maximum(1 - leverage, 0.05)[:, None]


def _residual_quantiles(residuals: np.ndarray, probabilities: Sequence[float], prior: int) -> np.ndarray:
    """``(horizon, probabilities)`` quantiles of the scaled error: one shape for all steps, a width for each.

    The width of a step is drawn to that of all steps, which weighs as much as ``prior`` residuals.
    """
    square, count = np.nanmean(residuals**2, axis=0), np.isfinite(residuals).sum(axis=0)
    trust = count / np.maximum(count + prior, 1)
    width = np.sqrt(trust * square + (1 - trust) * np.nanmean(residuals**2))
    shape = residuals / np.where(width > 0, width, 1)
    return width[:, None] * np.nanquantile(shape, probabilities)
