"""The known covariates of the future, from a filled-in frame or a file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from gatecast.base.errors import DataError
from gatecast.base.findings import Arg, Call, Finding
from gatecast.base.text import nearest, plural, shorten, time_text
from gatecast.data.panel import Panel
from gatecast.data.read.dates import parse_times, usable_format
from gatecast.data.read.files import load_table
from gatecast.data.read.indicators import indicate
from gatecast.data.read.number_text import to_float
from gatecast.data.read.origin import note
from gatecast.data.read.roles import codes_of, series_names
from gatecast.data.read.table import Table
from gatecast.data.read.times import read_times
from gatecast.data.read.timezones import to_utc
from gatecast.data.schema import Names, Schema

_FRAME = Call("panel.future_frame", ...)
_FILL_IN = "fill in " + _FRAME


def add_future(panel: Panel, frame: Any, *, date_format: str | None = None, horizon: int | None = None) -> Panel:
    """The panel with the known covariates of the future from a filled-in :meth:`gatecast.Panel.future_frame`.

    Args:
        panel: the panel to forecast from.
        frame: pandas, polars or pyarrow frame, dict of columns or file, read by ``panel.schema``; rows up to the origin
            are left aside.
        date_format: of the time column, where it is text that may be day first or month first.
        horizon: steps that are needed; later rows are left aside. None takes all.

    Raises:
        DataError: where a column, a series, a step or a value is missing; it names them.
    """
    if not panel.known_names:
        problem = "the panel has no known covariates to give a future for"
        raise DataError(problem, "read it with " + Arg("known", ["…"]), place=panel.source)
    schema = Schema(decimal=panel.schema.decimal, missing=panel.schema.missing)
    table, _ = load_table(frame, schema)
    table, unseen = indicate(table, panel.schema.indicators)
    time, ids = _key_columns(panel, table)
    series = _series_of(panel, table, ids)
    times = _times_of(panel, table, time, series, date_format)
    steps, ahead = _steps_ahead(panel, table, series, times)
    late = steps >= horizon if horizon is not None else np.zeros(len(steps), dtype=bool)
    ahead &= ~late
    _require_some(panel, series[ahead], times, horizon or 1, table)
    lengths = _lengths(panel, series[ahead], steps[ahead], table)
    columns = [to_float(table[name], schema.decimal, table.decimal)[0] for name in panel.known_names]
    values = np.stack(columns, axis=1)
    future = np.full((len(panel), int(lengths.max()), len(panel.known_names)), np.nan, panel.known.dtype)
    future[series[ahead], steps[ahead]] = values[ahead]
    _require_values(panel, future, lengths, table.origin.source)
    message = f"known covariates of {plural(int(lengths.max()), 'step')} ahead added"
    if not ahead.all():
        message += (
            f"; {plural(int((~ahead).sum()), 'row')} {'outside the horizon' if late.any() else 'up to the origin'} "
        )
        message += "left aside"
    added = [note("future", message, lengths.sum()), *(one for one in unseen if one.kind == "unknown level")]
    return _extended(panel, future, lengths, added)


# ── reading the future ────────────────────────────────────────────────────────────────────────────────────────────────
def _key_columns(panel: Panel, table: Table) -> tuple[Names, Names]:
    """Columns of the times and of the series: those of the source, or the joined ones of ``future_frame``."""
    time = _present(table, panel.schema.time or (), panel.time_name)
    ids = _present(table, panel.schema.id or (), panel.id_name)
    if len(panel) == 1 and not set(ids) <= set(table.names):
        ids = ()  # there is one series to which the rows can belong
    lacking = [name for name in (*time, *ids, *panel.known_names) if name not in table.names]
    if lacking:
        near = {name: nearest(name, table.names, cutoff=0.6) for name in lacking}
        meant = ", ".join(f"{name!r} for {there!r}" for name, there in near.items() if there)
        problem = f"the future has no column {shorten(lacking)}; it has {shorten(table.names)}"
        raise table.origin.error(problem, f"name the columns as in the data: {meant}" if meant else _FILL_IN)
    return time, ids


def _present(table: Table, columns: Names, joined: str) -> Names:
    if columns and (joined not in table.names or set(columns) <= set(table.names)):
        return columns
    return (joined,) if joined else ()


def _series_of(panel: Panel, table: Table, ids: Names) -> np.ndarray:
    """Position of each row's series."""
    if not ids:
        return np.zeros(len(table), np.int64)
    columns = [table[name] for name in ids]
    codes = codes_of(columns)
    names = series_names(columns, codes)
    position = pd.Index(panel.ids.astype(str)).get_indexer(pd.Index(names))[codes]
    unknown = np.flatnonzero(position < 0)
    if len(unknown):
        row = int(unknown[0])
        raise table.origin.error(
            f"the panel has no series {names[codes[row]]!r}; it has {shorten(list(panel.ids))}",
            "leave such rows out",
            column=" + ".join(ids),
            row=row,
        )
    return position.astype(np.int64)


