"""Formats of dates in text: the families, by the shape of a text, and how texts of each are parsed.

A new format is a new entry of :data:`FORMS`: a pattern and the function that parses the texts that match it.
"""

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
from gatecast.data.read.date_codes import parse_pattern
from gatecast.data.read.date_order import ORDERS, WORDS, proven_order
from gatecast.data.read.origin import note
from gatecast.data.read.plain_dates import plain_date

if TYPE_CHECKING:
    from gatecast.data.read.columns import Column

_CLOCK = r"(?:[T ,_]+(\d{1,2})[:.](\d{2})(?:[:.](\d{2})(?:[.,](\d+))?)?(?:\s*([AaPp][Mm]))?)?"
_ZONE = r"(?:Z|UTC|GMT|[+-](?:0\d|1[0-4])(?::?[0-5]\d)?)"  # offsets run from -12:00 to +14:00
_ISO = re.compile(rf"(\d{{4}})[-/.](\d{{1,2}})(?:[-/.](\d{{1,2}})(?:T\d\d|{_CLOCK}(\s*{_ZONE})?))?")
_PLAIN_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?)?")
_BASIC = re.compile(rf"(\d{{4}})(\d{{2}})(\d{{2}})(?:T|[ _-]+)(\d{{1,2}}):?(\d{{2}})?(?::?(\d{{2}}))?(\s*{_ZONE})?")
_TWO_WAY = re.compile(rf"(\d{{1,2}})([-/.])(\d{{1,2}})[-/.](\d{{4}}|\d{{2}}){_CLOCK}")
_MONTH_NAMES = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_NAMED = re.compile(rf"(?=.*(?:{_MONTH_NAMES}))(?=.*\d)[a-z0-9 ,.:/-]+", re.IGNORECASE)
_PART = re.compile(r"(?:(\d{4})[-_ ]?([QqHhSs])([1-4])|([QqHhSs])([1-4])[-/_ ](\d{4})|([1-4])([QqHhSs])[-/_ ]?(\d{4}))")
_MONTH = re.compile(r"(\d{4})[-_ ]?[Mm](\d{1,2})")
_MONTH_YEAR = re.compile(r"(\d{1,2})[-/.](\d{4})")
_WEEK = re.compile(r"(\d{4})[-_ ]?[Ww](?:[Kk])?[-_ ]?(\d{1,2})(?:-?(\d))?")
_SEASON = re.compile(r"(\d{4})[-/](\d{2}|\d{4})")
_SHORT_MONTH = re.compile(r"(\d{1,2})-(0[1-9]|1[0-2])")
TIME_OF_DAY = re.compile(r"(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?")
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_NAMED_DAYS = (
    *("%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%d %b, %Y", "%d %B, %Y", "%d %b %y", "%d/%b/%Y", "%d/%b/%y"),
    *("%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y", "%d. %b %Y", "%d. %B %Y", "%d.%b.%Y", "%d%b%Y", "%d%b%y"),
    *("%Y-%b-%d", "%Y %b %d", "%Y %B %d", "%Y/%b/%d", "%b-%d-%Y"),
)
_NAMED_FORMATS = (
    *("%b %Y", "%B %Y", "%b-%Y", "%B-%Y", "%b-%y", "%b/%Y", "%b, %Y", "%B, %Y", "%b%Y"),
    *("%Y-%b", "%Y %b", "%Y %B", "%Y/%b", "%Y%b", "%b %d %H:%M:%S %Y", "%d/%b/%Y:%H:%M:%S"),
    *(day + clock for clock in _CLOCKS for day in _NAMED_DAYS),
)


@dataclass
class Parsed:
    """Distinct texts as times, NaT where they do not follow the first one, and how they were read."""

    times: pd.Series
    words: str = ""
    format: str | None = None
    tz: str | None = None
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True)
class _Form:
    """A family of date formats: the shape of a text, and how texts like it are parsed.

    Args:
        shape: pattern of one text.
        parse: from a column, its texts in plain spelling and the order that was given.
        more: what a text must be besides.
    """

    shape: re.Pattern[str]
    parse: Callable[[Column, pd.Series, str | None], Parsed]
    more: Callable[[str], bool] = lambda cell: True

    def fits(self, cell: str) -> bool:
        """Whether the text belongs to the family."""
        return bool(self.shape.fullmatch(cell)) and self.more(cell)


