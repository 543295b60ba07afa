"""Rows onto the grid: order, duplicates, gaps; then flat arrays, one stretch of rows a series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from gatecast.base.errors import DataError
from gatecast.base.findings import Arg, Finding, Text, Words
from gatecast.base.text import plural, time_text
from gatecast.data.frequency import Frequency
from gatecast.data.read.infer_frequency import check_given, infer_frequency
from gatecast.data.read.months import to_months
from gatecast.data.read.origin import Origin, note
from gatecast.data.read.timezones import doubled_hour, skipped_hour

_MOST_EMPTY = 0.8  # share of rows that a given frequency may leave missing where the data keep a coarser one
_DAY = 86400 * 10**9
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
        origin: of the rows.
    """

    ids: list[str]
    codes: np.ndarray
    times: np.ndarray
    values: dict[str, np.ndarray]
    rows: np.ndarray
    time_name: str
    origin: Origin

    def take(self, index: np.ndarray) -> Long:
        """These rows."""
        values = {name: column[index] for name, column in self.values.items()}
        codes, times, rows = (column[index] for column in (self.codes, self.times, self.rows))
        return replace(self, codes=codes, times=times, values=values, rows=rows)

    def error(self, problem: Words, remedy: Words, row: int | np.integer | None = None) -> DataError:
        """The error at the time of a row of these."""
        return self.origin.error(problem, remedy, column=self.time_name, row=None if row is None else self.rows[row])

    def of_series(self, row: int | np.integer) -> str:
        """`` of series 'a'``, where there are several."""
        return f" of series {self.ids[self.codes[row]]!r}" if len(self.ids) > 1 else ""


def stack(long: Long, target: Sequence[str], name: str, shared: Sequence[str]) -> Long:
    """Columns of a wide table one below the other as one target; the columns that all series share are repeated."""
    count, length = len(target), len(long.times)
    values = {name: np.concatenate([long.values[column] for column in target])}
    values |= {column: np.tile(long.values[column], count) for column in shared}
    codes, times, rows = np.repeat(np.arange(count), length), np.tile(long.times, count), np.tile(long.rows, count)
    return replace(long, ids=list(target), codes=codes, times=times, values=values, rows=rows)


@dataclass
class Grid:
    """Rows in their places: series ``i`` lies in rows ``edges[i] … edges[i + 1] - 1`` without gaps."""

    ids: list[str]
    edges: np.ndarray
    starts: np.ndarray
    freq: Frequency
    values: dict[str, np.ndarray]


def to_grid(long: Long, *, freq: Frequency | None, duplicates: str, tz: str | None) -> tuple[Grid, list[Finding]]:
    """Sorted rows: settle duplicates, find or check the frequency, and give each missing row a place (NaN)."""
    long, findings = _without_duplicates(long, duplicates)
    long, days = _whole_days(long, freq, tz)
    long, moved = to_months(long, freq)
    findings += [*days, *moved]
    found = _frequency(long, freq)
    first = np.flatnonzero(np.diff(long.codes, prepend=-1))
    starts = long.times[first]
    position = _positions(long, found, starts, first, freq)
    lengths = position[np.append(first[1:], len(position)) - 1] + 1
    edges = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = [long.ids[code] for code in long.codes[first]]
    total = int(edges[-1])
    if total == len(position):
        return Grid(ids, edges, starts, found, long.values), findings
    _check_fill(long, position, total, found, freq)
    series = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(position))))
    place = edges[series] + position
    values = {name: _spread(column, place, total) for name, column in long.values.items()}
    return Grid(ids, edges, starts, found, values), [*findings, _gaps(long, position, total, found, tz)]


def frequency_of(long: Long, freq: Frequency | None, tz: str | None) -> Frequency:
    """The frequency of rows in any order, found or checked."""
    days = _whole_days(sorted_rows(long)[0], freq, tz)[0]
    return _frequency(to_months(days, freq)[0], freq)


def _frequency(long: Long, freq: Frequency | None) -> Frequency:
    if freq is None or freq.is_integer:
        return infer_frequency(long.times, long.codes, long.time_name, long.origin, long.rows)
    return check_given(freq, long.times, long.codes, long.time_name, long.origin)