def _times_of(panel: Panel, table: Table, time: Names, series: np.ndarray, date_format: str | None) -> np.ndarray:
    schema, heading = panel.schema, " + ".join(time)
    if len(time) > 1:
        stamps, _ = read_times(table, time, date_format or schema.portable().date_format)
    else:
        form = date_format or usable_format(table[time[0]], schema.date_format)
        stamps, _ = parse_times(table[time[0]], form, timelike=not panel.freq.is_integer)
    if stamps.is_integer != panel.freq.is_integer:
        kinds = ("whole numbers", "dates") if stamps.is_integer else ("dates", "whole numbers")
        raise table.origin.error(
            f"the times are {kinds[0]}, those of the panel {kinds[1]}", "use the panel's", column=heading
        )
    if stamps.is_integer or stamps.tz is not None or panel.tz is None:
        return stamps.values
    return to_utc(stamps.values, series, panel.tz, heading, table.origin)[0]


def _steps_ahead(panel: Panel, table: Table, series: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``(rows,)`` steps after the origin, counted from 0, and which rows lie after it."""
    steps = np.empty(len(times))
    for k in np.unique(series):
        mine = series == k
        steps[mine] = panel.freq.position(panel.future_times_of(int(k)), times[mine])
    off = np.flatnonzero(steps != np.floor(steps))
    if len(off):
        row = int(off[0])
        raise table.origin.error(
            f"{time_text(times[row])} lies between the steps ({panel.freq}) of series {panel.ids[series[row]]!r}",
            "use the times of " + _FRAME,
            column=panel.time_name,
            row=row,
        )
    whole = steps.astype(np.int64)
    return whole, whole >= 0


def _require_some(panel: Panel, series: np.ndarray, times: np.ndarray, horizon: int, table: Table) -> None:
    """Check that every series has a row ahead; the error names the times expected and those given."""
    without = np.flatnonzero(np.bincount(series, minlength=len(panel)) == 0)
    if not len(without):
        return
    names, wanted = shorten([panel.ids[k] for k in without]), panel.future_times(horizon)[without[0]]
    expected = time_text(wanted[0]) + (f" to {time_text(wanted[-1])}" if horizon > 1 else "")
    some = f"the rows given are from {time_text(times.min())} to {time_text(times.max())}"
    came = some if len(without) == len(panel) else "only other series have rows there"
    raise table.origin.error(
        f"no rows after the origin for series {names}: expected {expected}, but {came}",
        _FILL_IN,
    )


def _lengths(panel: Panel, series: np.ndarray, steps: np.ndarray, table: Table) -> np.ndarray:
    """``(series,)`` number of steps given; each series must have all steps from the first on, each once."""
    lengths = np.zeros(len(panel), np.int64)
    np.maximum.at(lengths, series, steps + 1)
    given = np.bincount(series, minlength=len(panel))
    pairs = np.unique(np.stack([series, steps]), axis=1)
    if pairs.shape[1] < len(series):
        raise table.origin.error(
            "a series has the same time twice", "give one row a series and step", column=panel.time_name
        )
    gap = np.flatnonzero(given < lengths)
    if len(gap):
        k = int(gap[0])
        absent = np.setdiff1d(np.arange(lengths[k]), steps[series == k])
        dates = shorten([time_text(time) for time in panel.future_times(int(lengths[k]))[k][absent]])
        raise table.origin.error(f"no rows for series {panel.ids[k]!r} at {dates}", _FILL_IN)
    return lengths


def _require_values(panel: Panel, future: np.ndarray, lengths: np.ndarray, source: str) -> None:
    inside = np.arange(future.shape[1]) < lengths[:, None]
    missing = np.argwhere(~np.isfinite(future) & inside[..., None])
    if not len(missing):
        return
    k, _, column = missing[0]
    steps = missing[(missing[:, 0] == k) & (missing[:, 2] == column), 1]
    dates = shorten([time_text(time) for time in panel.future_times(int(lengths[k]))[k][steps]])
    names = [panel.schema.source_of(name) for name in panel.known_names]
    others = sorted({names[c] for c in missing[:, 2]} - {names[column]})
    more = f" (missing values also in {', '.join(others)})" if others else ""
    where = f"series {str(panel.ids[k])!r} has no value at {dates}{more}"
    problem = f"the known covariate {names[column]!r} of {where}"
    raise DataError(problem, "give it for every step of the future", place=source)


def _extended(panel: Panel, future: np.ndarray, lengths: np.ndarray, added: list[Finding]) -> Panel:
    """New flat arrays: the past of each series, then its future."""
    past = panel.end - panel.begin
    begin = np.concatenate([[0], np.cumsum(past + lengths)[:-1]]).astype(np.int64)
    total = int((past + lengths).sum())
    series = np.repeat(np.arange(len(panel)), past)
    offset = np.arange(len(series)) - np.repeat(np.cumsum(past) - past, past)
    old, new = panel.begin[series] + offset, begin[series] + offset
    blocks: dict[str, Any] = {}
    for name in ("target", "past", "known"):
        source = getattr(panel, name)
        blocks[name] = np.full((total, source.shape[1]), np.nan, source.dtype)
        blocks[name][new] = source[old]
    for k, length in enumerate(lengths):
        row = begin[k] + past[k]
        blocks["known"][row : row + length] = future[k, :length]
    end = begin + past
    return replace(panel, begin=begin, end=end, stop=end + lengths, repairs=(*panel.repairs, *added), **blocks)