# ── by number ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _iso(column: Column, cells: pd.Series, order: str | None) -> Parsed:
    if _PLAIN_ISO.fullmatch(cells.iloc[0]):
        try:  # one pass, where all are alike
            times = pd.to_datetime(cells, format="ISO8601")
        except (ValueError, TypeError):
            times = None
        if times is not None and times.dtype == "datetime64[ns]":
            return Parsed(times)
    normal = cells.str.replace("/", "-", regex=False).str.replace(
        r"^(\d{4})\.(\d{1,2})(?:\.(\d{1,2}))?", _dashes, regex=True
    )
    zoned = normal.str.contains(rf"(?:{_ZONE})$", regex=True) & normal.str.contains(r"[:T]", regex=True)
    if zoned.any() and not zoned.all():
        at = int(np.flatnonzero(~zoned.to_numpy())[0])
        problem = f"expected an offset from UTC as in the other rows (-12:00 to +14:00), got {column.texts.iloc[at]!r}"
        raise column.error(problem, "give all times one form", column.first_row(at))
    normal = normal.str.replace(r"\s*(?:UTC|GMT)$", "Z", regex=True) if zoned.any() else normal
    times = pd.to_datetime(normal, format="ISO8601", errors="coerce", utc=bool(zoned.any()))
    if times.isna().any():
        shape = normal.str.extract(rf"^{_ISO.pattern}$")
        digits = _from_digits(shape[0], shape[1], shape[2].fillna("1"), shape, 3)
        times = times.fillna((digits - _offsets(normal)).dt.tz_localize("UTC") if zoned.any() else digits)
    if not zoned.any():
        return Parsed(times)
    offsets = set(normal.str.extract(r"(Z|[+-]\d{2}(?::?\d{2})?)$")[0].str.replace(":", "", regex=False))
    findings = []
    if not offsets <= {"Z", "+00", "+0000", "-0000"}:
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


def _basic(column: Column, cells: pd.Series, order: str | None) -> Parsed:
    """Days without separators and a clock: 20120101 1:00, 20120101T0100Z."""
    parts = cells.str.extract(rf"^{_BASIC.pattern}$")
    clock = parts[3].str.zfill(2) + ":" + parts[4].fillna("00") + ":" + parts[5].fillna("00")
    extended = parts[0] + "-" + parts[1] + "-" + parts[2] + " " + clock + parts[6].fillna("")
    return _iso(column, extended.fillna(""), order)


def _two_way(column: Column, cells: pd.Series, order: str | None) -> Parsed:
    """Dates like 3/4/2024 or 24.01.05, in the order that was given or the data proves."""
    parts = cells.str.extract(rf"^{_TWO_WAY.pattern}$")
    numbers, short = (parts[0], parts[2], parts[3]), bool((parts[3].str.len() == 2).any())
    findings = []
    if short:
        message = f"{column.name} has years of two digits: 69–99 are read as 19.., 00–68 as 20.."
        findings = [note("date format", message, len(cells), column.name)]
    readings = {
        name: _from_digits(numbers[year], numbers[month], numbers[day], parts, 4)
        for name, (year, month, day) in ORDERS.items()
        if name != "year-first" or short
    }
    reason = "as given"
    if order is None:
        dotted = bool((parts[1] == ".").all()) and not short
        order, reason = proven_order(readings, column.texts, dotted=dotted)
    if order is None:
        raise _open_order(column, list(readings))
    if order not in ORDERS:
        problem: Words = Arg("date_format", order) + " is unknown"
        raise SettingError(problem, 'expected "day-first", "month-first", "year-first" or a pattern like "%d.%m.%Y"')
    if order not in readings:
        problem = Arg("date_format", order) + f" was given, but {column.texts.iloc[0]!r} ends with the year"
        raise column.error(problem, "leave it out, or say " + Arg("date_format", "day-first"), column.first_row())
    return Parsed(readings[order], f"{WORDS[order]} ({reason})", order, findings=findings)


def _open_order(column: Column, orders: list[str]) -> Exception:
    *first, last = (WORDS[order] for order in orders)
    problem = f"{column.texts.iloc[0]!r} may be {', '.join(first)} or {last}, and no row decides it"
    remedy = "say which: " + Arg("date_format", orders[0])
    for order in orders[1:]:
        remedy = remedy + " or " + Arg("date_format", order)
    return column.error(problem, remedy, column.first_row())


