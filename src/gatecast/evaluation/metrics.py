"""Accuracy of forecasts: every metric with its formula, unit and source, over any grouping of a backtest's rows.

The errors themselves come from utilsforecast. Here they are grouped: missing actual values are skipped; metrics
without a unit (MASE, RMSSE, MAPE, sMAPE) are computed for each series and then averaged, so that every series has
the same weight; metrics in the unit of the target, WQL, coverage and width pool all values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from utilsforecast import losses

from gatecast.base.errors import SettingError

_GROUP = {"id_col": "group", "target_col": "y", "cutoff_col": "no cutoff"}


@dataclass(frozen=True)
class Rows:
    """Actual values and forecasts that a metric is computed from.

    Args:
        values: columns ``y``, the models, their interval ends ``<model>-lo-<level>``/``-hi-``, and ``group``.
        models: names of the models.
        levels: interval levels in percent present for the models.
        scale: ``(rows,)`` of ``values``: the series' mean absolute seasonal difference before the first cutoff.
        root_scale: ``(rows,)`` of ``values``: the root mean squared seasonal difference.
    """

    values: pd.DataFrame
    models: list[str]
    levels: tuple[float, ...]
    scale: np.ndarray
    root_scale: np.ndarray

    def over(self, scale: np.ndarray) -> pd.DataFrame:
        """Actual values and forecasts in units of the scale; missing where the scale is 0 or unknown."""
        columns = ["y", *self.models]
        safe = np.where(scale > 0, scale, np.nan)
        scaled = self.values[columns].div(safe, axis=0)
        return scaled.assign(group=self.values["group"])


@dataclass(frozen=True)
class Metric:
    """One metric.

    Args:
        formula: y actual, ŷ forecast, e = y - ŷ; the mean runs over all values of the group.
        unit: ``"target"`` for the target's own unit, ``"%"``, or ``""`` for a plain ratio.
        lower_is_better: None for coverage, which should equal its level.
        source: where the definition is given.
        per_series: averaged over series rather than over values.
        compute: one row per group, one column per model.
    """

    formula: str
    unit: str
    lower_is_better: bool | None
    source: str
    per_series: bool
    compute: Callable[[Rows], pd.DataFrame]


def _mae(rows: Rows) -> pd.DataFrame:
    return _indexed(losses.mae(rows.values, rows.models, **_GROUP))


def _rmse(rows: Rows) -> pd.DataFrame:
    return _indexed(losses.rmse(rows.values, rows.models, **_GROUP))


def _mase(rows: Rows) -> pd.DataFrame:
    return _indexed(losses.mae(rows.over(rows.scale), rows.models, **_GROUP))


def _rmsse(rows: Rows) -> pd.DataFrame:
    return _indexed(losses.rmse(rows.over(rows.root_scale), rows.models, **_GROUP))


def _mape(rows: Rows) -> pd.DataFrame:
    return 100 * _indexed(losses.mape(rows.values, rows.models, **_GROUP))


def _smape(rows: Rows) -> pd.DataFrame:
    return 200 * _indexed(losses.smape(rows.values, rows.models, **_GROUP))


def _wql(rows: Rows) -> pd.DataFrame:
    """Twice the quantile loss summed over values, divided by Σ|y|, averaged over the quantiles of the intervals."""
    total = rows.values["y"].abs().groupby(rows.values["group"]).mean()
    parts = []
    for probability, suffix in _quantile_suffixes(rows.levels).items():
        present = {model: model + suffix for model in rows.models if model + suffix in rows.values}
        if present:
            parts.append(_indexed(losses.quantile_loss(rows.values, present, probability, **_GROUP)))
    mean = pd.concat(parts).groupby(level=0).mean()
    return 2 * mean.div(total.where(total > 0), axis=0)


def weighted_interval_score(
    actual: np.ndarray, median: np.ndarray, intervals: Mapping[float, tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """The weighted interval score of each value, as forecast hubs use it; it approximates the CRPS.

        WIS = (½ |y - m| + Σ αₖ/2 ISₖ) / (K + ½),   ISₖ = (u - l) + 2/αₖ max(l - y, 0) + 2/αₖ max(y - u, 0)

    with the K central intervals [l, u] of level 100 (1 - αₖ) % (Bracher, Ray, Gneiting & Reich 2021, PLoS Comput. Biol.
    17:e1008618, eq. 1 and 3).

    Args:
        actual: y, of any shape.
        median: m, of the same shape.
        intervals: level in percent → lower and upper ends, each of the same shape.

    Returns:
        The score of each value, in the unit of the target; NaN where something is missing.

    Example:
        >>> import numpy as np
        >>> from gatecast.evaluation import weighted_interval_score
        >>> float(weighted_interval_score(np.array(12.0), np.array(10.0), {50: (np.array(9.0), np.array(11.0))}))
        1.6666666666666667
    """
    y, m = np.asarray(actual, np.float64), np.asarray(median, np.float64)
    total = np.abs(y - m) / 2
    for level, (lower, upper) in intervals.items():
        alpha = 1 - level / 100
        missed = np.maximum(lower - y, 0) + np.maximum(y - upper, 0)
        total = total + alpha / 2 * (upper - lower) + missed
    return np.asarray(total / (len(intervals) + 0.5))


def _wis(rows: Rows) -> pd.DataFrame:
    scores = {model: _wis_of(rows, model) for model in rows.models}
    return pd.DataFrame(scores, index=rows.values.index).groupby(rows.values["group"]).mean()


def _wis_of(rows: Rows, model: str) -> np.ndarray:
    """Scores of one model's rows; the point forecast stands for the median. NaN without intervals."""
    columns = {level: (f"{model}-lo-{level:g}", f"{model}-hi-{level:g}") for level in rows.levels}
    ends = {k: (rows.values[low], rows.values[high]) for k, (low, high) in columns.items() if low in rows.values}
    if not ends:
        return np.full(len(rows.values), np.nan)
    numbers = {level: (low.to_numpy(), high.to_numpy()) for level, (low, high) in ends.items()}
    return weighted_interval_score(rows.values["y"].to_numpy(), rows.values[model].to_numpy(), numbers)


