"""The frequency of the data: inferred over all series, or checked where it is given."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg, InPython, Text, Words
from gatecast.base.text import time_text
from gatecast.data.frequency import OLD_MONTHS, Frequency
from gatecast.data.read.months import once_a_month
from gatecast.data.read.origin import Origin

_LEGACY = OLD_MONTHS | {"H": "h", "T": "min", "S": "s", "L": "ms", "U": "us", "N": "ns"}
_LEGACY |= {
    "AS": "YS",
    "BM": "BME",
    "BQ": "BQE",
    "d": "D",
    "w": "W",
    "day": "D",
    "hour": "h",
    "month": "MS",
    "week": "W",
}
_LEGACY |= {"daily": "D", "hourly": "h", "weekly": "W", "monthly": "MS", "quarterly": "QS", "yearly": "YS", "m": "min"}
_DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
MOST = 1_000_000  # multiple of a unit
_DAY = 86400 * 10**9
_UNITS = (("D", _DAY), ("h", 3600 * 10**9), ("min", 60 * 10**9), ("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1))


def parse_alias(freq: str) -> str:
    """A pandas offset alias in today's spelling: ``"H"`` → ``"h"``, ``"M"`` → ``"ME"``, ``"daily"`` → ``"D"``.

    Raises:
        SettingError: for an alias that pandas does not know.
    """
    digits = len(freq) - len(freq.lstrip("0123456789"))
    multiple, (unit, *anchor) = freq[:digits], freq[digits:].split("-")
    modern = "-".join([_LEGACY.get(unit, unit), *anchor])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            offset = pd.tseries.frequencies.to_offset(f"{multiple}{modern}")
            if not 1 <= offset.n <= MOST:
                raise ValueError
            text = str(offset.freqstr)
    except (ValueError, AttributeError, OverflowError):
        examples = '"15min", "h", "D", "B", "W", "MS", "QS", "YS"'
        raise SettingError(Arg("freq", freq) + " is not a known frequency", f"expected one like {examples}") from None
    return text if not text.startswith("1") or text[1:2].isdigit() else text[1:]


def steps_between(times: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances of neighbouring distinct times within each series, and the row each begins at (sorted input)."""
    inside = np.flatnonzero((codes[1:] == codes[:-1]) & (times[1:] != times[:-1]))
    return (times[inside + 1] - times[inside]).astype(np.int64), inside


def infer_frequency(times: np.ndarray, codes: np.ndarray, column: str, origin: Origin, rows: np.ndarray) -> Frequency:
    """Frequency of times sorted within their series.

    Args:
        times: datetime64[ns] or int64.
        codes: number of the series of each row.
        column: name of the time column, for errors.
        origin: of the rows, for errors.
        rows: row in the source of each time.

    Raises:
        DataError: where no step fits.
    """
    steps, begins = steps_between(times, codes)
    if not len(steps):
        what = "there is one time only" if len(np.unique(times)) == 1 else "no series has two times"
        problem = f"{what}, too short to see a frequency"
        raise origin.error(problem, "give it: " + Arg("freq", "D"), column=column)
    if times.dtype.kind == "i":
        return Frequency("", _common_step(steps, begins, times, column, origin, rows))
    calendar = _calendar_alias(times, steps)
    if calendar is not None:
        return Frequency(calendar)
    step = _common_step(steps, begins, times, column, origin, rows)
    if step == _DAY and _business_days(times, steps):
        return Frequency("B")
    return Frequency(fixed_alias(step, times))


def fixed_alias(step: int, times: np.ndarray) -> str:
    """Alias of a step of fixed width in nanoseconds; whole weeks carry the weekday of the first time."""
    if step % (7 * _DAY) == 0:
        days = np.unique((times.astype("datetime64[D]").astype(np.int64) + 3) % 7)
        anchor = f"-{_DAYS[int(days[0])]}" if len(days) == 1 else ""
        multiple = step // (7 * _DAY)
        return f"{multiple if multiple > 1 else ''}W{anchor}"
    unit, width = next((unit, width) for unit, width in _UNITS if step % width == 0)
    return f"{step // width if step > width else ''}{unit}"


