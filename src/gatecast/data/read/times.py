"""Which column holds the time: a date, a date and a clock, year, month and day apart, or plain numbers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from gatecast.base.findings import Arg, Finding
from gatecast.base.text import shorten
from gatecast.data.read.columns import Column
from gatecast.data.read.date_codes import count_years
from gatecast.data.read.date_formats import TIME_OF_DAY
from gatecast.data.read.dates import Read, Timestamps, parse_times
from gatecast.data.read.origin import note
from gatecast.data.read.table import Table
from gatecast.data.schema import Names, Schema

_TIME_NAMES = frozenset(
    {
        "time", "date", "datetime", "timestamp", "ds", "ts", "day", "month", "year", "week", "hour", "period", "epoch",
        "unix", "quarter", "dt", "epiweek", "yearmonth", "yearweek", "zeit", "zeitpunkt", "datum", "tag",
        "woche", "jahr", "monat", "quartal", "fecha", "hora", "mes", "año", "ano", "semana", "ora", "mese",
        "anno", "jour", "heure", "mois", "annee", "année", "semaine", "tarih", "дата", "время", "год", "месяц",
        "날짜", "일자", "일시", "시간", "시각", "시점", "기간", "연도", "년도", "연월", "년월", "월", "주", "주차",
        "분기", "기준일", "기준년월", "년월일",
        "日付", "日時", "時間", "時刻", "年月日", "年月", "年度", "年", "月", "日期", "时间", "年份", "月份",
    }
)  # fmt: skip
_COUNTERS = frozenset(
    {
        "t", "step", "index", "no", "nr", "row", "obs", "n", "idx", "column_1", "unnamed:_0",
    }
)  # fmt: skip
_ENDINGS = (
    "일자",
    "날짜",
    "일시",
    "년월",
    "연월",
    "연도",
    "년도",
    "日付",
    "日期",
    "时间",
)  # 기준일자: the day of reference
# Names under which text other than a date is an error; "day" or "period" may as well hold names.
_SURE_NAMES = _TIME_NAMES - {"day", "week", "hour", "period", "unix", "tag", "ora", "mes", "ano", "월", "주", "月"}
_MONTH_NAME = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)[a-z]*\.?"
_UNNAMED = frozenset({"column_1", "unnamed:_0", "ds"})
_PARTS = ("year", "month", "day", "hour", "minute", "second")
_PART_WORDS = {
    "year": {"year", "yr", "jahr", "yyyy"},
    "month": {"month", "mo", "monat", "mm"},
    "day": {"day", "dy", "tag", "dd"},
    "hour": {"hour", "hr", "stunde", "hh"},
    "minute": {"minute", "min"},
    "second": {"second", "sec"},
}


Found = tuple[Names, list[Finding]]


def find_time(table: Table, schema: Schema) -> Found:
    """The columns that hold the time; empty where rows are simply counted."""
    if schema.time is not None:
        return schema.time, []
    free = table.without([*(schema.id or ()), *(schema.target or ()), *schema.covariates])
    for find in (_dates, _date_parts, _numbers, _named_like_a_time, _looks_like_times):
        names, findings = find(table, free)
        if names:
            return names, findings
    message = "no column holds times: rows are taken in the order they come, numbered from 0"
    return (), [note("time column", message, remedy=Arg("time") + " names one")]


def read_times(table: Table, names: Names, date_format: str | None) -> Read:
    """The times of all rows, from one column, a date and a clock, or year, month, day … apart."""
    columns = [table[name] for name in names]
    if len(columns) == 1:
        counter = columns[0].plain_name in _COUNTERS and not (columns[0].is_whole and _counts_years(columns[0]))
        return parse_times(columns[0], date_format, timelike=not counter)
    if all(column.is_number for column in columns):
        return _from_parts(columns), []
    if len(columns) == 2 and columns[1].is_number:
        return _with_hours(columns[0], columns[1], date_format)
    date = columns[0]
    empty = np.flatnonzero(date.missing_texts[date.codes])
    if len(empty):
        raise date.error("expected a date, got an empty cell", "delete the row", empty[0])
    cells = date.cells
    for column in columns[1:]:
        cells = cells + " " + column.cells
    return parse_times(Column(" + ".join(names), cells, date.origin), date_format)


def _with_hours(date: Column, hour: Column, date_format: str | None) -> Read:
    """A date and a column of hours: 0 to 23, or 1 to 24 as the hours' ends."""
    stamps, findings = parse_times(date, date_format)
    hours = hour.values.to_numpy(dtype=np.float64)
    bad = np.flatnonzero(~((hours >= 0) & (hours <= 24) & (hours % 1 == 0)))
    if len(bad):
        raise hour.error(f"expected an hour, 0 to 24, got {hours[bad[0]]:g}", "correct the row", bad[0])
    return replace(stamps, values=stamps.values + hours.astype("timedelta64[h]")), findings


def _dates(table: Table, free: Sequence[Column]) -> Found:
    found = [column for column in free if column.is_datetime]
    found += [column for column in free if column.is_time_text]
    if not found:
        return (), []
    date = found[0]
    clock = _clock_of(date, free)
    names = (date.name, clock) if clock else (date.name,)
    others = f" (also hold times: {shorten([column.name for column in found[1:]])})" if len(found) > 1 else ""
    return names, [note("time column", f"the time is in {' + '.join(names)}{others}", place=date.name)]