def _quantile_suffixes(levels: Sequence[float]) -> dict[float, str]:
    """Probability → end of the column's name; the point forecast stands for the median."""
    lower = {(100 - level) / 200: f"-lo-{level:g}" for level in levels}
    upper = {(100 + level) / 200: f"-hi-{level:g}" for level in levels}
    return {**lower, 0.5: "", **upper}


def _coverage(level: float) -> Callable[[Rows], pd.DataFrame]:
    def compute(rows: Rows) -> pd.DataFrame:
        present = [m for m in rows.models if f"{m}-lo-{level:g}" in rows.values]
        inside = {m: _inside(rows.values, m, level) for m in present}
        return 100 * pd.DataFrame(inside).groupby(rows.values["group"]).mean()

    return compute


def _inside(values: pd.DataFrame, model: str, level: float) -> pd.Series:
    low, high = values[f"{model}-lo-{level:g}"], values[f"{model}-hi-{level:g}"]
    inside = values["y"].between(low, high).astype(float)
    return inside.where(low.notna() & high.notna())  # utilsforecast counts a missing interval as a miss


def _width(level: float) -> Callable[[Rows], pd.DataFrame]:
    def compute(rows: Rows) -> pd.DataFrame:
        present = [m for m in rows.models if f"{m}-lo-{level:g}" in rows.values]
        width = {m: rows.values[f"{m}-hi-{level:g}"] - rows.values[f"{m}-lo-{level:g}"] for m in present}
        return pd.DataFrame(width).groupby(rows.values["group"]).mean()

    return compute


def _indexed(table: pd.DataFrame) -> pd.DataFrame:
    return table.set_index("group")


_FPP = "Hyndman & Athanasopoulos (2021), FPP3 §5.8"
_SCALED = "Hyndman & Koehler (2006), Int. J. Forecasting 22:679"
METRICS: dict[str, Metric] = {
    "MASE": Metric("mean |e| / mean |y[t] - y[t-season]| before the first cutoff", "", True, _SCALED, True, _mase),
    "RMSSE": Metric(
        "√(mean e² / mean (y[t] - y[t-season])² before the first cutoff)",
        "",
        True,
        "Makridakis, Spiliotis & Assimakopoulos (2022), M5",
        True,
        _rmsse,
    ),
    "MAE": Metric("mean |e|", "target", True, _FPP, False, _mae),
    "RMSE": Metric("√(mean e²)", "target", True, _FPP, False, _rmse),
    "MAPE": Metric("100 mean |e| / |y|, y = 0 skipped", "%", True, _FPP, True, _mape),
    "sMAPE": Metric(
        "200 mean |e| / (|y| + |ŷ|)", "%", True, "Makridakis & Hibon (2000), M3, as used in M4", True, _smape
    ),
    "WQL": Metric(
        "mean over the quantiles q given of 2 Σ max(q e, (q - 1) e) / Σ|y|; approximates the CRPS over Σ|y|",
        "",
        True,
        "Rangapuram et al. (2021), ICML",
        False,
        _wql,
    ),
    "WIS": Metric(
        "mean of (½ |y - m| + Σ αₖ/2 ISₖ) / (K + ½) over the K intervals given, m the point forecast",
        "target",
        True,
        "Bracher, Ray, Gneiting & Reich (2021), PLoS Comput. Biol. 17:e1008618",
        False,
        _wis,
    ),
}


