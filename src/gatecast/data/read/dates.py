"""Text and numbers to times: which date format a column has, proven from the data or given, never guessed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gatecast.base.findings import Arg, Finding, Words
from gatecast.base.text import plural
from gatecast.data.read.date_codes import (
    NUMBER_THEM,
    OUT_OF_RANGE,
    STORED_YEARS,
    Code,
    epoch_unit,
    find_codes,
    parse_codes,
    parse_pattern,
    rolls_over,
)
from gatecast.data.read.date_formats import TIME_OF_DAY, Parsed, follows, parse_texts
from gatecast.data.read.origin import note
from gatecast.data.read.plain_dates import plain_date

if TYPE_CHECKING:
    from gatecast.data.read.columns import Column


@dataclass(frozen=True)
class Timestamps:
    """Times of all rows.

    Args:
        values: datetime64[ns] (UTC where ``tz`` is set) or int64.
        tz: time zone that the source itself carries.
        format: order of day and month, or pattern of the texts; None for ISO dates and values that are not text.
    """

    values: np.ndarray
    tz: str | None = None
    format: str | None = None

    @property
    def is_integer(self) -> bool:
        """Whether they are plain numbers."""
        return self.values.dtype.kind == "i"


Read = tuple[Timestamps, list[Finding]]


def parse_times(column: Column, date_format: str | None, *, timelike: bool = True) -> Read:
    """One column as times; each distinct text is parsed once.

    Args:
        column: datetimes, numbers or text.
        date_format: ``"day-first"``, ``"month-first"`` or a strptime pattern; None to find it.
        timelike: numbers may be dates (False: they stay plain numbers).

    Raises:
        DataError: a cell is not a time, or nothing decides between day and month first.
    """
    if column.is_datetime:
        return _from_datetimes(column)
    if column.is_number:
        return _from_numbers(column, column.values, date_format, timelike)
    _require_all(column, column.missing_texts[column.codes])
    if date_format is not None and "%" in date_format:
        parsed = Parsed(parse_with(column, date_format), f"date_format={date_format!r}", date_format)
        return _finish(parsed, column)
    if column.texts.str.fullmatch(r"-?\d{1,18}(?:\.0*)?").all():
        numbers = column.texts.str.partition(".")[0].astype(np.int64).to_numpy()[column.codes]
        return _from_numbers(column, pd.Series(numbers), date_format, True)
    found = parse_texts(column, date_format)
    if found is None:
        raise _not_a_time(column, column.texts.iloc[0])
    return _finish(found, column)


def parse_with(column: Column, form: str) -> pd.Series:
    """The distinct texts by a strptime pattern, as they stand or without weekday, ordinals and units."""
    times = parse_pattern(column.texts, form)
    if times.isna().any():
        times = times.fillna(parse_pattern(column.texts.map(plain_date), form))
    return times


def usable_format(column: Column, date_format: str | None) -> str | None:
    """The format of another source where it fits this column: an order, or the pattern of its first text."""
    if date_format is None or "%" not in date_format or not column.is_text:
        return date_format
    return date_format if follows(column.texts.iloc[0], date_format) else None


# ── whole columns ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _from_datetimes(column: Column) -> Read:
    _require_all(column, column.values.isna().to_numpy())
    zone = getattr(column.values.dtype, "tz", None)
    if zone is None:
        return Timestamps(_stored(column, column.values.to_numpy())), []
    key = getattr(zone, "key", None) or getattr(zone, "zone", None) or "UTC"
    findings = []
    if key == "UTC" and str(zone) not in {"UTC", "utc", "UTC+00:00"}:
        message = f"{column.name} has the fixed offset {zone}: times are kept in UTC"
        findings = [note("time zone", message, place=column.name)]
    naive = column.values.dt.tz_convert("UTC").dt.tz_localize(None)
    return Timestamps(_stored(column, naive.to_numpy()), key), findings


def _stored(column: Column, times: np.ndarray) -> np.ndarray:
    """Times in nanoseconds, as all of gatecast keeps them.

    Raises:
        DataError: a time that nanoseconds cannot hold.
    """
    years = times.astype("datetime64[Y]").astype(np.int64) + 1970
    outside = np.flatnonzero((years < STORED_YEARS[0]) | (years > STORED_YEARS[1]))
    if len(outside):
        raise column.error(f"{OUT_OF_RANGE}, got {str(times[outside[0]])[:10]}", NUMBER_THEM, outside[0])
    return times.astype("datetime64[ns]")


def _from_numbers(column: Column, numbers: pd.Series, date_format: str | None, timelike: bool) -> Read:
    _require_all(column, numbers.isna().to_numpy())
    values, name = numbers.to_numpy(), column.name
    broken = np.flatnonzero(values != np.floor(values)) if values.dtype.kind == "f" else np.empty(0, np.int64)
    if len(broken):
        remedy = "name the column of the times: " + Arg("time", ...) + " (" + Arg("time", False) + " counts rows)"
        raise column.error(f"expected whole numbers or dates, got {values[broken[0]]}", remedy, broken[0])
    values = values.astype(np.int64)
    if not timelike:
        return Timestamps(values), []
    if date_format is not None and "%" in date_format:
        return _from_pattern(column, values, date_format)
    codes = find_codes(values, column.tokens, timelike=True, digits=column.digits)
    if date_format is not None:
        codes = [code for code in codes if code.order in (None, date_format)]
    if len(codes) > 1:
        raise _several_codes(column, values, codes)
    if codes:
        return _from_pattern(column, values, codes[0].format)
    unit = epoch_unit(values)
    if unit is not None:
        message = f"{name} counts {unit} since 1970-01-01 UTC"
        times = values.astype(f"datetime64[{unit}]").astype("datetime64[ns]")
        return Timestamps(times, "UTC"), [note("date format", message, len(values), name)]
    pair = rolls_over(values)
    if pair is not None:
        problem = f"{pair[0]} is followed by {pair[1]}: these look like dates written as numbers, in a form not known"
        remedy = "write them like 2024-01-31 or 2024Q1, or count the rows: " + Arg("time", False)
        raise column.error(problem, remedy, int(np.flatnonzero(values == pair[1])[0]))
    if values.min() >= 20_000 and values.max() <= 80_000 and (np.diff(np.unique(values)) <= 31).all():
        message = f"{name} may hold the day numbers of a spreadsheet (45292 is 2024-01-01): read as plain numbers"
        there = "format the column as text dates there"
        return Timestamps(values), [note("suspicious dates", message, len(values), name, there)]
    return Timestamps(values), []


def _from_pattern(column: Column, values: np.ndarray, form: str) -> Read:
    """Whole numbers by a pattern: one of the known codes, or one that was given."""
    rows, distinct = pd.factorize(values)
    times = parse_codes(distinct, form)
    bad = np.isnat(times)[rows]
    if bad.any():
        raise _not_parsed(column, bad, str(values[np.flatnonzero(bad)[0]]), f"dates written as {form}")
    return Timestamps(times[rows], format=form), [_format_found(column, f"dates written as {form}", len(distinct))]


def _several_codes(column: Column, values: np.ndarray, codes: list[Code]) -> Exception:
    words = " or ".join(f"{code.format} (a {code.unit})" for code in codes)
    given = [Arg("date_format", code.order or code.format) for code in codes]
    remedy = "say which: " + given[0]
    for one in given[1:]:
        remedy = remedy + " or " + one
    return column.error(f"{values[0]} may be written as {words}, and no row decides it", remedy, 0)


def _finish(parsed: Parsed, column: Column) -> Read:
    """All texts parsed, or the error at the first that was not."""
    bad = parsed.times.isna().to_numpy()
    if bad.any():
        rows = bad[column.codes]
        example = column.texts.iloc[column.codes[np.flatnonzero(rows)[0]]]
        raise _not_parsed(column, rows, example, parsed.words or f"the form of {column.texts.iloc[0]!r}")
    findings = [_format_found(column, parsed.words, len(column.texts))] if parsed.words else []
    times = parsed.times.to_numpy().astype("datetime64[ns]")[column.codes]
    return Timestamps(times, parsed.tz, parsed.format), [*parsed.findings, *findings]


def _format_found(column: Column, words: str, count: int) -> Finding:
    return note("date format", f"{column.name} read as {words}", count, column.name)


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _require_all(column: Column, missing: np.ndarray) -> None:
    """Check that no row lacks its time."""
    if missing.any():
        count = plural(int(missing.sum()), "row")
        problem = f"expected a time, got an empty cell ({count} without time)"
        raise column.error(problem, "fill it or delete the row", np.flatnonzero(missing)[0])


def _not_parsed(column: Column, bad: np.ndarray, example: str, words: str) -> Exception:
    count = int(bad.sum())
    more = f" ({plural(count, 'such row')})" if count > 1 else ""
    year = re.match(r"(\d{4})(?!\d)", example)
    if year and not STORED_YEARS[0] <= int(year[1]) <= STORED_YEARS[1]:
        return column.error(f"{OUT_OF_RANGE}, got {example!r}{more}", NUMBER_THEM, np.flatnonzero(bad)[0])
    remedy: Words = "correct or delete the row, or give " + Arg("date_format", ...)
    return column.error(f"expected a date ({words}), got {example!r}{more}", remedy, np.flatnonzero(bad)[0])


def _not_a_time(column: Column, first: str) -> Exception:
    problem = f"expected a date, got {first!r}"
    if re.fullmatch(r"\d{1,2}[-. ][A-Za-z]{3,}|[A-Za-z]{3,}[-. ]\d{1,2}", first):
        problem += ", which has no year"
        words: Words = "add the year to the column"
    elif TIME_OF_DAY.fullmatch(first):
        problem += ", a time of day"
        words = "name both columns: " + Arg("time", ["date", "time"])
    else:
        problem = f"expected a time, got {first!r}"
        words = (
            "give its pattern, e.g. " + Arg("date_format", "%d %b %Y") + ", or count the rows: " + Arg("time", False)
        )
    return column.error(problem, words, column.first_row())
