"""What the calendar says about a row: the hour, the weekday, the time of year, as numbers a network can use.

Each cycle that is longer than the step gives a sine and a cosine, so that 23:59 lies beside 00:00; where the weekday
counts, steps of a day or less get a weekend flag. Series without dates have no calendar. NumPy only: a forecast does
not import pandas.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from gatecast.data.frequency import Frequency

_DAY = 86400 * 10**9
_LENGTHS = {"minute": 60 * 10**9, "hour": 3600 * 10**9, "day": _DAY, "week": 7 * _DAY, "year": 365 * _DAY}


def calendar_cycles(
    freq: Frequency, start: np.datetime64 | np.int64 | None = None, rows: int | None = None
) -> tuple[str, ...]:
    """Cycles of the calendar that the frequency resolves, shortest first; with ``rows``, those that they hold twice.

    A cycle seen once looks like a trend: twelve months of training teach a network that February is high because it was
    high in that year.

    Args:
        freq: distance of two rows.
        start: time of the first row.
        rows: rows from the first to the last one; None for all cycles of the frequency.

    Example:
        >>> import numpy as np
        >>> from gatecast.data.frequency import Frequency
        >>> calendar_cycles(Frequency("D"))
        ('week', 'year')
        >>> calendar_cycles(Frequency("D"), np.datetime64("2020-01-30", "ns"), 500)
        ('week',)
    """
    cycles = _cycles(freq)
    if rows is None or not cycles:
        return cycles
    assert start is not None
    first, after = freq.times(start, 0, 1)[0], freq.times(start, rows, 1)[0]
    span = int((after - first).astype("timedelta64[ns]").astype(np.int64))
    return tuple(cycle for cycle in cycles if span >= 2 * _LENGTHS[cycle])


def calendar_names(freq: Frequency, cycles: Sequence[str] | None = None) -> tuple[str, ...]:
    """Names of the calendar features that steps of this frequency have; empty for series without dates.

    Args:
        freq: distance of two rows.
        cycles: some of :func:`calendar_cycles`; None for all.

    Example:
        >>> from gatecast.data.frequency import Frequency
        >>> calendar_names(Frequency("MS"))
        ('year_sin', 'year_cos')
    """
    cycles = _cycles(freq) if cycles is None else cycles
    waves = [f"{cycle}_{wave}" for cycle in cycles for wave in ("sin", "cos")]
    return (*waves, "weekend") if _has_weekends(freq, cycles) else tuple(waves)


def calendar_table(
    freq: Frequency,
    start: np.datetime64 | np.int64,
    first: int,
    count: int,
    *,
    cycles: Sequence[str] | None = None,
    tz: str | None = None,
) -> np.ndarray:
    """Calendar features of rows ``first … first + count - 1`` counted from ``start``: ``(count, features)`` float32.

    Args:
        freq: distance of two rows.
        start: time of row 0; in UTC where ``tz`` is given.
        first: first row, may be negative.
        count: number of rows.
        cycles: some of :func:`calendar_cycles`; None for all.
        tz: time zone whose clock on the wall counts; None for naive times.
    """
    cycles = _cycles(freq) if cycles is None else cycles
    if not cycles:
        return np.zeros((count, 0), np.float32)
    moments = freq.times(start, first, count)
    if tz is not None:
        moments = local_times(moments, tz)
    phases = [2 * np.pi * _fraction(cycle, moments) for cycle in cycles]
    columns = [wave(phase) for phase in phases for wave in (np.sin, np.cos)]
    if _has_weekends(freq, cycles):
        columns.append(_weekday(moments) >= 5)
    return np.stack(columns, axis=1).astype(np.float32)


def local_times(moments: np.ndarray, tz: str) -> np.ndarray:
    """Wall clock of UTC moments in a time zone, as naive datetime64[ns]."""
    quarter = moments.astype("datetime64[s]").astype(np.int64) // 900  # no clock changes within a quarter of an hour
    if not len(quarter):
        return moments
    days, row = np.unique(quarter // 96, return_inverse=True)
    at_start = np.array([_offset(tz, int(day) * 86400) for day in days])
    at_end = np.array([_offset(tz, int(day) * 86400 + 86399) for day in days])
    seconds = at_start[row]
    for k in np.flatnonzero((at_start != at_end)[row]):
        seconds[k] = _offset(tz, int(quarter[k]) * 900)
    return moments + seconds.astype("timedelta64[s]")


@lru_cache(maxsize=65536)
def _offset(tz: str, second: int) -> int:
    """Seconds by which the clock in ``tz`` is ahead of UTC at this second of the epoch."""
    moment = datetime.fromtimestamp(second, tz=UTC).astimezone(ZoneInfo(tz))
    offset = moment.utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def _cycles(freq: Frequency) -> tuple[str, ...]:
    """Cycles longer than one step, shortest first; a step that is a multiple of a cycle does not see it."""
    if freq.is_integer:
        return ()
    if freq.months is not None:
        return ("year",) if freq.months % 12 else ()
    step = freq.nanoseconds
    if step is None:
        return ("week", "year")  # business days and their kind
    return tuple(
        cycle
        for cycle, length in _LENGTHS.items()
        if cycle == "year" or (step % length and (length <= 60 * step or length >= _DAY))
    )


def _has_weekends(freq: Frequency, cycles: Sequence[str]) -> bool:
    step = freq.nanoseconds
    return "week" in cycles and step is not None and step <= _DAY


def _weekday(moments: np.ndarray) -> np.ndarray:
    """Day of the week, Monday 0."""
    return (moments.astype("datetime64[D]").astype(np.int64) + 3) % 7


def _fraction(cycle: str, moments: np.ndarray) -> np.ndarray:
    """How far through the cycle each moment is, from 0 to 1."""
    if cycle == "year":
        year = moments.astype("datetime64[Y]")
        first, following = year.astype("datetime64[ns]"), (year + 1).astype("datetime64[ns]")
        return (moments - first).astype(np.float64) / (following - first).astype(np.float64)
    nanoseconds = moments.astype("datetime64[ns]").astype(np.int64)
    if cycle == "week":
        return _weekday(moments) / 7 + (nanoseconds % _DAY) / (7 * _DAY)
    return (nanoseconds % _LENGTHS[cycle]) / _LENGTHS[cycle]
