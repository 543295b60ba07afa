"""Monthly rows whose day varies (the 30th, the 28th of February): each stands for its month, where that is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gatecast.base.findings import Finding
from gatecast.base.text import plural, time_text
from gatecast.data.frequency import Frequency
from gatecast.data.read.origin import note

if TYPE_CHECKING:
    from gatecast.data.read.grid import Long

_DAY = 86400 * 10**9


def to_months(long: Long, freq: Frequency | None) -> tuple[Long, list[Finding]]:
    """The rows at the first of their months, where a monthly frequency was given and the days differ.

    Nothing is moved where a series has two rows in one month, or where all rows are on one day or at the month's end.
    """
    if freq is None or not freq.in_months or long.times.dtype.kind != "M":
        return long, []
    days = long.times.astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    numbers = (days - months.astype("datetime64[D]")).astype(np.int64)
    at_end = ((days + 1).astype("datetime64[M]") > months).all()
    twice = (long.codes[1:] == long.codes[:-1]) & (months[1:] == months[:-1])
    if at_end or twice.any() or len(np.unique(numbers)) < 2:
        return long, []
    moved = int((numbers > 0).sum())
    text = f"the day of the month varies: {plural(moved, 'time')} taken for the first of the month, first "
    text += time_text(long.times[np.flatnonzero(numbers > 0)[0]])
    return replace(long, times=months.astype("datetime64[ns]")), [note("months", text, moved, long.time_name)]


def once_a_month(steps: np.ndarray) -> bool:
    """Whether all distances of rows, in nanoseconds, are those of one row a month."""
    return bool(len(steps) > 1 and steps.min() >= 28 * _DAY and steps.max() <= 33 * _DAY)
