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
_LAST = "2262-04-01"  # ten days before the last moment of 64-bit nanoseconds
_MONTHS = {"MS": 1, "QS": 3, "YS": 12, "ME": 1, "QE": 3, "YE": 12}

# Steps per cycle, shortest first: the first that fits the data is the season of the seasonal naive forecast. The year
# of daily data is not among them: a window cannot hold two of it, and the calendar features tell the time of year.
_CYCLES = {"s": (60, 3600), "min": (60, 1440, 10080), "h": (24, 168), "D": (7,), "B": (5,), "W": (52,)}
_MONTHLY_CYCLES = {1: (12,), 3: (4,), 12: (1,)}


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
        return int(match[1] or 1), match[2]

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
    def _month_step(self) -> int | None:
        multiple, unit = self._parts
        return multiple * _MONTHS[unit] if unit in _MONTHS else None

    @cached_property
    def _at_month_end(self) -> bool:
        return self._parts[1] in {"ME", "QE", "YE"}

    @property
    def in_months(self) -> bool:
        """True for steps of whole months that keep the day of the month (not for those that end it)."""
        return self._month_step is not None and not self._at_month_end

    @cached_property
    def cycles(self) -> tuple[int, ...]:
        """Natural season lengths in steps, shortest first; ``(1,)`` where none is known."""
        if self.seasons:
            return self.seasons
        if self.is_integer:
            return (1,)
        multiple, unit = self._parts
        months = {"M": 1, "ME": 1, "MS": 1, "Q": 3, "QE": 3, "QS": 3, "Y": 12, "YE": 12, "YS": 12}.get(unit)
        if months is not None:
            return _MONTHLY_CYCLES.get(months * multiple, (max(1, 12 // (months * multiple)),))
        if unit in {"min", "s"}:  # count in days and weeks: 15min → 96, 672
            per_day = 86400 * 10**9 // (multiple * _FIXED[unit])
            return (per_day, 7 * per_day) if per_day > 1 else (1,)
        cycles = tuple(cycle // multiple for cycle in _CYCLES.get(unit, ()) if cycle % multiple == 0)
        return tuple(cycle for cycle in cycles if cycle > 1) or (1,)

    def times(self, start: np.datetime64 | np.int64, first: int, count: int) -> np.ndarray:
        """Times of rows ``first … first + count - 1`` counted from ``start`` (row 0); datetime64[ns] or int64."""
        steps = np.arange(first, first + count, dtype=np.int64)
        if self.is_integer:
            return np.int64(start) + self.step * steps
        moment = np.datetime64(start, "ns")  # type: ignore[call-overload]
        if self.nanoseconds is not None:
            return moment + (self.nanoseconds * steps).astype("timedelta64[ns]")
        if self._month_step is not None:
            months = moment.astype("datetime64[M]") + self._month_step * steps
            if self._at_month_end:
                clock = moment - moment.astype("datetime64[D]")
                return ((months + 1).astype("datetime64[D]") - 1).astype("datetime64[ns]") + clock
            return months.astype("datetime64[ns]") + (moment - moment.astype("datetime64[M]").astype("datetime64[ns]"))
        import pandas as pd

        offset = pd.tseries.frequencies.to_offset(self.alias)
        anchor = pd.Timestamp(moment)
        return np.array([anchor + int(step) * offset for step in steps], dtype="datetime64[ns]")

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
        every = np.append(moments, start)
        earliest, latest = every.min(), every.max()
        span_days = int((latest - earliest).astype("timedelta64[D]").astype(np.int64))
        count = span_days + 2  # no calendar step is shorter than a day
        if self._month_step is not None:
            count = span_days // (28 * self._month_step) + 2
        grid = np.unique(np.concatenate([self.times(start, 0, count), self.times(start, -count, count)]))
        row = np.searchsorted(grid, moments, side="right") - 1
        exact = grid[np.clip(row, 0, len(grid) - 1)] == moments
        return row - np.searchsorted(grid, start) + np.where(exact, 0.0, 0.5)
