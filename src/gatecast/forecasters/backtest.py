"""Rolling origins: every model forecasts the same stretches of the past and is scored on the actual values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from gatecast.base.errors import DataError, GatecastError, MissingExtraError, SettingError, UnknownNameError
from gatecast.base.findings import Arg
from gatecast.base.options import HORIZON, WINDOWS, check_value
from gatecast.base.text import plural, shorten
from gatecast.data.blocks import blocks
from gatecast.data.panel import Panel, require_panel
from gatecast.evaluation.forecast import DEFAULT_LEVELS, Forecast, checked_levels
from gatecast.forecasters.base import Forecaster, require_forecasters
from gatecast.forecasters.parallel import Workers, check_workers, run_jobs
from gatecast.forecasters.progress import progress_bar
from gatecast.forecasters.seasons import season_of

if TYPE_CHECKING:
    import pandas as pd

    from gatecast.evaluation.verdict import Verdict

_KEYS = ("series", "cutoff", "step")


@dataclass(frozen=True, eq=False, repr=False)
class Backtest:
    """Forecasts of the past with the actual values. Made by :func:`backtest`.

    Args:
        frame: long frame, one row per origin, series, step and target: ``unique_id, ds, cutoff[, variable], y``, then
            for each model ``<model>`` and its interval ends ``<model>-lo-80``, ``<model>-hi-80`` …
        models: names of the models that ran, in the order given.
        horizon: steps ahead.
        season: season of MASE and RMSSE, in steps.
        panel: the series that took part, up to their last rows.
        cutoffs: ``(origins,)`` time of the last row seen at each origin (the latest over the series).
        levels: interval levels in percent.
        step: rows between two origins.
        seconds: model → ``{"fit": …, "predict": …}``, summed over the origins.
        failed: model → reason.
        left_out: models that could not take part (a missing extra), with the reason.
        notes: windows reduced, series left out, and notes of the forecasts.
        scales: ``(series, targets, 2)`` mean absolute and root mean squared seasonal difference before the first
            origin; NaN where it is zero or unknown.
    """

    frame: pd.DataFrame
    models: list[str]
    horizon: int
    season: int
    panel: Panel
    cutoffs: np.ndarray
    levels: tuple[float, ...]
    step: int
    seconds: dict[str, dict[str, float]]
    failed: dict[str, str]
    left_out: list[str]
    notes: list[str]
    scales: np.ndarray = field(repr=False)

    def __repr__(self) -> str:
        origins, series, horizon, targets = self.shape
        size = [plural(origins, "origin"), plural(series, "series", "series"), plural(horizon, "step")]
        failed = f", failed: {', '.join(self.failed)}" if self.failed else ""
        many = f" × {targets} targets" if targets > 1 else ""
        return f"Backtest({', '.join(self.models)}: {' × '.join(size)}{many}{failed})"

    def to_frame(self) -> pd.DataFrame:
        """The long frame (a copy)."""
        return self.frame.copy()

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(origins, series, horizon, targets)``: the rows of the frame in this order."""
        return len(self.cutoffs), len(self.panel), self.horizon, self.panel.targets

    def scores(self, by: str = "model", metrics: Sequence[str] | None = None) -> pd.DataFrame:
        """Metrics of every model (see :data:`gatecast.evaluation.METRICS` for formulas and units).

        Args:
            by: ``"model"`` for one row a model; ``"series"``, ``"cutoff"`` or ``"step"`` (1 … horizon) for one row
                per such group and model.
            metrics: names; None takes all.

        Returns:
            Frame indexed by ``model``, or by the group's key(s) and ``model``; one column a metric.
        """
        from gatecast.evaluation.metrics import Rows, metric_names, score

        if by != "model" and by not in _KEYS:
            raise SettingError(Arg("by") + f" must be one of model, {', '.join(_KEYS)}, got {by!r}")
        scale = np.broadcast_to(self.scales[None, :, None], (*self.shape, 2)).reshape(-1, 2)
        rows = Rows(self.frame, self.models, self.levels, scale[:, 0], scale[:, 1])
        code = np.arange(len(self.panel) * self.panel.targets).reshape(1, len(self.panel), 1, -1)
        series = np.broadcast_to(code, self.shape).reshape(-1)
        return score(rows, self._keys(by), series, metrics or metric_names(self.levels))

    def _keys(self, by: str) -> pd.DataFrame:
        import pandas as pd

        if by == "model":
            return pd.DataFrame(index=self.frame.index)
        if by == "series":
            return self.frame[["unique_id", "variable"] if "variable" in self.frame else ["unique_id"]]
        steps = np.arange(1, self.horizon + 1)[:, None]
        values = self.cutoffs[:, None, None, None] if by == "cutoff" else steps
        return pd.DataFrame({by: np.broadcast_to(values, self.shape).reshape(-1)}, index=self.frame.index)

    def losses(self) -> tuple[str, dict[str, np.ndarray]]:
        """The metric compared, and for each model the ``(series × targets, origins)`` mean absolute (scaled) error.

        The metric is MASE, or MAE where no series has a scale, over the values that every model forecast.
        """
        origins, series, _, targets = self.shape
        known = bool(np.isfinite(self.scales[..., 0]).any())
        scale = self.scales[..., 0] if known else np.ones((series, targets))
        actual = self.frame["y"].to_numpy().reshape(self.shape)
        errors = {m: np.abs(actual - self.frame[m].to_numpy().reshape(self.shape)) for m in self.models}
        common = np.all([np.isfinite(e) for e in errors.values()], axis=0)
        count = common.sum(axis=2)
        sums = {m: np.where(common, e, 0.0).sum(axis=2) for m, e in errors.items()}
        mean = {m: np.where(count > 0, s / np.maximum(count, 1), np.nan) / scale for m, s in sums.items()}
        return "MASE" if known else "MAE", {m: v.reshape(origins, -1).T for m, v in mean.items()}

    def verdict(self, candidate: str | None = None) -> Verdict:
        """Judge one model against the others, in words.

        Args:
            candidate: name of the model judged; None takes ``"LSTM"``, else the first model that ran.

        Raises:
            UnknownNameError: the backtest has no such model.
        """
        from gatecast.evaluation.verdict import judge

        metric, losses = self.losses()
        if candidate is not None and candidate not in {*self.models, *self.failed}:
            known = f"it has {', '.join(self.models)}"
            raise UnknownNameError(f"the backtest has no model {candidate!r}", known)
        chosen = candidate or "LSTM"
        return judge(
            losses,
            candidate=chosen if chosen in self.models else self.models[0],
            metric=metric,
            overlap=-(-self.horizon // self.step) - 1,
            left_out=self.left_out,
            failed=self.failed,
            covariates_used=bool(self.panel.past_names or self.panel.known_names),
            remarks=self._unscaled(),
        )

    def plot(
        self, ids: str | Sequence[str] | None = None, *, models: Sequence[str] | None = None, ax: Any = None
    ) -> Any:
        """Forecasts from every past origin over the actual values, by matplotlib (extra ``plot``).

        Args:
            ids: as for :meth:`Forecast.plot`, which says what is returned and raised too.
            models: names of the models to draw; None takes all.
            ax: as there.

        Raises:
            SettingError: for a model that the backtest does not have.
        """
        from gatecast.forecasters.backtest_plot import plot_backtest

        return plot_backtest(self, ids, models, ax)

    def _unscaled(self) -> list[str]:
        missing = ~np.isfinite(self.scales[..., 0])
        if not missing.any() or missing.all():
            return ["MASE is undefined here (constant or short history), so MAE decides."] if missing.all() else []
        return [f"MASE leaves out {int(missing.sum())} of {missing.size} series: constant or shorter than a season."]


def backtest(
    models: Sequence[Forecaster],
    panel: Panel,
    horizon: int,
    *,
    windows: int = 5,
    step: int | None = None,
    refit: bool = False,
    levels: Sequence[float] = DEFAULT_LEVELS,
    future_known: bool = True,
    season: int | None = None,
    left_out: Sequence[str] = (),
    progress: bool | None = None,
    workers: Workers = None,
) -> Backtest:
    """Forecast the last ``windows`` stretches of the panel with every model, each from the rows before it.

    Args:
        models: forecasters with different names; each is cloned, never changed. One that fails is recorded in
            ``failed``, and the others go on.
        panel: the series.
        horizon: steps ahead.
        windows: number of origins; where series are too short for it, they are left out, or all get fewer: whichever
            leaves the more windows over all series. A note says so.
        step: rows between two origins; None takes ``horizon`` (no overlap).
        refit: fit again at every origin; False fits once, before the first.
        levels: central interval levels in percent.
        future_known: known covariates of the steps ahead may be read as they turned out; False makes them past
            covariates, known only up to each origin.
        season: of MASE and RMSSE in steps; None takes ``panel.season``.
        left_out: names of models that are not run, with the reason; the verdict lists them.
        progress: show a progress bar; None shows it in a terminal.
        workers: None: one fit after the other; a number of local processes, or ``"ray"`` for a Ray cluster: each model
            is a job, with ``refit=True`` each model and origin. The forecasts are the same.

    Raises:
        DataError: where no series is long enough for a single window.
        SettingError: for arguments that do not fit.
    """
    step = horizon if step is None else step
    require_forecasters("models", models)
    require_panel(panel)
    _check(models, horizon, windows, step)
    levels = checked_levels(levels)
    check_workers(workers)
    panel = panel if future_known else _hide_future(panel)
    windows, alive, notes = _plan(panel, horizon, windows, step, season_of(season, panel))
    panel = panel.take(alive) if len(alive) < len(panel) else panel
    season = season_of(season, panel)
    cuts = [horizon + step * back for back in reversed(range(windows))]
    origins = [panel.cut(rows) for rows in cuts]
    parts = [[rows] for rows in cuts] if refit else [cuts]
    jobs = [(model, part) for model in models for part in parts]
    runs, failed, missing = dict[str, _ModelRun](), dict[str, str](), list(left_out)
    with progress_bar("backtest", len(models) * windows, progress) as advance:
        results = run_jobs(_run_model, (panel, horizon, levels), jobs, workers=workers)
        for (model, part), result in zip(jobs, results, strict=True):
            advance(len(part), model.name)
            if isinstance(result, _ModelRun):
                runs[model.name] = runs[model.name] + result if model.name in runs else result
            elif isinstance(result, MissingExtraError):
                missing.append(f"{model.name} ({result})")
            else:
                failed[model.name], reason = f"{type(result).__name__}: {result}", result
    runs = {name: run for name, run in runs.items() if name not in failed}
    missing = list(dict.fromkeys(missing))
    if not runs:
        raise GatecastError(_all_failed(failed, missing)) from (reason if failed else None)
    return Backtest(
        frame=_frame(origins, horizon, [run.columns for run in runs.values()]),
        models=list(runs),
        horizon=horizon,
        season=season,
        panel=panel,
        cutoffs=np.array([origin.cutoffs.max() for origin in origins]),
        levels=levels,
        step=step,
        seconds={name: run.seconds for name, run in runs.items()},
        failed=failed,
        left_out=missing,
        notes=notes + [f"{name}: {note}" for name, run in runs.items() for note in run.notes],
        scales=seasonal_scales(origins[0], season),
    )


def seasonal_scales(panel: Panel, season: int) -> np.ndarray:
    """``(series, targets, 2)`` mean |y[t] - y[t-season]| and √mean (y[t] - y[t-season])²; NaN where 0 or unknown."""
    scales = np.full((len(panel), panel.targets, 2), np.nan)
    for chosen, values in blocks(panel):
        if values.shape[1] <= season:
            continue
        change = np.abs(values[:, season:] - values[:, :-season])
        count = np.maximum(np.isfinite(change).sum(axis=1), 1)
        scales[chosen, :, 0] = np.nansum(change, axis=1) / count
        scales[chosen, :, 1] = np.sqrt(np.nansum(change**2, axis=1) / count)
    return np.where(scales > 0, scales, np.nan)


# ── the plan ──────────────────────────────────────────────────────────────────────────────────────────────────────
def _check(models: Sequence[Forecaster], horizon: int, windows: int, step: int) -> None:
    if not models:
        raise SettingError("backtest needs at least one model", "e.g. backtest([Naive()], panel, 14)")
    for name, value, bounds in (("horizon", horizon, HORIZON), ("windows", windows, WINDOWS), ("step", step, HORIZON)):
        check_value(Arg(name), value, "int", bounds)
    names = [model.name for model in models]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingError(f"two models are named {twice[0]!r}", "rename one: " + Arg("name", f"{twice[0]} 2"))


def _hide_future(panel: Panel) -> Panel:
    hidden = replace(panel, past=np.concatenate([panel.past, panel.known], axis=1), known=panel.known[:, :0])
    return hidden.with_schema(past=panel.past_names + panel.known_names, known=())


def _plan(panel: Panel, horizon: int, windows: int, step: int, season: int) -> tuple[int, np.ndarray, list[str]]:
    """Number of windows, positions of the series that hold as many, and notes.

    The number is the one that gives the most windows over all series: a few short series are left out, and many
    shorten the backtest. Of two numbers that give as many, the larger is taken.
    """
    comfortable = 2 * horizon + season  # rows left to learn from at the first origin
    needs = [horizon + step * back + (comfortable if back else 2) for back in range(windows)]
    held = [int((panel.lengths >= least).sum()) for least in needs]
    if not held[0]:
        raise _too_short(panel, horizon, needs[0])
    reduced = max(range(1, windows + 1), key=lambda count: (count * held[count - 1], count))
    least = needs[reduced - 1]
    alive = np.flatnonzero(panel.lengths >= least)
    notes = []
    if reduced < windows:
        notes.append(_reduced_note(panel, windows, reduced, needs[-1]))
    if len(alive) < len(panel):
        short = panel.ids[panel.lengths < least]
        which = f"{len(short)} of {len(panel)} series left out of the backtest"
        notes.append(f"{which}: fewer than {least} rows ({shorten(list(map(str, short)), 5)}).")
    return reduced, alive, notes


def _reduced_note(panel: Panel, windows: int, reduced: int, needed: int) -> str:
    """Why there are fewer windows than requested, and which series have enough rows for all of them."""
    said = f"{plural(reduced, 'window')} instead of {windows}:"
    short = panel.ids[panel.lengths < needed]
    if len(short) == len(panel):
        return f"{said} the longest series has {int(panel.lengths.max())} rows, and {windows} need {needed}."
    which = f"{len(short)} of {len(panel)} series have fewer than {needed} rows ({shorten(list(map(str, short)), 5)})"
    return f"{said} {which}. A backtest of the other series alone has {windows}."


def _too_short(panel: Panel, horizon: int, least: int) -> DataError:
    longest = int(panel.lengths.max(initial=0))
    needs = f" needs a series of at least {least} rows, the longest has {longest}"
    return DataError(
        "a backtest with " + Arg("horizon", horizon) + needs,
        "take a shorter " + Arg("horizon") + f" (at most {max(1, longest - 2)} here) or more data",
        place=panel.source,
    )


def _all_failed(failed: dict[str, str], left_out: list[str]) -> str:
    return "no model could be run: " + "; ".join([*[f"{k}: {v}" for k, v in failed.items()], *left_out])


# ── the run ───────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class _ModelRun:
    """Some origins of one model: columns ``(origins, series, horizon, targets)`` flattened, seconds, notes."""

    columns: dict[str, np.ndarray]
    seconds: dict[str, float]
    notes: list[str]

    def __add__(self, later: _ModelRun) -> _ModelRun:
        columns = {name: np.concatenate([values, later.columns[name]]) for name, values in self.columns.items()}
        seconds = {name: value + later.seconds[name] for name, value in self.seconds.items()}
        return _ModelRun(columns, seconds, list(dict.fromkeys([*self.notes, *later.notes])))


def _run_model(
    shared: tuple[Panel, int, tuple[float, ...]], model: Forecaster, cuts: list[int]
) -> _ModelRun | Exception:
    """One fit, before the first of the origins, and the forecast from each; or the error."""
    panel, horizon, levels = shared
    try:
        begin = perf_counter()
        fitted = model.clone().fit(panel.cut(cuts[0]))
        middle = perf_counter()
        parts, notes = [], dict[str, None]()
        for rows in cuts:
            origin = panel.cut(rows)
            forecast = fitted.predict(horizon, panel=origin, levels=levels)
            parts.append(_columns(model.name, forecast, (len(origin), horizon, origin.targets), levels))
            notes.update(dict.fromkeys(forecast.notes))
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return _ModelRun(columns, {"fit": middle - begin, "predict": perf_counter() - middle}, list(notes))
    except Exception as error:  # one model must not end the run; its reason is reported
        return error


def _columns(name: str, forecast: Forecast, shape: tuple[int, ...], levels: tuple[float, ...]) -> dict[str, np.ndarray]:
    if forecast.mean.shape != shape:
        raise ValueError(f"the forecast has shape {forecast.mean.shape}, expected (series, horizon, targets) = {shape}")
    columns = {name: np.asarray(forecast.mean, np.float64).reshape(-1)}
    for level in sorted(set(levels) & set(forecast.levels)):
        low, high = forecast.interval(level)
        columns[f"{name}-lo-{level:g}"] = np.asarray(low, np.float64).reshape(-1)
        columns[f"{name}-hi-{level:g}"] = np.asarray(high, np.float64).reshape(-1)
    return columns


def _frame(origins: list[Panel], horizon: int, columns: list[dict[str, np.ndarray]]) -> pd.DataFrame:
    import pandas as pd

    actual = [Forecast("y", origin, origin.actual(horizon).astype(np.float64)).to_frame() for origin in origins]
    merged = {name: values for part in columns for name, values in part.items()}
    return pd.concat([pd.concat(actual, ignore_index=True), pd.DataFrame(merged)], axis=1)
