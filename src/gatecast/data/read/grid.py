"""Rows onto the grid: order, duplicates, gaps; then flat arrays, one stretch of rows a series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gatecast.base.errors import DataError
from gatecast.base.text import plural, time_text
from gatecast.data.frequency import Frequency
from gatecast.data.read.infer_frequency import check_given, infer_frequency
from gatecast.data.read.table import Log
from gatecast.data.read.timezones import doubled_hour, skipped_hour

_MOST_EMPTY = 0.8  # share of rows that a given frequency may leave missing where the data keep a coarser one
_MAX_FILL = 50  # grid rows for each row given, from where on a lone wrong date is the likelier reason


@dataclass
class Long:
    """Rows of all series with their times, before they have a grid.

    Args:
        ids: names of the series.
        codes: ``(rows,)`` number of the series.
        times: ``(rows,)`` datetime64[ns] or int64.
        values: numeric columns by name, each ``(rows,)`` float64.
        rows: ``(rows,)`` row of the source, for errors.
        time_name: name of the time column.
    """

    ids: list[str]
    codes: np.ndarray
    times: np.ndarray
    values: dict[str, np.ndarray]
    rows: np.ndarray
    time_name: str

    def take(self, index: np.ndarray) -> Long:
        """These rows."""
        values = {name: column[index] for name, column in self.values.items()}
        return Long(self.ids, self.codes[index], self.times[index], values, self.rows[index], self.time_name)


def stack(long: Long, target: Sequence[str], name: str, shared: Sequence[str]) -> Long:
    """Columns of a wide table one below the other as one target; the columns that all series share are repeated."""
    count, length = len(target), len(long.times)
    values = {name: np.concatenate([long.values[column] for column in target])}
    values |= {column: np.tile(long.values[column], count) for column in shared}
    codes = np.repeat(np.arange(count), length)
    return Long(list(target), codes, np.tile(long.times, count), values, np.tile(long.rows, count), long.time_name)


@dataclass
class Grid:
    """Rows in their places: series ``i`` lies in rows ``edges[i] … edges[i + 1] - 1`` without gaps."""

    ids: list[str]
    edges: np.ndarray
    starts: np.ndarray
    freq: Frequency
    values: dict[str, np.ndarray]


def to_grid(long: Long, *, freq: Frequency | None, duplicates: str, tz: str | None, log: Log) -> Grid:
    """Sort, settle duplicates, find or check the frequency, and give each missing row a place (NaN)."""
    long = _sort(long, log)
    long = _settle_duplicates(long, duplicates, log)
    found = _frequency(long, freq, log)
    first = np.flatnonzero(np.diff(long.codes, prepend=-1))
    present = long.codes[first]
    starts = long.times[first]
    position = _positions(long, found, starts, first, freq, log)
    lengths = position[np.append(first[1:], len(position)) - 1] + 1
    edges = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = [long.ids[code] for code in present]
    total = int(edges[-1])
    if total == len(position):
        return Grid(ids, edges, starts, found, long.values)
    _check_fill(long, position, total, found, freq, log)
    _note_gaps(long, position, total, found, tz, log)
    series = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(position))))
    place = edges[series] + position
    return Grid(
        ids, edges, starts, found, {name: _spread(column, place, total) for name, column in long.values.items()}
    )


def frequency_of(long: Long, freq: Frequency | None, log: Log) -> Frequency:
    """The frequency of rows in any order, found or checked."""
    return _frequency(long.take(np.lexsort((long.times, long.codes))), freq, log)


def _frequency(long: Long, freq: Frequency | None, log: Log) -> Frequency:
    if freq is None or freq.is_integer:
        return infer_frequency(long.times, long.codes, long.time_name, log, long.rows)
    return check_given(freq, long.times, long.codes, long.time_name, log)


def _spread(column: np.ndarray, place: np.ndarray, total: int) -> np.ndarray:
    filled = np.full(total, np.nan, dtype=column.dtype)
    filled[place] = column
    return filled


def _sort(long: Long, log: Log) -> Long:
    """Rows by series, then by time."""
    later = (long.codes[1:] > long.codes[:-1]) | (
        (long.codes[1:] == long.codes[:-1]) & (long.times[1:] >= long.times[:-1])
    )
    if later.all():
        return long
    order = np.lexsort((long.times, long.codes))
    by_series = np.argsort(long.codes, kind="stable")
    inside = long.times[by_series]
    backward = (inside[1:] < inside[:-1]) & (long.codes[by_series][1:] == long.codes[by_series][:-1])
    if backward.any():
        row = int(long.rows[by_series][int(np.flatnonzero(backward)[0]) + 1])
        message = f"rows were not in order of {long.time_name}: sorted (first at {log.at(row)})"
        log.note("sorted", message, backward.sum(), long.time_name)
    return long.take(order)


def _settle_duplicates(long: Long, rule: str, log: Log) -> Long:
    """One row for each series and time, by the user's rule."""
    same = (long.codes[1:] == long.codes[:-1]) & (long.times[1:] == long.times[:-1])
    if not same.any():
        return long
    count = int(same.sum())
    if rule == "error":
        _fail_duplicates(long, same, log)
    log.note(
        "duplicates", f"{plural(count, 'row')} with a time that was there already: {rule} taken", count, long.time_name
    )
    keep = np.flatnonzero(np.append(True, ~same))
    if rule == "first":
        return long.take(keep)
    if rule == "last":
        return long.take(np.append(keep[1:], len(long.times)) - 1)
    group = np.cumsum(np.append(True, ~same)) - 1
    result = long.take(keep)
    for name, column in long.values.items():
        grouped = pd.Series(column).groupby(group)
        result.values[name] = (grouped.sum(min_count=1) if rule == "sum" else getattr(grouped, rule)()).to_numpy()
    return result


