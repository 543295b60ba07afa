"""Formats of dates: the families, by the shape of a text, and how texts of each are parsed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg, Finding, Words
from gatecast.data.read.origin import note

if TYPE_CHECKING:
    from gatecast.data.read.columns import Column

_CLOCK = r"(?:[T ,]+(\d{1,2})[:.](\d{2})(?:[:.](\d{2})(?:[.,](\d+))?)?(?:\s*([AaPp][Mm]))?)?"
_OFFSET = r"\s*(Z|UTC|[+-]\d{2}:?\d{2})?"
_ISO = re.compile(rf"(\d{{4}})[-/.](\d{{1,2}})(?:[-/.](\d{{1,2}}){_CLOCK}{_OFFSET})?")
_TWO_WAY = re.compile(rf"(\d{{1,2}})([-/.])(\d{{1,2}})[-/.](\d{{4}}|\d{{2}}){_CLOCK}")
_MONTH_NAMES = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_NAMED = re.compile(rf"(?=.*\b(?:{_MONTH_NAMES}))(?=.*\d)[a-z0-9 ,.:/-]+", re.IGNORECASE)
_QUARTER = re.compile(r"(?:(\d{4})[- ]?[Qq]([1-4])|[Qq]([1-4])[- ](\d{4}))")
_WEEK = re.compile(r"(\d{4})-?W(\d{2})(?:-?(\d))?")
_SHORT_MONTH = re.compile(r"(\d{1,2})-(0[1-9]|1[0-2])")
TIME_OF_DAY = re.compile(r"(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?")
_COMPACT = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_NAMED_FORMATS = (
    *("%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%d/%b/%Y", "%d. %B %Y"),
    *("%b %Y", "%B %Y", "%b-%Y", "%b-%y", "%Y-%b", "%Y %b", "%Y %B", "%d-%b-%Y %H:%M", "%d %b %Y %H:%M"),
    *("%d-%b-%Y %H:%M:%S", "%d %b %Y %H:%M:%S", "%a %d %b %Y", "%A, %B %d, %Y", "%a, %d %b %Y %H:%M:%S"),
)
_ORDERS = {"day-first": "day first", "month-first": "month first"}


@dataclass
class Parsed:
    """Distinct texts as times, NaT where they do not follow the first one, and how they were read."""

    times: pd.Series
    words: str = ""
    format: str | None = None
    tz: str | None = None
    findings: list[Finding] = field(default_factory=list)


def _iso(column: Column, order: str | None) -> Parsed:
    normal = column.texts.str.replace("/", "-", regex=False).str.replace(
        r"^(\d{4})\.(\d{1,2})(?:\.(\d{1,2}))?", _dashes, regex=True
    )
    zoned = normal.str.contains(r"(?:Z|UTC|[+-]\d{2}:?\d{2})$", regex=True) & normal.str.contains(":", regex=False)
    if zoned.any() and not zoned.all():
        row = column.first_row(int(np.flatnonzero(~zoned.to_numpy())[0]))
        problem = "expected an offset from UTC as in the other rows, got none"
        raise column.error(problem, "give all times one form", row)
    normal = normal.str.replace(r"\s*UTC$", "Z", regex=True) if zoned.any() else normal
    times = pd.to_datetime(normal, format="ISO8601", errors="coerce", utc=bool(zoned.any()))
    if times.isna().any():
        shape = normal.str.extract(rf"^{_ISO.pattern}$")
        digits = _from_digits(shape[0], shape[1], shape[2].fillna("1"), shape, 3)
        times = times.fillna((digits - _offsets(normal)).dt.tz_localize("UTC") if zoned.any() else digits)
    if not zoned.any():
        return Parsed(times)
    offsets = set(normal.str.extract(r"(Z|[+-]\d{2}:?\d{2})$")[0].str.replace(":", "", regex=False))
    findings = []
    if not offsets <= {"Z", "+0000", "-0000"}:
        shown = ", ".join(sorted(offsets)[:3])
        message = f"{column.name} has offsets from UTC ({shown}): times are kept in UTC"
        findings = [note("time zone", message, place=column.name, remedy=Arg("tz") + " shows local time")]
    return Parsed(times.dt.tz_localize(None), tz="UTC", findings=findings)


def _offsets(cells: pd.Series) -> pd.Series:
    """Offsets from UTC at the end of texts; Z has none."""
    parts = cells.str.extract(r"([+-])(\d{2}):?(\d{2})$").fillna({0: "+", 1: "0", 2: "0"})
    minutes = 60 * parts[1].astype(int) + parts[2].astype(int)
    return pd.to_timedelta(minutes.where(parts[0] == "+", -minutes), unit="min")


def _dashes(match: re.Match[str]) -> str:
    return "-".join(part for part in match.groups() if part)


def _two_way(column: Column, order: str | None) -> Parsed:
    """Dates like 3/4/2024: day first or month first, whichever was given or the data proves."""
    parts = column.texts.str.extract(rf"^{_TWO_WAY.pattern}$")
    first, second = (pd.to_numeric(parts[k]) for k in (0, 2))
    findings = []
    if (parts[3].str.len() == 2).any():
        message = f"{column.name} has years of two digits: 69–99 are read as 19.., 00–68 as 20.."
        findings = [note("date format", message, len(column.texts), column.name)]
    ways = {
        "day-first": _from_digits(parts[3], second, first, parts, 4),
        "month-first": _from_digits(parts[3], first, second, parts, 4),
    }
    reason = "as given"
    if order is None:
        order, reason = _proven_order(first, second, parts[1], ways, column.codes)
    problem: Words
    if order is None:
        problem = f"{column.texts.iloc[0]!r} may be day first or month first, and no row decides it"
        remedy = "say which: " + Arg("date_format", "day-first") + " or " + Arg("date_format", "month-first")
        raise column.error(problem, remedy, column.first_row())
    if order not in ways:
        problem = Arg("date_format", order) + " is unknown"
        raise SettingError(problem, 'expected "day-first", "month-first" or a pattern like "%d.%m.%Y"')
    return Parsed(ways[order], f"{_ORDERS[order]} ({reason})", order, findings=findings)


def _proven_order(
    first: pd.Series, second: pd.Series, mark: pd.Series, ways: dict[str, pd.Series], codes: np.ndarray
) -> tuple[str | None, str]:
    """The order that the data proves, and why; None where it stays open."""
    if first.max() > 12 >= second.max():
        return "day-first", f"{int(first.max())} cannot be a month"
    if second.max() > 12 >= first.max():
        return "month-first", f"{int(second.max())} cannot be a month"
    if first.max() > 12 and second.max() > 12:
        return "day-first" if first.iloc[0] > 12 else "month-first", "from the first rows"
    if (mark == ".").all():
        return "day-first", "dotted dates always are"
    regular = [order for order, parsed in ways.items() if _is_regular(parsed, codes)]
    return (regular[0], "the other order is not regular") if len(regular) == 1 else (None, "")


def _is_regular(parsed: pd.Series, codes: np.ndarray) -> bool:
    """Whether the times in file order go up by one step."""
    times = parsed.to_numpy()[codes].astype("datetime64[ns]")
    steps = np.diff(times)
    months = np.diff(times.astype("datetime64[M]").astype(np.int64))
    days = times.astype("datetime64[D]") - times.astype("datetime64[M]")
    return len(steps) > 1 and bool(
        (steps > np.timedelta64(0)).all()
        and (len(set(steps)) == 1 or (len(set(months)) == 1 and months[0] > 0 and len(set(days)) == 1))
    )


def _from_digits(year: pd.Series, month: pd.Series, day: pd.Series, parts: pd.DataFrame, clock: int) -> pd.Series:
    """Datetimes from columns of digits; ``clock`` is the first column of hour, minute, second, fraction, am/pm."""
    years = pd.to_numeric(year)
    years = years.where(year.str.len() != 2, years + np.where(years < 69, 2000, 1900))
    hours = pd.to_numeric(parts[clock]).fillna(0)
    half = parts[clock + 4].str.lower()
    hours = hours.where(half.isna(), hours % 12) + np.where(half == "pm", 12, 0)
    next_day = hours == 24  # 24:00 is the end of the day
    fields = {
        "year": years,
        "month": pd.to_numeric(month),
        "day": pd.to_numeric(day),
        "hour": hours.where(~next_day, 0),
    }
    fields |= {word: pd.to_numeric(parts[clock + k]).fillna(0) for k, word in enumerate(("minute", "second"), 1)}
    times = pd.to_datetime(pd.DataFrame(fields), errors="coerce")
    return times + pd.to_timedelta(np.where(next_day, 1, 0), unit="D")


def _quarters(column: Column, order: str | None) -> Parsed:
    parts = column.texts.str.extract(rf"^{_QUARTER.pattern}$")
    year, quarter = pd.to_numeric(parts[0].fillna(parts[3])), pd.to_numeric(parts[1].fillna(parts[2]))
    times = pd.to_datetime(pd.DataFrame({"year": year, "month": 3 * quarter - 2, "day": 1}), errors="coerce")
    return Parsed(times, "quarters like 2024Q1")


def _weeks(column: Column, order: str | None) -> Parsed:
    parts = column.texts.str.extract(rf"^{_WEEK.pattern}$")
    times = strptime(parts[0] + "-" + parts[1] + "-" + parts[2].fillna("1"), "%G-%V-%u")
    return Parsed(times, "ISO weeks like 2024-W05")


def _short_months(column: Column, order: str | None) -> Parsed:
    """Years and months like 1-01: the year has no century, so it is read as 2001, and that is listed."""
    parts = column.texts.str.extract(rf"^{_SHORT_MONTH.pattern}$")
    year, month = pd.to_numeric(parts[0]), pd.to_numeric(parts[1])
    times = pd.to_datetime(pd.DataFrame({"year": 2000 + year, "month": month, "day": 1}), errors="coerce")
    return Parsed(times, f"year-month without century, {column.texts.iloc[0]!r} read as {str(times.iloc[0])[:7]}")


def _named(column: Column, order: str | None) -> Parsed:
    first = column.texts.iloc[0]
    form = _named_format(first)
    assert form is not None
    return Parsed(strptime(column.texts, form), f"dates like {first!r}", form)


@dataclass(frozen=True)
class _Form:
    """A family of date formats: the shape of a text, and how texts like it are parsed."""

    shape: re.Pattern[str]
    parse: Callable[[Column, str | None], Parsed]

    def fits(self, cell: str) -> bool:
        """Whether the text belongs to the family."""
        return bool(self.shape.fullmatch(cell)) and (self.shape is not _NAMED or _named_format(cell) is not None)


FORMS = (
    _Form(_ISO, _iso),
    _Form(_TWO_WAY, _two_way),
    _Form(_QUARTER, _quarters),
    _Form(_WEEK, _weeks),
    _Form(_SHORT_MONTH, _short_months),
    _Form(_NAMED, _named),
)


def strptime(cells: pd.Series, form: str) -> pd.Series:
    """Texts by one pattern; NaT where they do not fit. Hours may run from 1 to 24."""
    if form == "%Y%m%d%H":  # pandas takes no 24 and cannot cut 2009070100 without separators
        cells, form = cells.str.slice(0, 8) + " " + cells.str.slice(8, 10), "%Y%m%d %H"
    parsed = pd.to_datetime(cells, format=form, errors="coerce")
    if form == "%Y%m%d %H":
        late = cells.str.endswith(" 24")
        next_day = pd.to_datetime(cells.str.slice(0, 8).where(late), format="%Y%m%d") + pd.Timedelta(days=1)
        parsed = parsed.fillna(next_day)
    return parsed


def follows(cell: str, form: str) -> bool:
    try:
        datetime.strptime(cell, form)
    except ValueError:
        return False
    return True


def _named_format(cell: str) -> str | None:
    return next((form for form in _NAMED_FORMATS if follows(cell, form)), None)


# ── looks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def looks_like_time(cells: pd.Series) -> bool:
    """Whether nearly all texts have the shape of a date; a single odd one is left for an error to name."""
    sample = cells.iloc[:: max(1, len(cells) // 200)]
    if not any(map(is_time_text, sample.iloc[:10])):
        return False
    hits = sum(map(is_time_text, sample))
    return hits > 0 and len(sample) - hits <= max(0.1 * len(sample), hits > 1)


def is_time_text(cell: str) -> bool:
    """Whether a text is shaped like a date (numbers and a bare time of day are not)."""
    return any(form.fits(cell) for form in FORMS)


def looks_like_compact(values: np.ndarray) -> bool:
    """Whether integers are like 20240131 or 2024013118: whole dates written without separators."""
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
    parsed = strptime(sample, form)
    return form if parsed.notna().all() and parsed.dt.year.between(1500, 2200).all() else None
