"""The backtest on the page: metric table, errors by step, coverage, forecasts by origin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gatecast.base.text import decimals_for, number
from gatecast.report.charts import Json, time_numbers, values_list

if TYPE_CHECKING:
    import pandas as pd

    from gatecast.data.panel import Panel
    from gatecast.evaluation.verdict import Verdict
    from gatecast.forecasters.backtest import Backtest

_MOST_ORIGIN_VALUES = 300_000
_BY_STEP = ("MASE", "MAE", "RMSE", "sMAPE")


_MEANING = {
    "MASE": "error in units of the seasonal naive error in the past; below 1 is better than that",
    "RMSSE": "like MASE, but large errors weigh more",
    "MAE": "average error",
    "RMSE": "like MAE, but large errors weigh more",
    "MAPE": "error relative to the actual value; misleading near zero",
    "sMAPE": "error relative to the size of both values, 0 to 200 %",
    "WQL": "error of the whole distribution, relative to the values",
    "WIS": "error of the whole distribution in the target's unit, as forecast hubs score it",
    "coverage": "should be near the level",
    "width": "narrower is sharper, where the coverage holds",
}
_UNITS = {"target": "in the unit of the target", "%": "in percent", "": "without a unit"}


@dataclass(frozen=True)
class Column:
    """Name, formula and unit of a metric, shown with its numbers."""

    name: str
    label: str
    unit: str
    formula: str
    meaning: str
    lower_is_better: bool | None

    @property
    def level(self) -> float:
        """Level of a coverage or width, in percent."""
        return float(self.name.rpartition("-")[2])


def column(name: str) -> Column:
    """The column of a metric, by its name."""
    from gatecast.evaluation.metrics import metric

    found = metric(name)
    kind, _, level = name.partition("-")
    label = f"{'Cover' if kind == 'coverage' else 'Width'} {level} %" if level else name
    meaning = f"{_MEANING.get(kind, '')}; {_UNITS[found.unit]}".removeprefix("; ")
    return Column(name, label, found.unit, found.formula, meaning, None if kind == "width" else found.lower_is_better)


class Accuracy:
    """A backtest with the scores that the page needs more than once.

    Args:
        backtest: past forecasts.
        wanted: the model to judge; where it did not run, the first model of the backtest is judged.
    """

    def __init__(self, backtest: Backtest, wanted: str) -> None:
        self.backtest = backtest
        self.candidate = wanted if wanted in backtest.models else str(backtest.models[0])

    @cached_property
    def verdict(self) -> Verdict:
        """Whether the model is better than the others."""
        return self.backtest.verdict(self.candidate)

    @cached_property
    def overall(self) -> pd.DataFrame:
        """One row per model, best first; one column per metric that has a value, the leading one first."""
        frame = self.backtest.scores().dropna(axis=1, how="all")
        return frame.sort_values(str(frame.columns[0]), kind="stable")

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics."""
        return [str(name) for name in self.overall.columns]

    @property
    def models(self) -> list[str]:
        """Names of the models, best first."""
        return [str(name) for name in self.overall.index]

    def coverage(self, model: str) -> list[Json]:
        """Share of actual values inside each central interval of a model, over all origins, series and steps."""
        return _coverage(self.backtest.frame, model)


def metric_table(accuracy: Accuracy) -> Json:
    """Rows of the metric table, best first by the leading metric; the best of each column is marked."""
    frame, seconds = accuracy.overall, accuracy.backtest.seconds
    columns = [column(name) for name in accuracy.metrics]
    cells = [_cells(one, frame[one.name].to_numpy(np.float64)) for one in columns]
    rows = [
        {
            "model": model,
            "candidate": model == accuracy.candidate,
            "cells": [cell[i] for cell in cells],
            "seconds": float(sum(seconds[model].values())),
        }
        for i, model in enumerate(accuracy.models)
    ]
    return {"columns": columns, "rows": rows, "lead": columns[0].label}


def _cells(one: Column, values: np.ndarray) -> list[Json]:
    decimals = {"%": 1, "": 3}.get(one.unit, decimals_for(values))
    best = _best(one, values)
    return [{"text": number(v, decimals), "best": i in best} for i, v in enumerate(values)]


def _best(one: Column, values: np.ndarray) -> set[int]:
    """Rows with the best value: the smallest, for coverage the nearest to its level; empty for widths."""
    if one.name.startswith("coverage-"):
        values = np.abs(values - one.level)
    elif not one.lower_is_better:
        return set()
    if not np.isfinite(values).any():
        return set()
    return set(np.flatnonzero(np.isclose(values, np.nanmin(values), rtol=1e-9, atol=0)).tolist())