def _fail_duplicates(long: Long, same: np.ndarray, log: Log) -> None:
    where = int(np.flatnonzero(same)[0])
    rows = sorted((int(long.rows[where]), int(long.rows[where + 1])))
    doubled = long.times[1:][same]
    series = f" of series {long.ids[long.codes[where]]!r}" if len(long.ids) > 1 else ""
    problem = (
        f"{plural(int(same.sum()), 'row')} with a time that was there already: {time_text(long.times[where])}{series} "
        f"at {log.word}s {log.line(rows[0])} and {log.line(rows[1])}"
    )
    zone = doubled_hour(doubled) if long.times.dtype.kind == "M" else None
    if zone is not None:
        remedy = f'this is the hour that clocks repeat in autumn: tell the time zone, e.g. tz="{zone}"'
    else:
        equal = all(_equal(column[1:][same], column[:-1][same]) for column in long.values.values())
        remedy = (
            'choose duplicates="first", "last", "mean" or "sum", or name the column that tells series apart: id="…"'
        )
        if equal and long.values:
            remedy += " (the repeated rows agree in the columns used)"
    log.fail(problem, remedy, column=long.time_name, row=rows[1])


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.array_equal(a, b, equal_nan=True))


def _positions(
    long: Long, freq: Frequency, starts: np.ndarray, first: np.ndarray, given: Frequency | None, log: Log
) -> np.ndarray:
    """``(rows,)`` place of each row within its series."""
    counts = np.diff(np.append(first, len(long.times)))
    if freq.is_integer or freq.nanoseconds is not None:
        width = freq.step if freq.is_integer else freq.nanoseconds
        assert width is not None
        place, rest = np.divmod((long.times - np.repeat(starts, counts)).astype(np.int64), width)
        off = rest != 0
    else:
        distinct, inverse = np.unique(long.times, return_inverse=True)
        exact = freq.position(distinct[0], distinct)
        off = (exact != np.floor(exact))[inverse]
        place = np.floor(exact).astype(np.int64)[inverse]
        place = place - np.repeat(place[first], counts)
    if off.any():
        where = int(np.flatnonzero(off)[0])
        series = f" of series {long.ids[long.codes[where]]!r}" if len(long.ids) > 1 else ""
        origin = f"freq={given.alias!r}" if given is not None else f"the frequency {freq}"
        count = plural(int(off.sum()), "row")
        log.fail(
            f"{count} lie between the steps of {origin}, first {time_text(long.times[where])}{series}",
            "leave freq out to have it found, or resample the data",
            column=long.time_name,
            row=int(long.rows[where]),
        )
    return place


