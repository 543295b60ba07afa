"""Repairs of raw fields: codes for no data, negative rain, and times that are unsorted, repeated or missing."""

from __future__ import annotations

import numpy as np

from gatecast.base.errors import DataError
from gatecast.base.findings import Arg, Finding
from gatecast.base.text import plural, time_text

CODES = (-9999.0, -9990.0, -999.0, -99.0, -32768.0, -32767.0, 9999.0, 65535.0, 65534.0)
DUPLICATES = ("error", "first", "last", "mean")
MOST_MISSING_FIELDS = 10  # times the fields that are there
_JITTER = 0.1  # of a step


def without_codes(values: np.ndarray, codes: tuple[float, ...], place: str) -> tuple[np.ndarray, list[Finding]]:
    """Values as float32 with NaN for infinite values and for codes of no data, given or commonly used."""
    values = np.array(values, dtype=np.float32)
    found = []
    infinite = np.isinf(values)
    if infinite.any():
        values[infinite] = np.nan
        found.append(_missing(place, "infinite values", int(infinite.sum())))
    huge = np.abs(values) > 1e9
    if huge.any():
        values[huge] = np.nan
        found.append(_missing(place, "values above 1e9", int(huge.sum())))
    for code in dict.fromkeys((*codes, *CODES)):
        count = int((values == np.float32(code)).sum())
        if count:
            values[values == np.float32(code)] = np.nan
            found.append(_missing(place, f"pixels of {code:g}", count))
    return values, found


def _missing(place: str, what: str, count: int) -> Finding:
    return Finding(place, f"{what} were taken as missing", kind="no data", count=count)


def without_negative(values: np.ndarray, place: str) -> tuple[np.ndarray, list[Finding]]:
    """Rain without negative rates: above −0.5 mm/h they are noise around 0, below they are missing."""
    found = []
    slight, large = (values < 0) & (values >= -0.5), values < -0.5
    if slight.any():
        values = np.where(slight, np.float32(0), values)
        found.append(
            Finding(place, "rates from −0.5 to 0 mm/h were set to 0", kind="negative", count=int(slight.sum()))
        )
    if large.any():
        values = np.where(large, np.float32(np.nan), values)
        what = "rates below −0.5 mm/h were taken as missing"
        found.append(Finding(place, what, kind="negative", count=int(large.sum())))
    return values, found


def on_regular_steps(
    values: np.ndarray, times: np.ndarray, *, step: float | None, duplicates: str, place: str
) -> tuple[np.ndarray, np.ndarray, float, list[Finding]]:
    """Fields sorted by time, one a step, missing fields as NaN; the times, the step in minutes, and what was repaired.

    Args:
        values: ``(time, y, x)``.
        times: ``datetime64[s]``, ``(time,)``.
        step: minutes; None: the most frequent distance.
        duplicates: rule for fields of one time: "error", "first", "last" or "mean".
        place: of the source, in messages.

    Raises:
        DataError: times are repeated, have no common step, or leave gaps larger than the data.
    """
    found = []
    if (np.diff(times) < np.timedelta64(0, "s")).any():
        order = np.argsort(times, kind="stable")
        values, times = values[order], times[order]
        found.append(Finding(place, "the fields were sorted by time", kind="order"))
    values, times, repeated = _merged(values, times, duplicates, place)
    seconds = times.astype("datetime64[s]").astype(np.int64)
    width = _step_seconds(seconds, step, place)
    rows, off = _rows(seconds, width, place)
    if off:
        found.append(Finding(place, "times were moved to the nearest step", kind="times", count=off))
    if rows[-1] + 1 > MOST_MISSING_FIELDS * len(rows) + 10:
        problem = (
            f"{rows[-1] + 1 - len(rows):,} of {rows[-1] + 1:,} fields are missing between {time_text(times[0])} and "
        )
        raise DataError(problem + time_text(times[-1]), "cut the file to the hours that are there", place=place)
    filled, gaps = _with_gaps(values, rows, place)
    regular = times[0] + (np.arange(len(filled)) * width).astype("timedelta64[s]")
    return filled, regular.astype("datetime64[s]"), width / 60, [*found, *repeated, *gaps]


def _merged(
    values: np.ndarray, times: np.ndarray, rule: str, place: str
) -> tuple[np.ndarray, np.ndarray, list[Finding]]:
    """One field a time."""
    unique, first, counts = np.unique(times, return_index=True, return_counts=True)
    extra = len(times) - len(unique)
    if not extra:
        return values, times, []
    if rule == "error":
        where = time_text(unique[counts > 1][0])
        raise DataError(
            f"{plural(extra + 1, 'field')} of {place} share a time, the first {where}"
            if extra == 1
            else f"{extra:,} fields repeat the time of another, the first {where}",
            "say which one counts: "
            + Arg("duplicates", "first")
            + ", "
            + Arg("duplicates", "last")
            + " or "
            + Arg("duplicates", "mean"),
            place=place,
        )
    rows = {
        "first": lambda k: values[first[k]],
        "last": lambda k: values[first[k] + counts[k] - 1],
        "mean": lambda k: _mean(values[first[k] : first[k] + counts[k]]),
    }[rule]
    kept = np.stack([rows(k) for k in range(len(unique))])
    return kept, unique, [Finding(place, f"of fields of one time, the {rule} was kept", kind="duplicates", count=extra)]


def _mean(fields: np.ndarray) -> np.ndarray:
    """The mean of the fields that are there, pixel by pixel."""
    known = ~np.isnan(fields)
    total, count = np.where(known, fields, 0).sum(0), known.sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _step_seconds(seconds: np.ndarray, step: float | None, place: str) -> int:
    if step is not None:
        return round(step * 60)
    if len(seconds) < 2:
        raise DataError("one field has no step", "give " + Arg("step", 5) + " (minutes)", place=place)
    widths, counts = np.unique(np.diff(seconds), return_counts=True)
    return int(widths[counts.argmax()])


def _rows(seconds: np.ndarray, width: int, place: str) -> tuple[np.ndarray, int]:
    """The step of each field, and how many times are slightly off."""
    places = (seconds - seconds[0]) / width
    rows = np.round(places).astype(int)
    away = np.abs(places - rows)
    if (away > _JITTER).any() or (np.diff(rows) == 0).any():
        problem = f"the times do not lie on steps of {width / 60:g} min"
        remedy = "give the step with " + Arg("step", ...) + " (minutes), or leave out the fields between"
        raise DataError(problem, remedy, place=place)
    return rows, int((away > 1e-9).sum())


def _with_gaps(values: np.ndarray, rows: np.ndarray, place: str) -> tuple[np.ndarray, list[Finding]]:
    """The fields with an empty one at each step that lacks."""
    count = int(rows[-1]) + 1
    if count == len(values):
        return values, []
    filled = np.full((count, *values.shape[1:]), np.nan, dtype=np.float32)
    filled[rows] = values
    gap = Finding(place, "fields are missing between others and stay missing", kind="gap", count=count - len(rows))
    return filled, [gap]
