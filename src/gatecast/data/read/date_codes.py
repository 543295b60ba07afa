"""Dates written as whole numbers: 20240131, 202401, 240131, 202405 for a week, 2024031 for a day of the year."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gatecast.data.read.date_order import is_regular

FIRST_YEAR, LAST_YEAR = 1700, 2200  # of a number that may be a date
_EPOCHS = (("ns", 10**17), ("us", 10**14), ("ms", 10**11), ("s", 10**8))  # each from 1973 on
STORED_YEARS = (1678, 2261)  # that nanoseconds since 1970 can hold in full
OUT_OF_RANGE = f"expected a year from {STORED_YEARS[0]} to {STORED_YEARS[1]}"
NUMBER_THEM = "give the times as plain numbers, such as the years alone"


Digits = tuple[int, int, int, int]  # a part of a number: divisor, modulus, least and largest value
YEARS = (FIRST_YEAR, LAST_YEAR)


@dataclass(frozen=True)
class Code:
    """A way to write a date as a number.

    Args:
        format: strptime pattern.
        digits: numbers of digits; leading zeros may be lost.
        unit: what one step usually is; a column named like it decides between two codes.
        sure: the digits alone show a date; otherwise plain numbers are as likely.
        parts: the digits of each part and their range, which tell most numbers from dates without parsing.
        order: of day and month, where it must be said.
    """

    format: str
    digits: tuple[int, ...]
    unit: str
    parts: tuple[Digits, ...]
    sure: bool = False
    order: str | None = None

    def share(self, values: np.ndarray) -> float:
        """Share of the numbers whose parts are in range."""
        inside = np.ones(len(values), bool)
        for divisor, modulus, least, largest in self.parts:
            part = values // divisor % modulus
            inside &= (part >= least) & (part <= largest)
        return float(inside.mean())


def _calendar(last: int) -> tuple[Digits, ...]:
    """Year, month and day of a number whose last part after the day has this many digits."""
    unit = 10**last
    return ((unit * 10_000, 10_000, *YEARS), (unit * 100, 100, 1, 12), (unit, 100, 1, 31))


CODES = (
    Code("%Y", (4,), "year", ((1, 10_000, *YEARS),)),
    Code("%y%m", (4,), "month", ((1, 100, 1, 12),)),
    Code("%Y%m", (6,), "month", ((100, 10_000, *YEARS), (1, 100, 1, 12))),
    Code("%G%V", (6,), "week", ((100, 10_000, *YEARS), (1, 100, 1, 53))),
    Code("%y%m%d", (6,), "day", ((100, 100, 1, 12), (1, 100, 1, 31))),
    Code("%y%j", (5,), "day", ((1, 1000, 1, 366),)),
    Code("%Y%j", (7,), "day", ((1000, 10_000, *YEARS), (1, 1000, 1, 366))),
    Code("%Y%m%d", (8,), "day", _calendar(0), sure=True),
    Code("%d%m%Y", (7, 8), "day", ((1, 10_000, *YEARS), (10_000, 100, 1, 12), (10**6, 100, 1, 31)), order="day-first"),
    Code(
        "%m%d%Y", (7, 8), "day", ((1, 10_000, *YEARS), (10_000, 100, 1, 31), (10**6, 100, 1, 12)), order="month-first"
    ),
    Code("%Y%m%d%H", (10,), "hour", (*_calendar(2), (1, 100, 0, 24)), sure=True),
    Code("%Y%m%d%H%M", (12,), "minute", (*_calendar(4), (100, 100, 0, 24), (1, 100, 0, 59)), sure=True),
    Code("%Y%m%d%H%M%S", (14,), "second", (*_calendar(6), (10_000, 100, 0, 24)), sure=True),
)
_WEAK = frozenset({"%y%m", "%y%j"})  # few digits: only a regular step without gaps shows them
_UNIT_WORDS = {
    "year": {"year", "yr", "jahr", "yyyy", "연도", "년도", "年", "年度"},
    "month": {"month", "mon", "yyyymm", "yearmonth", "monat", "월", "년월", "기준년월", "月", "年月"},
    "week": {"week", "wk", "kw", "yearweek", "epiweek", "isoweek", "semana", "semaine", "woche", "주", "주차", "週"},
    "day": {"day", "yyyymmdd", "yymmdd", "doy", "tag", "día", "dia", "jour", "giorno"},  # a "date" may be a month
}  # fmt: skip


def find_codes(
    values: np.ndarray, tokens: Iterable[str], *, timelike: bool, digits: Collection[int] | None = None
) -> list[Code]:
    """The codes that these whole numbers may be written in: none for plain numbers, several where nothing decides.

    Args:
        values: ``(rows,)`` int64.
        tokens: words of the column's name.
        timelike: the column was named as time, or has the name of one.
        digits: how many digits the numbers have, where they came as text with leading zeros.
    """
    distinct = pd.unique(values)
    if not len(distinct) or distinct.min() <= 0:
        return []
    lengths = set(digits or {len(str(int(distinct.min()))), len(str(int(distinct.max())))})
    sample = distinct if len(distinct) <= 5000 else distinct[:: len(distinct) // 2000]
    shares: dict[Code, float] = {}
    regular: set[Code] = set()
    for code in CODES:
        if not lengths <= set(code.digits) or code.share(sample) < 0.9:
            continue
        times = parse_codes(sample, code.format)
        shares[code] = float((~np.isnat(times)).mean())
        gaps = code.format not in _WEAK
        if shares[code] == 1.0 and (is_regular(times, gaps=gaps) or is_regular(np.sort(times), gaps=gaps)):
            regular.add(code)
    units = {unit for unit, words in _UNIT_WORDS.items() if not words.isdisjoint(tokens)}
    if rolls_over(distinct) is None:  # 2301, 2302 and 45292, 45293 may as well be plain numbers
        shares = {code: share for code, share in shares.items() if code.format not in _WEAK}
    return _decided(shares, regular, units, timelike, few=len(distinct) < 3)


def _decided(shares: dict[Code, float], regular: set[Code], units: set[str], timelike: bool, few: bool) -> list[Code]:
    fits = [code for code, share in shares.items() if share == 1.0]
    if not fits:  # a wrong number among dates is an error and does not make them plain numbers
        return [
            code for code, share in shares.items() if share >= 0.9 and (code.sure or (timelike and code.unit in units))
        ]
    sure = [code for code in fits if code.sure]
    if sure:
        return sure
    fits = [code for code in fits if (timelike and code in regular) or code.format not in _WEAK]
    named = [code for code in fits if code.unit in units]
    if len(named) == 1:  # unless another code alone is regular
        return named if named[0] in regular or not regular else [*named, *sorted(regular, key=fits.index)]
    fits = named or fits
    if len(fits) > 1 and (best := [code for code in fits if code in regular]):
        fits = best
    plain = [code for code in fits if code.format in {"%Y", "%Y%m"}]
    return plain if few and plain else fits


def parse_codes(values: np.ndarray, form: str) -> np.ndarray:
    """``(rows,)`` datetime64[ns] of whole numbers written by a pattern; NaT where a number is no such date.

    Of the known codes, years that are not likely are no dates; lost leading zeros are put back.
    """
    texts = pd.Series(values).astype(np.int64).astype(str)
    code = next((code for code in CODES if code.format == form), None)
    if code is None:
        return parse_pattern(texts, form).to_numpy().astype("datetime64[ns]")
    times = parse_pattern(texts.str.zfill(code.digits[-1]), form)
    likely = times.dt.year.between(FIRST_YEAR, LAST_YEAR)
    return times.where(likely).to_numpy().astype("datetime64[ns]")


def epoch_unit(values: np.ndarray) -> str | None:
    """The unit in which whole numbers may count from 1970; None for smaller numbers, and for dates before 1973."""
    return next((unit for unit, low in _EPOCHS if values.min() >= low and values.max() < low * 1000), None)


def counts_time(values: np.ndarray, codes: Collection[Code]) -> bool:
    """Whether whole numbers without the name of a time are regular as dates, each as often as the others."""
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) < 4 or counts.max() > 1.5 * counts.min():
        return False
    pair = rolls_over(distinct)
    if pair is not None and FIRST_YEAR <= int(str(pair[0])[:4]) <= LAST_YEAR and len(str(pair[0])) > 4:
        return True
    regular = any(is_regular(np.sort(parse_codes(distinct, code.format))) for code in codes)
    return regular or _is_epoch(distinct)


def _is_epoch(distinct: np.ndarray) -> bool:
    """Whether whole numbers are regular as moments since 1970, a minute or more apart."""
    unit = epoch_unit(distinct)
    if unit is None:
        return False
    times = np.sort(distinct.astype(f"datetime64[{unit}]").astype("datetime64[ns]"))
    minutes = np.diff(times).astype(np.int64) % (60 * 10**9) == 0
    return bool(minutes.all()) and is_regular(times)


def count_years(values: np.ndarray) -> bool:
    """Whether whole numbers are years that follow each other, first to last or last to first."""
    steps = np.diff(values)
    likely = len(values) > 1 and values.min() >= 1700 and values.max() <= 2100
    return bool(likely and ((steps == 1).all() or (steps == -1).all()))


def rolls_over(values: np.ndarray) -> tuple[int, int] | None:
    """Two neighbours at which whole numbers go from the end of a year to the next (20234, 20241); None without such.

    All numbers but those rise by one, and the last digits begin again at 0 or 1 each time.
    """
    ordered = np.unique(values)
    steps = np.diff(ordered)
    jumps = np.flatnonzero(steps > 1)
    if not len(jumps) or ordered[-1] < 100 or len(jumps) > len(steps) / 2:
        return None
    for base in (10, 100, 1000):
        ends, begins = ordered[jumps], ordered[jumps + 1]
        last, first = int((ordered % base).max()), int((ordered % base).min())
        again = (begins // base == ends // base + 1) & (begins % base == first) & (ends % base == last)
        if again.all() and first in (0, 1) and last + 1 < base:
            return int(ends[0]), int(begins[0])
    return None


def parse_pattern(cells: pd.Series, form: str) -> pd.Series:
    """Texts by one strptime pattern; NaT where they do not fit.

    Hours may run from 1 to 24; a week without weekday begins on its first day; a week that its year lacks does not fit.
    """
    if form == "%Y%m%d%H":  # pandas takes no 24 and cannot cut 2009070100 without separators
        cells, form = cells.str.slice(0, 8) + " " + cells.str.slice(8, 10), "%Y%m%d %H"
    if "%V" in form and "%u" not in form:
        return _iso_weeks(cells + " 1", form + " %u")
    if ("%W" in form or "%U" in form) and not {"%w", "%a", "%A"} & {form[k : k + 2] for k in range(len(form))}:
        cells, form = cells + (" 1" if "%W" in form else " 0"), form + " %w"
    parsed = pd.to_datetime(cells, format=form, errors="coerce")
    if form == "%Y%m%d %H":
        late = cells.str.endswith(" 24")
        next_day = pd.to_datetime(cells.str.slice(0, 8).where(late), format="%Y%m%d", errors="coerce")
        parsed = parsed.fillna(next_day + pd.Timedelta(days=1))
    return _iso_weeks(cells, form) if "%V" in form else parsed


def _iso_weeks(cells: pd.Series, form: str) -> pd.Series:
    """Weeks of the ISO calendar; NaT for a week 53 (or 60) of a year that ends with 52."""
    parsed = pd.to_datetime(cells, format=form, errors="coerce")
    back = parsed.dt.strftime(form)
    numbers = [
        texts.str.replace(r"\D", " ", regex=True).str.split().map(_as_numbers) for texts in (cells, back.fillna(""))
    ]
    return parsed.where(numbers[0] == numbers[1])


def _as_numbers(parts: object) -> tuple[int, ...]:
    return tuple(int(part) for part in parts) if isinstance(parts, list) else ()