def _clock_of(date: Column, free: Sequence[Column]) -> str | None:
    """A column of times of day, where the dates have none."""
    if not date.is_text or _first_cells(date).str.contains(":").any():
        return None
    for column in free:
        if column is date:
            continue
        if column.is_text:
            if _first_cells(column).str.fullmatch(TIME_OF_DAY).all():
                return column.name
        elif column.plain_name in _PART_WORDS["hour"] and column.values.between(0, 24).all():
            return column.name
    return None


def _first_cells(column: Column) -> pd.Series:
    return pd.Series(column.texts.to_numpy()[column.codes[:200]], dtype=object)


def _date_parts(table: Table, free: Sequence[Column]) -> Found:
    """Columns named year, month, day, hour."""
    by_part = [next((one for one in free if one.plain_name in _PART_WORDS[part]), None) for part in _PARTS]
    year, month = by_part[:2]
    if year is None or month is None or not year.is_number:
        return (), []
    if month.is_text and not month.texts.str.fullmatch(_MONTH_NAME, case=False).all():
        return (), []
    names = tuple(column.name for column in itertools.takewhile(lambda column: column is not None, by_part) if column)
    return names, [note("time column", f"the time is spread over {', '.join(names)}", len(names))]


def _numbers(table: Table, free: Sequence[Column]) -> Found:
    """A column of plain numbers or compact dates that counts the rows."""
    whole = [column for column in free if column.is_whole]
    if len(whole) == 1 and len(free) == len(table.names):
        others = (column for column in table if column is not whole[0])
        if not any(_may_be_target(column) for column in others):
            return (), []  # the only numbers there are to forecast
    for test in (_has_time_name, _is_compact, _counts_rows, _counts_years, _counts_down):
        for column in whole:
            if test(column):
                return _whole_numbers(column)
    for column in free:  # 2009.0: integers that a missing cell made floats; 01022024: text for its zeros
        if column.is_whole or column.whole_values is None:
            continue
        if _has_time_name(column) or column.is_compact_date:
            return _whole_numbers(column)
    return (), []


def _whole_numbers(column: Column) -> Found:
    message = f"the time is in {column.name} (whole numbers)"
    return (column.name,), [note("time column", message, place=column.name)]


def _named_like_a_time(table: Table, free: Sequence[Column]) -> Found:
    """Values other than whole numbers, under the name of a time: they are read as one, or are an error."""
    for column in free:
        if column.plain_name in _SURE_NAMES and not column.is_empty:
            spare = any(_may_be_target(other) for other in free if other is not column)
            if (column.is_text and not column.is_numeric_text) or (not column.is_text and spare):
                return (column.name,), []
    return (), []


def _looks_like_times(table: Table, free: Sequence[Column]) -> Found:
    """Text that may hold times in a form not known: it is an error, and not left out."""
    for column in free:
        if column.may_be_time_text:
            return (column.name,), []
    return (), []


def _may_be_target(column: Column) -> bool:
    return not column.is_text or column.is_numeric_text


def _has_time_name(column: Column) -> bool:
    return not _TIME_NAMES.isdisjoint(column.tokens) or column.plain_name.endswith(_ENDINGS)


def _is_compact(column: Column) -> bool:
    return column.is_compact_date


def _counts_rows(column: Column) -> bool:
    values = column.values.to_numpy()
    if column.plain_name not in _COUNTERS or len(values) < 2:
        return False
    steps = np.diff(values)
    if column.plain_name in {"t", "step", "idx"}:  # numbers of steps, perhaps from the start again for each series
        return bool(((steps > 0) | (values[1:] == values[0])).all())
    return bool((steps == 1).all())


def _counts_down(column: Column) -> bool:
    """Whether numbers fall by one from row to row: the newest row is the first."""
    values = column.values.to_numpy()
    return len(values) > 3 and bool((np.diff(values) == -1).all())


def _counts_years(column: Column) -> bool:
    """A column without a name that counts years."""
    values = column.values.to_numpy()
    return column.plain_name in _UNNAMED and count_years(values)


def _from_parts(columns: Sequence[Column]) -> Timestamps:
    """Times from year, month, day …, by their names or else by their order."""
    found = [next((part for part, words in _PART_WORDS.items() if one.plain_name in words), None) for one in columns]
    parts = found if None not in found else list(_PARTS[: len(columns)])
    fields = {str(part): column.values for part, column in zip(parts, columns, strict=True)}
    fields.setdefault("day", pd.Series(1, index=columns[0].values.index))
    times = pd.to_datetime(pd.DataFrame(fields), errors="coerce")
    bad = np.flatnonzero(times.isna())
    if len(bad):
        got = ", ".join(f"{part} {value.iloc[bad[0]]}" for part, value in fields.items())
        joined = " + ".join(column.name for column in columns)
        problem, remedy = f"expected a date, got {got}", "correct or delete the row"
        raise columns[0].origin.error(problem, remedy, column=joined, row=bad[0])
    return Timestamps(times.to_numpy().astype("datetime64[ns]"))