def _whole_days(long: Long, freq: Frequency | None, tz: str | None) -> tuple[Long, list[Finding]]:
    """Daily rows whose hour changes now and then, as days: a report that came at 18:00 and later at 17:00.

    Times with a zone are kept in UTC, whose days are not the local ones: they are left as they are.
    """
    times = long.times
    if times.dtype.kind == "i" or freq is not None or tz is not None or len(times) < 8:
        return long, []
    days = times.astype("datetime64[D]")
    inside = long.codes[1:] == long.codes[:-1]
    steps = np.diff(days).astype(np.int64)[inside]
    clocks, counts = np.unique((times - days).astype(np.int64), return_counts=True)
    near = np.diff(times).astype(np.int64)[inside] % _DAY
    shifted = np.minimum(near, _DAY - near)
    if len(clocks) < 2 or not len(steps) or (steps < 1).any() or (steps == 1).mean() < 0.8:
        return long, []
    if len(clocks) > 4 or (shifted > 0).mean() > 0.1 or shifted.max() > _DAY // 8:
        return long, []
    shown = ", ".join(str(np.datetime64(int(clock), "ns"))[11:16] for clock in clocks[np.argsort(-counts)])
    row = int(np.flatnonzero(inside)[np.flatnonzero(shifted)[0]]) + 1
    message = f"one row a day at changing hours ({shown}): read as days (first at {long.origin.at(long.rows[row])})"
    return replace(long, times=days.astype("datetime64[ns]")), [
        note("clock", message, shifted.astype(bool).sum(), long.time_name)
    ]


def _spread(column: np.ndarray, place: np.ndarray, total: int) -> np.ndarray:
    filled = np.full(total, np.nan, dtype=column.dtype)
    filled[place] = column
    return filled


def sorted_rows(long: Long) -> tuple[Long, list[Finding]]:
    """Rows by series, then by time."""
    later = (long.codes[1:] > long.codes[:-1]) | (
        (long.codes[1:] == long.codes[:-1]) & (long.times[1:] >= long.times[:-1])
    )
    if later.all():
        return long, []
    ordered = long.take(np.lexsort((long.times, long.codes)))
    by_series = np.argsort(long.codes, kind="stable")
    inside = long.times[by_series]
    backward = (inside[1:] < inside[:-1]) & (long.codes[by_series][1:] == long.codes[by_series][:-1])
    if not backward.any():
        return ordered, []
    row = int(long.rows[by_series][int(np.flatnonzero(backward)[0]) + 1])
    message = f"rows were not in order of {long.time_name}: sorted (first at {long.origin.at(row)})"
    return ordered, [note("sorted", message, backward.sum(), long.time_name)]


_KEPT = {"first": "kept the first row of each", "last": "kept the last row of each"}


def _without_duplicates(long: Long, rule: str) -> tuple[Long, list[Finding]]:
    """One row for each series and time, by the given rule."""
    same = (long.codes[1:] == long.codes[:-1]) & (long.times[1:] == long.times[:-1])
    if not same.any():
        return long, []
    count = int(same.sum())
    if rule == "error":
        raise _duplicates(long, same)
    kept = _KEPT.get(rule, f"took the {rule} of each")
    findings = [note("duplicates", f"{plural(count, 'duplicate timestamp')}: {kept}", count, long.time_name)]
    keep = np.flatnonzero(np.append(True, ~same))
    if rule == "last":
        return long.take(np.append(keep[1:], len(long.times)) - 1), findings
    result = long.take(keep)
    if rule != "first":
        group = np.cumsum(np.append(True, ~same)) - 1
        for name, column in long.values.items():
            grouped = pd.Series(column).groupby(group)
            result.values[name] = (grouped.sum(min_count=1) if rule == "sum" else getattr(grouped, rule)()).to_numpy()
    return result, findings


def _duplicates(long: Long, same: np.ndarray) -> DataError:
    where = int(np.flatnonzero(same)[0])
    rows = sorted((int(long.rows[where]), int(long.rows[where + 1])))
    origin = long.origin
    problem = (
        f"{plural(int(same.sum()), 'duplicate timestamp')}: {time_text(long.times[where])}{long.of_series(where)} "
        f"at {origin.word}s {origin.line(rows[0])} and {origin.line(rows[1])}"
    )
    zone = doubled_hour(long.times[1:][same]) if long.times.dtype.kind == "M" else None
    remedy: Words
    if zone is not None:
        remedy = "this is the hour that clocks repeat in autumn: give the time zone, e.g. " + Arg("tz", zone)
    else:
        rules = Arg("duplicates", "first") + ', "last", "mean" or "sum"'
        remedy = "choose " + rules + ", or name the column that tells series apart: " + Arg("id", ...)
        if long.values and all(_equal(column[1:][same], column[:-1][same]) for column in long.values.values()):
            remedy += " (the repeated rows agree in the columns used)"
    return origin.error(problem, remedy, column=long.time_name, row=rows[1])


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(np.array_equal(a, b, equal_nan=True))


