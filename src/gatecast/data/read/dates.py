"""Text and numbers to times: which date format a column has, proven from the data or told, never guessed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pandas as pd

from gatecast.base.text import plural
from gatecast.data.read.day_order import assemble, prove_order
from gatecast.data.read.table import Log, Table

_CLOCK = r"(?:[T ,]+(\d{1,2})[:.](\d{2})(?:[:.](\d{2})(?:[.,](\d+))?)?(?:\s*([AaPp][Mm]))?)?"
_OFFSET = r"\s*(Z|UTC|[+-]\d{2}:?\d{2})?"
_ISO = re.compile(rf"(\d{{4}})[-/.](\d{{1,2}})(?:[-/.](\d{{1,2}}){_CLOCK}{_OFFSET})?")
_TWO_WAY = re.compile(rf"(\d{{1,2}})([-/.])(\d{{1,2}})[-/.](\d{{4}}|\d{{2}}){_CLOCK}")
_MONTH_NAMES = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_NAMED = re.compile(rf"(?=.*\b(?:{_MONTH_NAMES}))(?=.*\d)[a-z0-9 ,.:/-]+", re.IGNORECASE)
_QUARTER = re.compile(r"(?:(\d{4})[- ]?[Qq]([1-4])|[Qq]([1-4])[- ](\d{4}))")
_WEEK = re.compile(r"(\d{4})-?W(\d{2})(?:-?(\d))?")
_SHORT_MONTH = re.compile(r"(\d{1,2})-(\d{2})")
TIME_OF_DAY = re.compile(r"(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?")
_COMPACT = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_NAMED_FORMATS = [
    *("%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%d/%b/%Y", "%d. %B %Y"),
    *("%b %Y", "%B %Y", "%b-%Y", "%b-%y", "%Y-%b", "%Y %b", "%Y %B", "%d-%b-%Y %H:%M", "%d %b %Y %H:%M"),
    *("%d-%b-%Y %H:%M:%S", "%d %b %Y %H:%M:%S", "%a %d %b %Y", "%A, %B %d, %Y", "%a, %d %b %Y %H:%M:%S"),
]
_WORDS = {"iso": "ISO", "day-first": "day first", "month-first": "month first"}


@dataclass(frozen=True)
class Moments:
    """Times of all rows.

    Args:
        values: datetime64[ns] (UTC where ``tz`` is set) or int64.
        tz: time zone that the source itself carries.
        format: order of day and month, or the pattern of the texts; None for ISO dates and values that are no text.
    """

    values: np.ndarray
    tz: str | None = None
    format: str | None = None

    @property
    def is_integer(self) -> bool:
        """True for plain numbers."""
        return self.values.dtype.kind == "i"


def looks_like_time(cells: pd.Series) -> bool:
    """True where nearly all of these texts have the shape of a date: a single odd one is for an error to name."""
    sample = cells.iloc[:: max(1, len(cells) // 200)]
    if not any(map(is_time_text, sample.iloc[:10])):
        return False
    hits = sum(map(is_time_text, sample))
    return hits > 0 and len(sample) - hits <= max(0.1 * len(sample), hits > 1)


def is_time_text(cell: str) -> bool:
    """True for texts shaped like a date (not for numbers, nor for a bare time of day)."""
    if any(p.fullmatch(cell) for p in (_ISO, _TWO_WAY, _QUARTER, _WEEK)):
        return True
    short = _SHORT_MONTH.fullmatch(cell)
    if short:
        return 1 <= int(short[2]) <= 12
    return bool(_NAMED.fullmatch(cell)) and any(_fits(cell, form) for form in _NAMED_FORMATS)


def _fits(cell: str, form: str) -> bool:
    try:
        datetime.strptime(cell, form)
    except ValueError:
        return False
    return True


def looks_like_compact(values: np.ndarray) -> bool:
    """True for integers like 20240131 or 2024013118: whole dates written without separators."""
    return compact_format(values) in {"%Y%m%d", "%Y%m%d%H", "%Y%m%d%H%M", "%Y%m%d%H%M%S"}


def compact_format(values: np.ndarray) -> str | None:
    """The date format of integers; None where they are plain numbers."""
    if not len(values) or values.min() < 1000:
        return None
    digits = {len(str(int(values.min()))), len(str(int(values.max())))}
    form = _COMPACT.get(digits.pop()) if len(digits) == 1 else None
    if form is None:
        return None
    sample = pd.Series(np.unique(values)[:: max(1, len(values) // 500)]).astype(str)
    parsed = _strptime(sample, form)
    years = parsed.dt.year
    return form if parsed.notna().all() and years.between(1500, 2200).all() else None


def parse_times(table: Table, name: str, date_format: str | None, *, timelike: bool = True) -> Moments:
    """One column as times.

    Args:
        table: as read.
        name: the column.
        date_format: ``"day-first"``, ``"month-first"`` or a strptime pattern; None to find it.
        timelike: numbers may be dates (False: they stay plain numbers).

    Raises:
        DataError: where a cell is no time, or the order of day and month is open.
    """
    column = table.frame[name]
    if table.is_datetime(name):
        return _from_datetimes(column, name, table.log)
    if pd.api.types.is_numeric_dtype(column):
        return _from_numbers(column, name, date_format, table.log, timelike)
    _refuse_missing(table.missing_text(name), name, table.log)
    return _parse_distinct(*table.coded(name), name, date_format, table.log)


def usable_format(table: Table, name: str, date_format: str | None) -> str | None:
    """The format in which another source was read, if it fits this column: an order, or a pattern of its texts."""
    if date_format is None or "%" not in date_format or not table.is_text(name):
        return date_format
    return date_format if _fits(table.texts(name).iloc[0], date_format) else None


def parse_texts(texts: pd.Series, name: str, date_format: str | None, log: Log) -> Moments:
    """Texts as times; each distinct text is parsed once."""
    codes, distinct = pd.factorize(texts)
    cells = pd.Series(np.asarray(distinct, dtype=object), dtype=object)
    return _parse_distinct(codes, cells, name, date_format, log)


def _parse_distinct(codes: np.ndarray, cells: pd.Series, name: str, date_format: str | None, log: Log) -> Moments:
    if date_format is not None and "%" in date_format:
        parsed = _strptime(cells, date_format)
        return _finish(parsed, cells, codes, name, f"date_format={date_format!r}", log)
    if cells.str.fullmatch(r"-?\d+").all():
        numbers = pd.Series(pd.to_numeric(cells).to_numpy(dtype=np.int64)[codes])
        return _from_numbers(numbers, name, date_format, log, True)
    return _by_shape(cells, codes, name, date_format, log)


def _by_shape(cells: pd.Series, codes: np.ndarray, name: str, order: str | None, log: Log) -> Moments:
    """Find the family of formats by the shape of the first cell; all cells must follow."""
    first = cells.iloc[0]
    if _ISO.fullmatch(first):
        return _from_iso(cells, codes, name, log)
    if _TWO_WAY.fullmatch(first):
        return _from_two_way(cells, codes, name, order, log)
    families: list[tuple[re.Pattern[str], Callable[[pd.Series], pd.Series], str]] = [
        (_QUARTER, _quarters, "quarters like 2024Q1"),
        (_WEEK, _weeks, "ISO weeks like 2024-W05"),
    ]
    for pattern, parser, words in families:
        if pattern.fullmatch(first):
            return _finish(parser(cells), cells, codes, name, words, log)
    if _SHORT_MONTH.fullmatch(first):
        return _short_months(cells, codes, name, log)
    for form in _NAMED_FORMATS:
        if _fits(first, form):
            return replace(
                _finish(_strptime(cells, form), cells, codes, name, f"dates like {first!r}", log), format=form
            )
    row = int(np.flatnonzero(codes == 0)[0])
    if re.fullmatch(r"\d{1,2}[-. ][A-Za-z]{3,}|[A-Za-z]{3,}[-. ]\d{1,2}", first):
        log.fail(
            f"expected a date, got {first!r}, which has no year", "add the year to the column", column=name, row=row
        )
    if TIME_OF_DAY.fullmatch(first):
        log.fail(
            f"expected a date, got {first!r}, a time of day",
            'name both columns: time=["date", "time"]',
            column=name,
            row=row,
        )
    log.fail(
        f"expected a time, got {first!r}",
        'give its pattern, e.g. date_format="%d %b %Y", or time=False',
        column=name,
        row=row,
    )


def _from_datetimes(column: pd.Series, name: str, log: Log) -> Moments:
    _refuse_missing(column.isna().to_numpy(), name, log)
    zone = getattr(column.dtype, "tz", None)
    if zone is None:
        return Moments(column.to_numpy().astype("datetime64[ns]"))
    key = getattr(zone, "key", None) or getattr(zone, "zone", None) or "UTC"
    if key == "UTC" and str(zone) not in {"UTC", "utc", "UTC+00:00"}:
        log.note("time zone", f"{name} has the fixed offset {zone}: times are kept in UTC", place=name)
    return Moments(column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[ns]"), key)


def _from_numbers(column: pd.Series, name: str, order: str | None, log: Log, timelike: bool) -> Moments:
    _refuse_missing(column.isna().to_numpy(), name, log)
    values = column.to_numpy()
    broken = np.flatnonzero(values != np.floor(values)) if values.dtype.kind == "f" else np.empty(0)
    if len(broken):
        row = int(broken[0])
        log.fail(
            f"expected whole numbers or dates, got {values[row]}", "use time=False to count rows", column=name, row=row
        )
    values = values.astype(np.int64)
    form = (order if order and "%" in order else compact_format(values)) if timelike else None
    if form is not None:
        texts = pd.Series(values).astype(str)
        codes, distinct = pd.factorize(texts)
        cells = pd.Series(np.asarray(distinct, dtype=object), dtype=object)
        return replace(
            _finish(_strptime(cells, form), cells, codes, name, f"dates written as {form}", log), format=form
        )
    for unit, low in (("ns", 10**17), ("us", 10**14), ("ms", 10**11), ("s", 10**8 * 5)):
        if timelike and values.min() >= low and values.max() < low * 1000:
            log.note("date format", f"{name} counts {unit} since 1970-01-01 UTC", len(values), name)
            return Moments(values.astype(f"datetime64[{unit}]").astype("datetime64[ns]"), "UTC")
    if timelike and values.min() >= 20_000 and values.max() <= 80_000 and (np.diff(np.unique(values)) <= 31).all():
        message = f"{name} may hold the day numbers of a spreadsheet (45292 is 2024-01-01): read as plain numbers"
        log.note("suspicious dates", f"{message}; format the column as text dates there", len(values), name)
    return Moments(values)


def _from_iso(cells: pd.Series, codes: np.ndarray, name: str, log: Log) -> Moments:
    normal = cells.str.replace("/", "-", regex=False).str.replace(
        r"^(\d{4})\.(\d{1,2})(?:\.(\d{1,2}))?", _dashes, regex=True
    )
    zoned = normal.str.contains(r"(?:Z|UTC|[+-]\d{2}:?\d{2})$", regex=True) & normal.str.contains(":", regex=False)
    if zoned.any() and not zoned.all():
        row = int(np.flatnonzero(codes == int(np.flatnonzero(~zoned.to_numpy())[0]))[0])
        log.fail(
            "expected an offset from UTC as in the other rows, got none",
            "give all times one form",
            column=name,
            row=row,
        )
    normal = normal.str.replace(r"\s*UTC$", "Z", regex=True) if zoned.any() else normal
    parsed = pd.to_datetime(normal, format="ISO8601", errors="coerce", utc=bool(zoned.any()))
    if parsed.isna().any():
        shape = normal.str.extract(rf"^{_ISO.pattern}$")
        parsed = parsed.fillna(assemble(shape[0], shape[1], shape[2].fillna("1"), shape, 3))
    if not zoned.any():
        return _finish(parsed, cells, codes, name, "", log)
    offsets = set(normal.str.extract(r"(Z|[+-]\d{2}:?\d{2})$")[0].str.replace(":", "", regex=False))
    if not offsets <= {"Z", "+0000", "-0000"}:
        words = ", ".join(sorted(offsets)[:3])
        log.note(
            "time zone",
            f"{name} has offsets from UTC ({words}): times are kept in UTC; tz= shows local time",
            place=name,
        )
    return Moments(_finish(parsed.dt.tz_localize(None), cells, codes, name, "", log).values, "UTC")


def _dashes(match: re.Match[str]) -> str:
    return "-".join(part for part in match.groups() if part)


def _from_two_way(cells: pd.Series, codes: np.ndarray, name: str, order: str | None, log: Log) -> Moments:
    """Dates like 3/4/2024: day first or month first, whichever the data proves."""
    parts = cells.str.extract(rf"^{_TWO_WAY.pattern}$")
    first, second = (pd.to_numeric(parts[k]) for k in (0, 2))
    if (parts[3].str.len() == 2).any():
        log.note(
            "date format", f"{name} has years of two digits: 69–99 are read as 19.., 00–68 as 20..", len(cells), name
        )
    ways = {
        "day-first": assemble(parts[3], second, first, parts, 4),
        "month-first": assemble(parts[3], first, second, parts, 4),
    }
    chosen, reason = order, "as told"
    if chosen is None:
        chosen, reason = prove_order(first, second, parts[1], ways, codes)
    if chosen is None:
        row = int(np.flatnonzero(codes == 0)[0])
        log.fail(
            f"{cells.iloc[0]!r} may be day first or month first, and no row decides it",
            'say which: date_format="day-first" or date_format="month-first"',
            column=name,
            row=row,
        )
    if chosen not in ways:
        log.fail(
            f"date_format={chosen!r} is unknown", 'expected "day-first", "month-first" or a pattern like "%d.%m.%Y"'
        )
    return replace(_finish(ways[chosen], cells, codes, name, f"{_WORDS[chosen]} ({reason})", log), format=chosen)


def _quarters(cells: pd.Series) -> pd.Series:
    parts = cells.str.extract(rf"^{_QUARTER.pattern}$")
    year, quarter = pd.to_numeric(parts[0].fillna(parts[3])), pd.to_numeric(parts[1].fillna(parts[2]))
    return pd.to_datetime(pd.DataFrame({"year": year, "month": 3 * quarter - 2, "day": 1}), errors="coerce")


def _weeks(cells: pd.Series) -> pd.Series:
    parts = cells.str.extract(rf"^{_WEEK.pattern}$")
    return _strptime(parts[0] + "-" + parts[1] + "-" + parts[2].fillna("1"), "%G-%V-%u")


def _short_months(cells: pd.Series, codes: np.ndarray, name: str, log: Log) -> Moments:
    """Years and months like 1-01: the year has no century, so it is read as 2001, and that is listed."""
    parts = cells.str.extract(rf"^{_SHORT_MONTH.pattern}$")
    year, month = pd.to_numeric(parts[0]), pd.to_numeric(parts[1])
    parsed = pd.to_datetime(pd.DataFrame({"year": 2000 + year, "month": month, "day": 1}), errors="coerce")
    words = f"year-month without century, {cells.iloc[0]!r} read as {str(parsed.iloc[0])[:7]}"
    return _finish(parsed, cells, codes, name, words, log)


def _strptime(cells: pd.Series, form: str) -> pd.Series:
    """Texts by one pattern; NaT where they do not fit. Hours may run from 1 to 24."""
    if form == "%Y%m%d%H":  # pandas takes no 24 and cannot cut 2009070100 without separators
        cells, form = cells.str.slice(0, 8) + " " + cells.str.slice(8, 10), "%Y%m%d %H"
    parsed = pd.to_datetime(cells, format=form, errors="coerce")
    if form == "%Y%m%d %H":
        late = cells.str.endswith(" 24")
        parsed = parsed.fillna(
            pd.to_datetime(cells.str.slice(0, 8).where(late), format="%Y%m%d") + pd.Timedelta(days=1)
        )
    return parsed


def _finish(parsed: pd.Series, cells: pd.Series, codes: np.ndarray, name: str, words: str, log: Log) -> Moments:
    """All cells parsed, or an error at the first that was not."""
    bad = parsed.isna().to_numpy()
    if bad.any():
        rows = np.flatnonzero(bad[codes])
        example = cells.iloc[codes[rows[0]]]
        more = f" ({plural(len(rows), 'such row')})" if len(rows) > 1 else ""
        form = words or f"the form of {cells.iloc[0]!r}"
        log.fail(
            f"expected a date ({form}), got {example!r}{more}",
            "mend or delete the row, or give date_format=",
            column=name,
            row=int(rows[0]),
        )
    if words:
        log.note("date format", f"{name} read as {words}", len(cells), name)
    return Moments(parsed.to_numpy().astype("datetime64[ns]")[codes])


def _refuse_missing(missing: np.ndarray, name: str, log: Log) -> None:
    if missing.any():
        row = int(np.flatnonzero(missing)[0])
        count = plural(int(missing.sum()), "row")
        log.fail(
            f"expected a time, got an empty cell ({count} without time)",
            "fill it or delete the row",
            column=name,
            row=row,
        )