def _from_digits(year: pd.Series, month: pd.Series, day: pd.Series, parts: pd.DataFrame, clock: int) -> pd.Series:
    """Datetimes from columns of digits; ``clock`` is the first column of hour, minute, second, fraction, am/pm."""
    years = pd.to_numeric(year)
    years = years.where(year.str.len() != 2, years + np.where(years < 69, 2000, 1900))
    hours = pd.to_numeric(parts[clock]).fillna(0)
    half = parts[clock + 4].str.lower()
    valid = half.isna() | hours.between(1, 12)
    hours = hours.where(half.isna(), hours % 12) + np.where(half == "pm", 12, 0)
    minutes, seconds = (pd.to_numeric(parts[clock + k]).fillna(0) for k in (1, 2))
    next_day = (hours == 24) & (minutes == 0) & (seconds == 0)  # 24:00 is the end of the day
    valid &= (hours.between(0, 23) | next_day) & minutes.between(0, 59) & seconds.between(0, 59)
    fields = {"year": years, "month": pd.to_numeric(month), "day": pd.to_numeric(day)}
    fields |= {"hour": hours.where(~next_day, 0), "minute": minutes, "second": seconds}
    times = pd.to_datetime(pd.DataFrame(fields).where(valid), errors="coerce")
    fraction = pd.to_numeric("0." + parts[clock + 3]).fillna(0)
    return times + pd.to_timedelta(np.where(next_day, 1, 0), unit="D") + pd.to_timedelta(fraction, unit="s")


# ── by period ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _parts_of_years(column: Column, cells: pd.Series, order: str | None) -> Parsed:
    """Quarters and half-years."""
    parts = cells.str.extract(rf"^{_PART.pattern}$")
    year, letter, number = (parts[a].fillna(parts[b]).fillna(parts[c]) for a, b, c in ((0, 5, 8), (1, 3, 7), (2, 4, 6)))
    months = pd.to_numeric(number).where(lambda n: letter.str.upper().eq("Q") | (n <= 2))
    width = np.where(letter.str.upper() == "Q", 3, 6)
    halves = bool((width == 6).all())
    times = _months(year, width * (months - 1) + 1)
    return Parsed(times, "half-years like 2024H1" if halves else "quarters like 2024Q1")


def _numbered_months(column: Column, cells: pd.Series, order: str | None) -> Parsed:
    parts = cells.str.extract(rf"^{_MONTH.pattern}$")
    return Parsed(_months(parts[0], parts[1]), "months like 2024M01")


def _month_and_year(column: Column, cells: pd.Series, order: str | None) -> Parsed:
    parts = cells.str.extract(rf"^{_MONTH_YEAR.pattern}$")
    return Parsed(_months(parts[1], parts[0]), "months like 01/2024")


def _months(year: pd.Series, month: pd.Series) -> pd.Series:
    """First day of each month."""
    fields = pd.DataFrame({"year": pd.to_numeric(year), "month": pd.to_numeric(month), "day": 1})
    return pd.to_datetime(fields, errors="coerce")


def _weeks(column: Column, cells: pd.Series, order: str | None) -> Parsed:
    parts = cells.str.extract(rf"^{_WEEK.pattern}$")
    texts = parts[0] + "-" + parts[1].str.zfill(2) + "-" + parts[2].fillna("1")
    return Parsed(parse_pattern(texts.fillna(""), "%G-%V-%u"), "ISO weeks like 2024-W05")


def _seasons(column: Column, cells: pd.Series, order: str | None) -> Parsed:
    """Years that begin in one calendar year and end in the next: 2023/24."""
    parts = cells.str.extract(rf"^{_SEASON.pattern}$")
    follows_on = (pd.to_numeric(parts[0]) + 1) % 100 == pd.to_numeric(parts[1]) % 100
    times = _months(parts[0].where(follows_on), pd.Series(1, index=cells.index))
    return Parsed(times, f"years from one to the next, {column.texts.iloc[0]!r} by its first year")


def _are_seasons(cells: pd.Series) -> bool:
    """Whether all texts are like 2010-11, 2011-12: two years that follow each other, and not a year and a month."""
    parts = cells.str.extract(rf"^{_SEASON.pattern}$")
    first, second = pd.to_numeric(parts[0]), pd.to_numeric(parts[1])
    return len(cells) > 1 and bool(((first + 1) % 100 == second % 100).all())


def _short_months(column: Column, cells: pd.Series, order: str | None) -> Parsed:
    """Years and months like 1-01: the year has no century, so it is read as 2001, and that is listed."""
    parts = cells.str.extract(rf"^{_SHORT_MONTH.pattern}$")
    times = _months(2000 + pd.to_numeric(parts[0]), parts[1])
    return Parsed(times, f"year-month without century, {column.texts.iloc[0]!r} read as {str(times.iloc[0])[:7]}")


# ── by name ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _named(column: Column, cells: pd.Series, order: str | None) -> Parsed:
    forms = [form for form in _NAMED_FORMATS if _follows_as_written(cells.iloc[0], form)]
    parsed = {form: parse_pattern(cells, form) for form in forms}
    form = min(parsed, key=lambda one: int(parsed[one].isna().sum()))  # May is a short name and a long one
    times = parsed[form].fillna(parse_pattern(cells, _other_length(form)))
    if form == "%b-%y" and len(cells) > 2 and times.dt.month.nunique() == 1:
        problem = f"{column.texts.iloc[0]!r} may be a month and a day, or a month and a year"
        remedy = "add the year, or say " + Arg("date_format", "%b-%y")
        raise column.error(problem, remedy, column.first_row())
    return Parsed(times, f"dates like {column.texts.iloc[0]!r}", form)