def step_chart(accuracy: Accuracy) -> Json:
    """Error of each model by step ahead, for the leading metrics."""
    names = [name for name in accuracy.metrics if name in _BY_STEP]
    frame = accuracy.backtest.scores(by="step", metrics=names).reset_index().sort_values("step", kind="stable")
    by_model = {model: frame[frame["model"] == model] for model in accuracy.models}
    return {
        "step": sorted({int(step) for step in frame["step"]}),
        "metrics": [
            {
                "label": name,
                "unit": column(name).unit,
                "values": {model: values_list(rows[name].to_numpy(np.float64)) for model, rows in by_model.items()},
            }
            for name in names
        ],
    }


def _coverage(frame: pd.DataFrame, model: str) -> list[Json]:
    prefix = f"{model}-lo-"
    levels = sorted(float(name.removeprefix(prefix)) for name in frame.columns if str(name).startswith(prefix))
    points = []
    for level in levels:
        low, high = (frame[f"{model}-{end}-{level:g}"].to_numpy(np.float64) for end in ("lo", "hi"))
        actual = frame["y"].to_numpy(np.float64)
        known = np.isfinite(actual) & np.isfinite(low) & np.isfinite(high)
        inside = (actual >= low) & (actual <= high)
        if known.any():
            points.append({"level": level, "share": float(inside[known].mean()), "n": int(known.sum())})
    return points


def calibration_chart(accuracy: Accuracy) -> Json | None:
    """Coverage of every model with intervals; None without any."""
    found = {model: points for model in accuracy.models if (points := accuracy.coverage(model))}
    return found or None


def rank_series(accuracy: Accuracy) -> tuple[dict[str, float], str]:
    """Error of the candidate on each series, the worst first, and the name of the metric."""
    lead = accuracy.metrics[0]
    frame = accuracy.backtest.scores(by="series", metrics=[lead]).reset_index()
    mine = frame[frame["model"] == accuracy.candidate].groupby("unique_id", sort=False)[lead].mean().dropna()
    ranked = mine.sort_values(ascending=False, kind="stable")
    return {str(name): float(value) for name, value in ranked.items()}, lead


def origin_charts(accuracy: Accuracy, panel: Panel, shown: Sequence[str]) -> Json:
    """Forecasts of every model by origin for the shown series; None separates the origins."""
    frame, models = accuracy.backtest.frame, accuracy.models
    per_series = max(1, len(frame) // max(len(accuracy.backtest.panel), 1) * 2 * len(models))
    kept = list(shown)[: max(1, _MOST_ORIGIN_VALUES // per_series)]
    known = frame[frame["unique_id"].isin(kept)]
    levels = [point["level"] for point in accuracy.coverage(accuracy.candidate)]
    groups = {str(name): rows for name, rows in known.groupby("unique_id", sort=False)}
    return {
        "level": min(levels, default=None),
        "kept": len(kept),
        "series": {name: _origins(rows, panel, accuracy, levels) for name, rows in groups.items()},
    }


def _origins(rows: pd.DataFrame, panel: Panel, accuracy: Accuracy, levels: list[float]) -> list[Json]:
    """One entry a target."""
    parts = [rows]
    if "variable" in rows.columns:
        parts = [rows[rows["variable"] == name] for name in panel.target_names]
    return [_origins_of_target(part.sort_values(["cutoff", "ds"]), panel, accuracy, levels) for part in parts]


def _origins_of_target(rows: pd.DataFrame, panel: Panel, accuracy: Accuracy, levels: list[float]) -> Json:
    models, candidate = accuracy.models, accuracy.candidate
    breaks = np.flatnonzero(np.diff(rows["cutoff"].factorize()[0])) + 1

    def apart(values: list[Any]) -> list[Any]:
        pieces = np.split(np.arange(len(values)), breaks)
        return [v for piece in pieces for v in (*(values[i] for i in piece), None)][:-1]

    lines: dict[str, Json] = {model: {"middle": apart(values_list(rows[model].to_numpy()))} for model in models}
    if levels:
        for key, end in (("low", "lo"), ("high", "hi")):
            lines[candidate][key] = apart(values_list(rows[f"{candidate}-{end}-{min(levels):g}"].to_numpy()))
    return {
        "time": apart(_column_numbers(rows["ds"], panel).tolist()),
        "cutoffs": np.unique(_column_numbers(rows["cutoff"], panel)).tolist(),
        "actual": apart(values_list(rows["y"].to_numpy())),
        "models": lines,
    }


def _column_numbers(column: pd.Series, panel: Panel) -> np.ndarray:
    """Times of a frame column as the charts hold them."""
    if panel.freq.is_integer:
        return column.to_numpy()
    if column.dt.tz is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    return time_numbers(column.to_numpy().astype("datetime64[ns]"), panel)