def metric(name: str) -> Metric:
    """The metric of that name; ``coverage-80`` and ``width-80`` are made for any level.

    Raises:
        SettingError: unknown name.
    """
    kind, _, level = name.rpartition("-")
    if name not in METRICS and (kind not in {"coverage", "width"} or not level.replace(".", "", 1).isdigit()):
        known = ", ".join([*METRICS, "coverage-80", "width-80"])
        raise SettingError(f"there is no metric {name!r}", f"the metrics are {known}")
    if kind == "coverage":
        formula = f"share of y inside the {level} % interval"
        return Metric(formula, "%", None, "Gneiting & Raftery (2007), JASA 102:359", False, _coverage(float(level)))
    if kind == "width":
        return Metric(f"mean width of the {level} % interval", "target", True, _FPP, False, _width(float(level)))
    return METRICS[name]


def metric_names(levels: Sequence[float]) -> list[str]:
    """All metrics for forecasts with intervals of these levels."""
    return [*METRICS, *[f"{kind}-{level:g}" for level in levels for kind in ("coverage", "width")]]


def score(rows: Rows, by: pd.DataFrame, series: np.ndarray, metrics: Sequence[str]) -> pd.DataFrame:
    """Scores of every model in every group.

    Args:
        rows: actual values and forecasts.
        by: ``(rows,)`` key columns of the groups; no column for one group of all.
        series: ``(rows,)`` integer code of the series of each row.
        metrics: names, see :data:`METRICS`.

    Returns:
        One row per group and model (index: the key columns and ``model``), one column per metric.
    """
    rows, by, series = _seen(rows, by, series)
    group, keys = _codes(by)
    code, pairs = _pairs(group, series)
    grouped = {False: _grouped(rows, group), True: _grouped(rows, code)}
    columns = {}
    for name in metrics:
        wanted = metric(name)
        table = wanted.compute(grouped[wanted.per_series])
        if wanted.per_series:
            table = table.groupby(pairs[table.index.to_numpy()]).mean()
        table.index.name, table.columns.name = "group", "model"
        columns[name] = table.reindex(columns=rows.models).stack(future_stack=True)
    return _labelled(pd.DataFrame(columns), keys)


def _seen(rows: Rows, by: pd.DataFrame, series: np.ndarray) -> tuple[Rows, pd.DataFrame, np.ndarray]:
    """Only the rows with an actual value."""
    seen = rows.values["y"].notna().to_numpy()
    if seen.all():
        return rows, by, np.asarray(series)
    kept = Rows(rows.values[seen], rows.models, rows.levels, rows.scale[seen], rows.root_scale[seen])
    return kept, by[seen], np.asarray(series)[seen]


def _grouped(rows: Rows, group: np.ndarray) -> Rows:
    """The same rows with the group of each; columns are shared, not copied."""
    values = rows.values.copy(deep=False)
    values["group"] = group
    return Rows(values, rows.models, rows.levels, rows.scale, rows.root_scale)


def _codes(by: pd.DataFrame) -> tuple[np.ndarray, pd.DataFrame]:
    """Integer code of each row's group, and the keys behind the codes."""
    if by.shape[1] == 0:
        return np.zeros(len(by), np.int64), pd.DataFrame(index=[0])
    grouped = by.groupby(list(by.columns), sort=False)
    first = by.assign(group=grouped.ngroup()).drop_duplicates("group")
    return grouped.ngroup().to_numpy(), first.set_index("group")


def _pairs(group: np.ndarray, series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Integer code of each (group, series) pair, and the group behind each code."""
    count = int(series.max(initial=0)) + 1
    pairs, code = np.unique(group * count + series, return_inverse=True)
    return code, pairs // count


def _labelled(table: pd.DataFrame, keys: pd.DataFrame) -> pd.DataFrame:
    """The keys instead of the codes."""
    flat = table.reset_index()
    for label in keys.columns:
        flat[label] = keys[label].loc[flat["group"]].array
    return flat.drop(columns="group").set_index([*keys.columns, "model"])