def _other_length(form: str) -> str:
    """The pattern with long names of months for short ones, or the other way about."""
    return form.replace("%b", "%B") if "%b" in form else form.replace("%B", "%b")


def _is_named(cell: str) -> bool:
    return any(_follows_as_written(cell, form) for form in _NAMED_FORMATS)


def _follows_as_written(cell: str, form: str) -> bool:
    """Whether a text follows a pattern whose year has as many digits as the text gives."""
    return follows(cell, form) and ("%Y" in form) == bool(re.search(r"\d{4}", cell))


def follows(cell: str, form: str) -> bool:
    """Whether a text follows a strptime pattern."""
    try:
        datetime.strptime(cell, form)
    except ValueError:
        return False
    return True


FORMS = (
    _Form(_ISO, _iso),
    _Form(_BASIC, _basic),
    _Form(_TWO_WAY, _two_way),
    _Form(_PART, _parts_of_years),
    _Form(_MONTH, _numbered_months),
    _Form(_MONTH_YEAR, _month_and_year),
    _Form(_WEEK, _weeks),
    _Form(_SEASON, _seasons, lambda cell: _are_seasons(pd.Series([cell, cell]))),
    _Form(_SHORT_MONTH, _short_months),
    _Form(_NAMED, _named, _is_named),
)
# In plain spelling only: "1974년", and not the number 1974.
_BARE_YEAR = _Form(re.compile(r"\d{4}"), lambda column, cells, order: Parsed(parse_pattern(cells, "%Y"), "years"))
_SEASONS = next(form for form in FORMS if form.parse is _seasons)


# ── looks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def parse_texts(column: Column, order: str | None) -> Parsed | None:
    """The distinct texts of a column by the family of the first; None where it belongs to none."""
    cells = column.texts
    form = _form_of(cells.iloc[0])
    if form is None:
        form = _plain_form_of(cells.iloc[0])
        cells = cells.map(plain_date)
    if form is None:
        return None
    if form.parse is _iso and _SEASON.fullmatch(cells.iloc[0]) and _are_seasons(cells):
        form = _SEASONS
    return form.parse(column, cells, order)


def _form_of(cell: str) -> _Form | None:
    return next((form for form in FORMS if form.fits(cell)), None)


def _plain_form_of(cell: str) -> _Form | None:
    plain = plain_date(cell)
    return _form_of(plain) or (_BARE_YEAR if plain != cell and _BARE_YEAR.fits(plain) else None)


def is_time_text(cell: str) -> bool:
    """Whether a text is shaped like a date (numbers and a bare time of day are not)."""
    return _form_of(cell) is not None or _plain_form_of(cell) is not None


def looks_like_time(cells: pd.Series) -> bool:
    """Whether nearly all texts have the shape of a date; a single odd one is left for an error to name."""
    return _nearly_all(cells, is_time_text)


_YEAR = re.compile(r"(?<!\d)(?:1[89]\d\d|20\d\d|21\d\d)(?!\d)")
_FOREIGN_MONTH = re.compile(
    r"(?<![^\W\d_])(?:jan|f[eé][bv]|m[aä]r|apr|abr|avr|ma[iy]|mag|jun|jui|giu|jul|lug|aug|ago|ao[uû]|sep|set|o[ck]t|ott|nov|"
    r"de[cz]|dic|ene|gen|out|maa|mei|mrt)",
    re.IGNORECASE,
)


def may_be_time(cells: pd.Series) -> bool:
    """Whether nearly all texts hold a year, or a month's name and a number: dates, perhaps, in a form not known."""
    return len(cells) > 2 and _nearly_all(cells, _has_year_or_month)


def _has_year_or_month(cell: str) -> bool:
    rest = _YEAR.sub("", cell, count=1)
    if rest != cell:
        return bool(re.search(r"\d", rest)) or bool(_FOREIGN_MONTH.search(rest))
    return bool(_FOREIGN_MONTH.search(cell)) and bool(re.search(r"\d", cell))


def _nearly_all(cells: pd.Series, test: Callable[[str], bool]) -> bool:
    sample = cells.iloc[:: max(1, len(cells) // 200)]
    if not any(map(test, sample.iloc[:10])):
        return False
    hits = sum(map(test, sample))
    return hits > 0 and len(sample) - hits <= max(0.1 * len(sample), hits > 1)