def _common_step(
    steps: np.ndarray, begins: np.ndarray, times: np.ndarray, column: str, origin: Origin, rows: np.ndarray
) -> int:
    """The step that most rows have and of which all others are multiples."""
    widths, counts = np.unique(steps, return_counts=True)
    step = int(widths[counts.argmax()])
    off = np.flatnonzero(steps % step)
    if not len(off):
        return step
    common = int(np.gcd.reduce(widths))
    if (steps == common).mean() >= 0.4 or (common in widths and (steps <= 2 * common).mean() > 0.9):
        return common
    where = int(begins[off[0]]) + 1
    share = 100 * counts.max() / counts.sum()
    mode = str(step) if times.dtype.kind == "i" else fixed_alias(step, times[:0])
    remedy: Words = "put the rows onto a grid with " + Arg("resample", _grid_for(step)) + " (and " + Arg("aggregate")
    remedy += "), or give the one that all rows lie on: " + Arg("freq", ...)
    if times.dtype.kind == "M" and once_a_month(steps):
        remedy = "the day of the month varies: take each row for its month with " + Arg("freq", "MS")
    elif times.dtype.kind == "M" and _shifted_by_an_hour(steps[off], step):
        remedy = "the clock is shifted by an hour: name the time zone that it follows, e.g. " + Arg(
            "tz", "Europe/Berlin"
        )
    if times.dtype.kind == "i":
        remedy = "number the rows regularly" + Text(InPython(", or give " + Arg("time", False) + " to count them"))
    raise origin.error(
        f"the times are not regular: {share:.0f} % of the steps are {mode}, but {time_text(times[where])} follows "
        f"{time_text(times[where - 1])} (off the grid at {len(off):,} places)",
        remedy,
        column=column,
        row=rows[where],
    )


def _grid_for(step: int) -> str:
    """The alias of a usual step near this one, in nanoseconds."""
    if step >= 28 * _DAY:
        return "MS"
    widths = {unit: width for unit, width in _UNITS if unit in ("D", "h", "min", "s")}
    for unit, width in widths.items():
        for multiple in (12, 6, 4, 2, 1) if unit == "h" else (30, 15, 10, 5, 1) if unit in ("min", "s") else (7, 1):
            if multiple * width <= step:
                return f"{multiple if multiple > 1 else ''}{unit}"
    return "s"


def _shifted_by_an_hour(steps: np.ndarray, step: int) -> bool:
    """Whether distances differ by an hour from whole days, as local midnights do in spring and autumn."""
    hour = 3600 * 10**9
    rest = steps % _DAY
    return step % _DAY == 0 and bool(np.isin(rest, (hour, _DAY - hour)).all())


def _calendar_alias(times: np.ndarray, steps: np.ndarray) -> str | None:
    """Months, quarters and years: all times on the same day of the month, or all on the last day."""
    if steps.min() < 28 * _DAY:
        return None
    days = times.astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    end = bool((((days + 1).astype("datetime64[M]") - months).astype(np.int64) == 1).all())
    if len(np.unique(times - (days if end else months).astype("datetime64[ns]"))) > 1:
        return None
    numbers = months.astype(np.int64)
    gaps = np.diff(np.unique(numbers))
    step = int(np.gcd.reduce(gaps)) if len(gaps) else 1
    return month_alias(step, int(numbers[0]) % 12, end=end)


def month_alias(step: int, month: int, *, end: bool) -> str:
    """Alias of a step of whole months that meets this month (0 for January)."""
    letter = "E" if end else "S"
    for unit, width in (("Y", 12), ("Q", 3)):
        if step % width == 0:
            anchor = month % width if unit == "Q" else month
            default = (11 if unit == "Y" else 2) if end else 0
            suffix = "" if anchor == default else f"-{_MONTHS[anchor]}"
            return f"{step // width if step > width else ''}{unit}{letter}{suffix}"
    return f"{step if step > 1 else ''}M{letter}"


def _business_days(times: np.ndarray, steps: np.ndarray) -> bool:
    """Days without any weekend, over two weekends at least."""
    weekdays = (times.astype("datetime64[D]").astype(np.int64) + 3) % 7
    midnight = (times == times.astype("datetime64[D]")).all()
    return bool(midnight and (weekdays < 5).all() and (steps >= 3 * _DAY).sum() >= 2)


def check_given(given: Frequency, times: np.ndarray, codes: np.ndarray, column: str, origin: Origin) -> Frequency:
    """The given frequency, fitted to where the times lie (month start or end, day of the week)."""
    alias = given.alias
    if times.dtype.kind == "i":
        problem = Arg("freq", alias) + " was given, but the times are plain numbers"
        raise origin.error(problem, "leave " + Arg("freq") + " out, or give dates", column=column)
    steps, _ = steps_between(times, codes)
    calendar = _calendar_alias(times, steps) if len(steps) else None
    if calendar is not None and (given.in_months or given.at_month_end):
        found = Frequency(calendar)
        if found.months and given.months and found.months % given.months == 0:
            month = int(times[:1].astype("datetime64[M]").astype(np.int64)[0]) % 12
            return Frequency(month_alias(given.months, month, end=found.at_month_end))
    if given.nanoseconds and given.nanoseconds % (7 * _DAY) == 0:
        return Frequency(fixed_alias(given.nanoseconds, times))
    return given