def _positions(
    long: Long, freq: Frequency, starts: np.ndarray, first: np.ndarray, given: Frequency | None
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
        steps = Text(Arg("freq", given.alias)) if given is not None else f"the frequency {freq}"
        problem = f"{plural(int(off.sum()), 'row')} lie between the steps of " + Text() + steps
        problem += f", first {time_text(long.times[where])}{long.of_series(where)}"
        raise long.error(problem, _LEAVE_OUT + " to have it found, or resample the data", where)
    return place


_LEAVE_OUT = "leave " + Arg("freq") + " out"


def _check_fill(long: Long, position: np.ndarray, total: int, freq: Frequency, given: Frequency | None) -> None:
    """Refuse a grid that would be nearly empty: a date or the frequency is wrong."""
    jumps = np.where(long.codes[1:] == long.codes[:-1], np.diff(position), 0)
    if given is not None:
        inside = jumps[jumps > 0]
        if len(inside) > 2 and inside.min() > 1 and inside.min() == np.median(inside):
            problem = Arg("freq", given.alias) + f" was given, but the rows are {int(inside.min())} such steps apart"
            raise long.error(problem, _LEAVE_OUT + " to have it found")
        _check_coarser(long, position, total, freq, given)
    if total > max(_MAX_FILL * len(position), 5000):
        where = int(jumps.argmax()) + 1
        before, after = time_text(long.times[where - 1]), time_text(long.times[where])
        jump = f"{after} comes {int(jumps.max()):,} steps ({freq}) after {before}"
        raise long.error(jump, "is one of the dates wrong? correct it or leave the row out", where)


def _check_coarser(long: Long, position: np.ndarray, total: int, freq: Frequency, given: Frequency) -> None:
    """Refuse a frequency that leaves most rows empty, where the rows themselves keep a coarser one."""
    if total <= len(position) / (1 - _MOST_EMPTY):
        return
    try:
        found = _frequency(long, None)
    except DataError:
        return  # the rows are not regular: there is no other grid than the given one
    if found.alias != freq.alias and _rows_on(long, found) <= 2 * len(position):
        empty = f"{100 * (1 - len(position) / total):.0f} % of the rows would be missing"
        problem = Arg("freq", given.alias) + f" was given, but the rows are at the frequency {found}: {empty}"
        raise long.error(problem, _LEAVE_OUT + ", or give " + Arg("freq", str(found)))


def _rows_on(long: Long, freq: Frequency) -> float:
    """Rows that the grid of this frequency would have."""
    first = np.flatnonzero(np.diff(long.codes, prepend=-1))
    last = np.append(first[1:], len(long.codes)) - 1
    spans = (freq.position(long.times[a], long.times[b : b + 1])[0] for a, b in zip(first, last, strict=True))
    return len(first) + float(sum(spans))


def _gaps(long: Long, position: np.ndarray, total: int, freq: Frequency, tz: str | None) -> Finding:
    jumps = np.where(long.codes[1:] == long.codes[:-1], np.diff(position), 1) - 1
    gaps = np.flatnonzero(jumps > 0)
    longest, first = int(gaps[jumps[gaps].argmax()]), int(gaps[0])
    missing = total - len(position)
    series = f" in {plural(len(np.unique(long.codes[gaps])), 'series', 'series')}" if len(long.ids) > 1 else ""
    message = (
        f"{plural(missing, 'missing row')}{series} added as missing values: {plural(len(gaps), 'gap')}, the first "
        f"after {time_text(long.times[first])}, the longest of {plural(int(jumps[longest]), 'row')} "
        f"after {time_text(long.times[longest])}"
    )
    zone = _skipped_in(long, jumps, gaps, freq) if tz is None else None
    remedy: Words = ""
    if zone is not None:
        message += "; the hour that clocks skip in spring is among them"
        remedy = "if times are local, give the time zone, e.g. " + Arg("tz", zone)
    return note("gap", message, missing, long.time_name, remedy)


def _skipped_in(long: Long, jumps: np.ndarray, gaps: np.ndarray, freq: Frequency) -> str | None:
    """The time zone whose clock skips the hour that is missing in most gaps."""
    width, hour = freq.nanoseconds, 3600 * 10**9
    if width is None or width > hour:
        return None
    after = long.times[gaps] + np.timedelta64(width, "ns")
    return skipped_hour(after[jumps[gaps] == hour // width], len(gaps))