def _check_fill(
    long: Long, position: np.ndarray, total: int, freq: Frequency, given: Frequency | None, log: Log
) -> None:
    """A grid that would be nearly empty comes from a wrong date or a wrong frequency."""
    jumps = np.where(long.codes[1:] == long.codes[:-1], np.diff(position), 0)
    if given is not None:
        inside = jumps[jumps > 0]
        if len(inside) > 2 and inside.min() > 1 and inside.min() == np.median(inside):
            log.fail(
                f"freq={given.alias!r} was given, but the rows are {int(inside.min())} such steps apart",
                "leave freq out to have it found",
                column=long.time_name,
            )
        _check_coarser(long, position, total, freq, given, log)
    if total > max(_MAX_FILL * len(position), 5000):
        where = int(jumps.argmax()) + 1
        log.fail(
            f"{time_text(long.times[where])} comes {int(jumps.max()):,} steps ({freq}) after "
            f"{time_text(long.times[where - 1])}",
            "is one of the dates wrong? mend it or leave the row out",
            column=long.time_name,
            row=int(long.rows[where]),
        )


def _check_coarser(long: Long, position: np.ndarray, total: int, freq: Frequency, given: Frequency, log: Log) -> None:
    """A given frequency that leaves most rows empty, where the rows themselves keep a coarser one."""
    if total <= len(position) / (1 - _MOST_EMPTY):
        return
    try:
        found = infer_frequency(long.times, long.codes, long.time_name, Log(log.source), long.rows)
    except DataError:
        return  # the rows are not regular: the grid that was given is all that there is
    if found.alias != freq.alias and _rows_on(long, found) <= 2 * len(position):
        log.fail(
            f"freq={given.alias!r} was given, but the rows are at the frequency {found}: "
            f"{100 * (1 - len(position) / total):.0f} % of the rows would be missing",
            f'leave freq out, or give freq="{found}"',
            column=long.time_name,
        )


def _rows_on(long: Long, freq: Frequency) -> float:
    """Rows that the grid of this frequency would have."""
    first = np.flatnonzero(np.diff(long.codes, prepend=-1))
    last = np.append(first[1:], len(long.codes)) - 1
    spans = (freq.position(long.times[a], long.times[b : b + 1])[0] for a, b in zip(first, last, strict=True))
    return len(first) + float(sum(spans))


def _note_gaps(long: Long, position: np.ndarray, total: int, freq: Frequency, tz: str | None, log: Log) -> None:
    jumps = np.where(long.codes[1:] == long.codes[:-1], np.diff(position), 1) - 1
    gaps = np.flatnonzero(jumps > 0)
    longest = int(gaps[jumps[gaps].argmax()])
    first = int(gaps[0])
    series = f" in {plural(len(np.unique(long.codes[gaps])), 'series', 'series')}" if len(long.ids) > 1 else ""
    message = (
        f"{plural(total - len(position), 'missing row')}{series} added as missing values: {plural(len(gaps), 'gap')}, "
        f"the first after {time_text(long.times[first])}, the longest of {plural(int(jumps[longest]), 'row')} "
        f"after {time_text(long.times[longest])}"
    )
    if tz is None and freq.nanoseconds is not None and freq.nanoseconds <= 3600 * 10**9:
        after = (
            freq.times(long.times[0], 0, 1)[0]
            - long.times[0]
            + long.times[gaps]
            + np.timedelta64(freq.nanoseconds, "ns")
        )
        zone = skipped_hour(after[jumps[gaps] == 3600 * 10**9 // freq.nanoseconds], len(gaps))
        if zone is not None:
            message += f'; the hour that clocks skip in spring is among them: if times are local, tell e.g. tz="{zone}"'
    log.note("gap", message, total - len(position), long.time_name)
