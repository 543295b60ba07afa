"""The step of a series: from row numbers to times and back.

A :class:`Frequency` is either a calendar step named by its pandas offset alias (``"h"``, ``"15min"``, ``"D"``,
``"W-SUN"``, ``"MS"``, ``"B"`` …) or, where the data has no dates, a plain integer step. Steps of fixed width and
whole months are computed by NumPy alone, so that a forecast does not import pandas.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gatecast.base.errors import DataError

# Width of the aliases that never change length, in nanoseconds.
_FIXED = {
    "ns": 1,
    "us": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "min": 60 * 10**9,
    "h": 3600 * 10**9,
    "D": 86400 * 10**9,
    "W": 7 * 86400 * 10**9,
}
_LIMIT = 2**63 - _FIXED["D"]  # nanoseconds from 1970 that 64 bits hold, less a day
# Months in the aliases of month, quarter and year, by their starts and by their ends.
_LAST = "2262-04-01"  # ten days before the last moment of 64-bit nanoseconds
_MONTHS = {"MS": 1, "QS": 3, "YS": 12, "ME": 1, "QE": 3, "YE": 12}
OLD_MONTHS = {"M": "ME", "Q": "QE", "Y": "YE", "A": "YE"}  # as pandas spelled them before 2.2

# Steps per cycle, shortest first: the first that fits the data is the season of the seasonal naive forecast. The year
# of daily data is not among them: a window cannot hold two of it, and the calendar features tell the time of year.
_CYCLES = {"s": (60, 3600), "min": (60, 1440, 10080), "h": (24, 168), "D": (7,), "B": (5,), "W": (52,)}


@dataclass(frozen=True)
class Frequency:
    """Distance between two rows.

    Args:
        alias: pandas offset alias with an optional multiple, e.g. ``"15min"``; ``""`` for series without dates.
        step: distance of two rows where the index is an integer; 1 otherwise.
        seasons: season lengths in steps, shortest first, where the user names them (data without dates).
    """

    alias: str
    step: int = 1
    seasons: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.alias or ("integer" if self.step == 1 else f"integer step {self.step}")

    @property
    def is_integer(self) -> bool:
        """True for series whose index is a plain number."""
        return not self.alias

    @cached_property
    def _parts(self) -> tuple[int, str]:
        match = re.fullmatch(r"(\d*)([A-Za-z]+)(?:-[A-Z]{3})?", self.alias)
        if match is None:
            return 1, self.alias
        return int(match[1] or 1), OLD_MONTHS.get(match[2], match[2])

    @cached_property
    def nanoseconds(self) -> int | None:
        """Width of one step in nanoseconds; None where it varies (months, business days) or has no dates."""
        multiple, unit = self._parts
        return multiple * _FIXED[unit] if unit in _FIXED else None

    def room_after(self, time: np.datetime64) -> int:
        """Steps after a time that end before the last moment of 64-bit nanoseconds, in April 2262."""
        if self._month_step is not None:
            months = np.datetime64(_LAST, "M") - time.astype("datetime64[M]")
            return int(months.astype(np.int64)) // self._month_step
        width = self.nanoseconds or 7 * _FIXED["D"] // 5  # business days, and days of the month like BMS
        return int((np.datetime64(_LAST, "ns") - time.astype("datetime64[ns]")).astype(np.int64)) // width

    @cached_property
    def months(self) -> int | None:
        """Months in one step, also from business day to business day (``"BMS"``); None for other steps."""
        multiple, unit = self._parts
        months = _MONTHS.get(unit.removeprefix("B"))
        return months and multiple * months

    @cached_property
    def _month_step(self) -> int | None:
        """Months in one step that NumPy can make."""
        return self.months if self._parts[1] in _MONTHS else None

    @cached_property
    def at_month_end(self) -> bool:
        """True for steps from one end of a month to another."""
        return self._month_step is not None and self._parts[1].endswith("E")

    @property
    def in_months(self) -> bool:
        """True for steps of whole months that keep the day of the month (not for those that end it)."""
        return self._month_step is not None and not self.at_month_end

    @cached_property
    def cycles(self) -> tuple[int, ...]:
        """Natural season lengths in steps, shortest first; ``(1,)`` where none is known."""
        if self.seasons:
            return self.seasons
        if self.is_integer:
            return (1,)
        if self.months is not None:
            return (max(1, 12 // self.months),)
        multiple, unit = self._parts
        if unit in {"min", "s"}:  # count in days and weeks: 15min → 96, 672
            per_day = 86400 * 10**9 // (multiple * _FIXED[unit])
            return (per_day, 7 * per_day) if per_day > 1 else (1,)
        cycles = tuple(cycle // multiple for cycle in _CYCLES.get(unit, ()) if cycle % multiple == 0)
        return tuple(cycle for cycle in cycles if cycle > 1) or (1,)

    def times(self, start: np.datetime64 | np.int64, first: int, count: int) -> np.ndarray:
        """Times of rows ``first … first + count - 1`` counted from ``start`` (row 0); datetime64[ns] or int64.

        Raises:
            DataError: times outside of 1677 to 2262, which nanoseconds in 64 bits cannot hold.
        """
        steps = np.arange(first, first + count, dtype=np.int64)
        if self.is_integer:
            return np.int64(start) + self.step * steps
        moment = np.datetime64(start, "ns")  # type: ignore[call-overload]
        self._check_range(moment, first, first + count - 1)
        if self.nanoseconds is not None:
            return moment + (self.nanoseconds * steps).astype("timedelta64[ns]")
        if self._month_step is not None:
            months = moment.astype("datetime64[M]") + self._month_step * steps
            if self.at_month_end:
                clock = moment - moment.astype("datetime64[D]")
                return ((months + 1).astype("datetime64[D]") - 1).astype("datetime64[ns]") + clock
            return months.astype("datetime64[ns]") + (moment - moment.astype("datetime64[M]").astype("datetime64[ns]"))
        import pandas as pd

        offset = pd.tseries.frequencies.to_offset(self.alias)
        anchor = pd.Timestamp(moment)
        return np.array([anchor + int(step) * offset for step in steps], dtype="datetime64[ns]")

    def _check_range(self, start: np.datetime64, first: int, last: int) -> None:
        """Check that the times of rows ``first`` and ``last`` can be stored; NumPy wraps around without a word."""
        multiple, unit = self._parts
        widest = self.nanoseconds or (31 * (self._month_step or 1) if unit[:1] in "MQY" else 7 * multiple) * _FIXED["D"]
        begin = int(start.astype(np.int64))
        if begin + min(first, 0) * widest > -_LIMIT and begin + max(last, 0) * widest < _LIMIT:
            return
        if self._month_step is not None:  # months have uneven lengths: count them
            month = int(start.astype("datetime64[M]").astype(np.int64))
            ends = [month + self._month_step * row for row in (first, last)]
            if min(ends) >= -3507 and max(ends) <= 3506:  # October 1677 to March 2262
                return
        problem = (
            f"{abs(last if last > 0 else first):,} steps ({self}) from {str(start)[:10]} lie outside of 1678 to 2261"
        )
        raise DataError(problem, "ask for fewer steps, or give the times as plain numbers, such as the years alone")

    def position(self, start: np.datetime64 | np.int64, times: np.ndarray) -> np.ndarray:
        """Row number of each time counted from ``start`` (float where a time lies between two rows)."""
        times = np.asarray(times)
        if self.is_integer:
            return (times.astype(np.int64) - np.int64(start)) / self.step
        moment = np.datetime64(start, "ns")  # type: ignore[call-overload]
        moments = times.astype("datetime64[ns]")
        if self.nanoseconds is not None:
            return (moments - moment).astype(np.int64) / self.nanoseconds
        return self._calendar_position(moment, moments)

    def _calendar_position(self, start: np.datetime64, moments: np.ndarray) -> np.ndarray:
        """Position on a calendar of uneven steps: exact on its points, half a step between two of them."""
        days = np.append(moments, start).astype("datetime64[D]") - start.astype("datetime64[D]")
        shortest = self._shortest_days(start)
        before, after = (int(end.astype(np.int64) / shortest) for end in (days.min(), days.max()))
        grid = self.times(start, before - 1, after - before + 3)
        row = np.searchsorted(grid, moments, side="right") - 1
        exact = grid[np.clip(row, 0, len(grid) - 1)] == moments
        return row - np.searchsorted(grid, start) + np.where(exact, 0.0, 0.5)

    def _shortest_days(self, start: np.datetime64) -> float:
        """Days that a step has at least."""
        if self._month_step is not None:
            return 28.0 * self._month_step
        back = start > np.datetime64("2000-01-01")  # away from the ends of what can be stored
        some = self.times(start, -20 if back else 20, 1)[0]
        return 0.75 * abs((start - some) / np.timedelta64(20, "D"))
