"""The data of the charts, which the page draws with plotly.js.

To keep pages small, values are rounded to six figures, regular times are stored as start and step, and long histories
are thinned to the extremes of equal windows, which keeps peaks; the latest half is kept as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from gatecast.base.text import decimals_for
from gatecast.data.panel import Panel
from gatecast.data.wall_clock import wall_times
from gatecast.evaluation.forecast import Forecast
from gatecast.report.format import hover_format, time_texts

MOST_SERIES = 50
MOST_POINTS = 5_000
_ALL_POINTS = 200_000  # of all series and targets together

Json = dict[str, Any]


def values_list(values: np.ndarray, decimals: int | None = None) -> list[float | None]:
    """Numbers for JSON, rounded to six figures (or to ``decimals``); None for NaN and infinity."""
    values = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(values)
    if decimals is None:
        size = np.abs(values[finite]).max(initial=0.0)
        decimals = int(np.clip(6 - np.ceil(np.log10(size)), 0, 12)) if size > 0 else 0
    return [
        float(v) if ok else None for v, ok in zip(np.round(values, decimals).tolist(), finite.tolist(), strict=True)
    ]


def time_numbers(times: np.ndarray, panel: Panel) -> np.ndarray:
    """Wall-clock milliseconds since 1970, as plotly.js reads them, or the integer index."""
    if panel.freq.is_integer:
        return times.astype(np.int64)
    return wall_times(times, panel.tz).astype("datetime64[ms]").astype(np.int64)


def pack_times(numbers: np.ndarray) -> Json:
    """``{"start", "step", "count"}`` for a regular grid, ``{"at": […]}`` otherwise."""
    steps = np.diff(numbers)
    if len(numbers) > 2 and (steps == steps[0]).all():
        return {"start": int(numbers[0]), "step": int(steps[0]), "count": len(numbers)}
    return {"at": numbers.tolist()}


def thin(values: np.ndarray, most: int) -> np.ndarray:
    """Rows to keep of a long history: the latest half, and the extremes of equal windows before it."""
    rows = len(values)
    if rows <= most:
        return np.arange(rows)
    recent = rows - most // 2
    edges = np.linspace(0, recent, most // 4 + 1).astype(np.int64)
    keep = [_extremes(values[a:b]) + a for a, b in pairwise(edges.tolist()) if b > a]
    return np.unique(np.concatenate([*keep, np.arange(recent, rows)]))


def _extremes(window: np.ndarray) -> np.ndarray:
    if np.isnan(window).all():
        return np.array([0])
    return np.array([np.nanargmin(window), np.nanargmax(window)])


def most_points(histories: int) -> int:
    """Points that each of ``histories`` histories (one per series and target) may keep."""
    return int(np.clip(_ALL_POINTS // max(histories, 1), 500, MOST_POINTS))


def forecast_charts(panel: Panel, forecast: Forecast, shown: Sequence[str]) -> Json:
    """History and fan of the shown series, with the texts that the forecast table shows."""
    rows = {str(name): row for row, name in enumerate(panel.ids)}
    places = {str(name): row for row, name in enumerate(forecast.ids)}
    most = most_points(len(shown) * panel.targets)
    return {
        "model": forecast.model,
        "horizon": forecast.horizon,
        "numeric": panel.freq.is_integer,
        "hover": hover_format(panel.freq),
        "timeName": panel.time_name,
        "targets": list(panel.target_names),
        "season": panel.season,
        "levels": list(forecast.levels),
        "series": [_series(panel, rows[name], forecast, places[name], most) for name in shown],
    }


def _series(panel: Panel, row: int, forecast: Forecast, place: int, most: int) -> Json:
    values, times = panel.series(row), panel.times(row)
    future = forecast.times[place]
    return {
        "id": str(panel.ids[row]),
        "future": {"time": pack_times(time_numbers(future, panel)), "text": time_texts(future, panel)},
        "targets": [
            {
                "decimals": decimals_for(values[:, k]),
                "history": _history(values[:, k], times, panel, most),
                "forecast": _fan(forecast, place, k),
                "actual": _actual(panel, row, k, forecast.horizon),
            }
            for k in range(panel.targets)
        ],
    }


def _history(values: np.ndarray, times: np.ndarray, panel: Panel, most: int) -> Json:
    keep = thin(values, most)
    return {"time": pack_times(time_numbers(times[keep], panel)), "value": values_list(values[keep]), "of": len(values)}


def _fan(forecast: Forecast, place: int, target: int) -> Json:
    middle = forecast.quantile(0.5) if 0.5 in forecast.probabilities else forecast.mean
    point = values_list(forecast.mean[place, :, target])
    return {"middle": values_list(middle[place, :, target]), "point": point, "bands": bands(forecast, place, target)}


def bands(forecast: Forecast, place: int, target: int) -> list[Json]:
    """Intervals of one series and target, the widest first."""
    found = []
    for level in sorted(forecast.levels, reverse=True):
        low, high = (values_list(end[place, :, target]) for end in forecast.interval(level))
        found.append({"level": level, "low": low, "high": high})
    return found


def _actual(panel: Panel, row: int, target: int, horizon: int) -> list[float | None] | None:
    """Values after the origin, which a panel cut back in time has; None without any."""
    after = panel.take(np.array([row])).actual(horizon)[0, :, target]
    return values_list(after) if np.isfinite(after).any() else None


def training_chart(training: Sequence[Json]) -> Json | None:
    """Losses by step; the best step is where the validation loss is lowest."""
    if not training:
        return None
    fold = {key: [float(v) if (v := row.get(key)) is not None else np.nan for row in training] for key in _CURVES}
    best = None if np.isnan(fold["val_loss"]).all() else int(np.nanargmin(fold["val_loss"]))
    return {
        "step": [int(row["step"]) for row in training],
        "train": values_list(np.array(fold["train_loss"])),
        "val": values_list(np.array(fold["val_loss"])) if best is not None else None,
        "best": best,
    }


_CURVES = ("train_loss", "val_loss")
