"""Rows at odd times onto a regular grid, where the user asks for it: one value for each step, by a rule."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg, Finding
from gatecast.base.text import plural
from gatecast.data.calendar import local_times
from gatecast.data.frequency import Frequency
from gatecast.data.read.origin import note

if TYPE_CHECKING:
    from gatecast.data.read.grid import Long

_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_MONDAY = np.datetime64("1969-12-29")


def in_utc(freq: Frequency) -> bool:
    """Whether steps are shorter than a day; days and longer steps are those of the local calendar."""
    return freq.nanoseconds is not None and freq.nanoseconds < 86400 * 10**9


def resample(long: Long, freq: Frequency, rule: str, tz: str | None) -> tuple[Long, list[Finding]]:
    """One row for each step in which a series has rows; steps without any are gaps.

    Args:
        long: rows sorted by series and time.
        freq: steps of fixed width, weeks, months, quarters or years.
        rule: ``"mean"``, ``"sum"``, ``"min"``, ``"max"``, ``"median"``, ``"first"`` or ``"last"`` of a step's values.
        tz: time zone of the times, which are in UTC then.

    Raises:
        DataError: the times are plain numbers.
        SettingError: steps without a place in the calendar, such as business days.
    """
    if long.times.dtype.kind == "i":
        problem = Arg("resample", freq.alias) + " was given, but the times are plain numbers"
        raise long.error(problem, "leave it out, or give dates")
    local = long.times if tz is None or in_utc(freq) else local_times(long.times, tz)
    times = step_of(local, freq)
    group = np.cumsum(np.append(True, (long.codes[1:] != long.codes[:-1]) | (times[1:] != times[:-1]))) - 1
    first = np.flatnonzero(np.diff(group, prepend=-1))
    result = replace(long.take(first), times=times[first])
    for name, column in long.values.items():
        grouped = pd.Series(column).groupby(group)
        result.values[name] = (grouped.sum(min_count=1) if rule == "sum" else getattr(grouped, rule)()).to_numpy()
    message = f"{plural(len(times), 'row')} resampled to {plural(len(first), 'step')} ({freq}), the {rule} of each"
    return result, [note("resampled", message, len(times), long.time_name), *_partial(result, group, freq, rule)]


def step_of(times: np.ndarray, freq: Frequency) -> np.ndarray:
    """Where the step begins that each time lies in (for ``ME``, ``QE`` and ``YE``: the last day of the step)."""
    unit = freq._parts[1]
    if unit == "W":
        anchor = freq.alias.rpartition("-")[2]
        day = _WEEKDAYS.index(anchor) if anchor in _WEEKDAYS else 0
        origin = (_MONDAY + day).astype("datetime64[ns]")
    else:
        origin = np.datetime64("1970-01-01", "ns")
    if freq.nanoseconds is not None:
        width = np.int64(freq.nanoseconds)
        return origin + ((times - origin).astype(np.int64) // width * width).astype("timedelta64[ns]")
    if freq._month_step is None or freq.alias.partition("-")[2]:
        problem = Arg("resample", freq.alias) + " has no steps that times can be put into"
        raise SettingError(problem, 'expected one like "5min", "h", "D", "W", "MS", "QS" or "YS"')
    months = times.astype("datetime64[M]").astype(np.int64) // freq._month_step * freq._month_step
    begins = months.astype("datetime64[M]")
    if freq.at_month_end:
        return ((begins + freq._month_step).astype("datetime64[D]") - 1).astype("datetime64[ns]")
    return begins.astype("datetime64[ns]")


def _partial(result: Long, group: np.ndarray, freq: Frequency, rule: str) -> list[Finding]:
    """That a sum over an unfinished last step is too small."""
    if rule != "sum":
        return []
    counts = np.bincount(group)
    ends = np.append(result.codes[1:] != result.codes[:-1], True)
    short = int((counts[ends] < 0.8 * np.median(counts)).sum())
    if not short:
        return []
    message = f"the last step ({freq}) of {plural(short, 'series', 'series')} has fewer rows than usual: its sum is low"
    return [note("unfinished step", message, short, result.time_name, "leave its rows out if it is not over")]
