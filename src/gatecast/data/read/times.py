"""Which column holds the time: a date, a date with a clock beside it, year, month and day apart, or plain numbers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from gatecast.base.text import shorten
from gatecast.data.read.columns import plain, whole_numbers
from gatecast.data.read.dates import TIME_OF_DAY, Moments, looks_like_compact, looks_like_time, parse_texts, parse_times
from gatecast.data.read.numbers import is_numeric_text
from gatecast.data.read.table import Table, is_missing_text
from gatecast.data.schema import Schema

_TIME_NAMES = frozenset(
    {
        "time", "date", "datetime", "timestamp", "ds", "day", "month", "year", "week", "hour", "period", "epoch",
        "unix", "zeit", "datum", "tag", "jahr", "monat", "fecha",
    }
)  # fmt: skip
_COUNTERS = frozenset(
    {
        "t", "step", "index", "no", "nr", "row", "obs", "n", "idx", "column_1", "unnamed:_0",
    }
)  # fmt: skip
_SURE_NAMES = frozenset({"time", "date", "datetime", "timestamp", "ds", "zeit", "datum"})
_PARTS = ("year", "month", "day", "hour", "minute", "second")
_PART_WORDS = {
    "year": {"year", "yr", "jahr", "yyyy"},
    "month": {"month", "mo", "monat", "mm"},
    "day": {"day", "dy", "tag", "dd"},
    "hour": {"hour", "hr", "stunde", "hh"},
    "minute": {"minute", "min"},
    "second": {"second", "sec"},
}


def find_time(table: Table, schema: Schema) -> tuple[str, ...]:
    """The columns that hold the time; empty where rows are simply counted."""
    if schema.time is not None:
        return schema.time
    used = {*(schema.id or ()), *(schema.target or ()), *schema.covariates}
    free = [name for name in table.names if name not in used]
    found = _dates(table, free, schema.date_format) or _date_parts(table, free) or _numbered(table, free)
    found = found or next(((name,) for name in free if plain(name) in _SURE_NAMES and _is_words(table, name)), ())
    if not found:
        message = "no column holds times: rows are taken in the order they come, numbered from 0"
        table.log.note("time column", f"{message} (time= names one)")
    return found


def read_times(table: Table, names: tuple[str, ...], date_format: str | None) -> Moments:
    """The times of all rows, from one column, a date with a clock beside it, or year, month, day … apart."""
    if len(names) == 1:
        return parse_times(table, names[0], date_format, timelike=plain(names[0]) not in _COUNTERS)
    joined = " + ".join(names)
    numeric = [pd.api.types.is_numeric_dtype(table.frame[name]) for name in names]
    if all(numeric):
        return _assemble_parts(table, names)
    if numeric == [False, True]:
        return _with_hours(table, names, date_format)
    texts = table.texts(names[0])
    for name in names[1:]:
        texts = texts + " " + table.texts(name)
    empty = np.flatnonzero(table.missing_text(names[0]))
    if len(empty):
        table.log.fail("expected a date, got an empty cell", "delete the row", column=names[0], row=int(empty[0]))
    return parse_texts(texts, joined, date_format, table.log)


def _with_hours(table: Table, names: tuple[str, ...], date_format: str | None) -> Moments:
    """A date and a column of hours: 0 to 23, or 1 to 24 as the hours' ends."""
    dates = parse_times(table, names[0], date_format)
    hours = table.frame[names[1]].to_numpy(dtype=np.float64)
    bad = np.flatnonzero(~((hours >= 0) & (hours <= 24) & (hours % 1 == 0)))
    if len(bad):
        row = int(bad[0])
        table.log.fail(f"expected an hour, 0 to 24, got {hours[row]:g}", "mend the row", column=names[1], row=row)
    return Moments(dates.values + hours.astype("timedelta64[h]"), dates.tz)


def _dates(table: Table, free: Sequence[str], date_format: str | None) -> tuple[str, ...]:
    found = [name for name in free if table.is_datetime(name)]
    found += [
        name for name in free if table.is_text(name) and name not in found and _is_time_text(table, name, date_format)
    ]
    if not found:
        return ()
    found.sort(key=lambda name: (not table.is_datetime(name), table.names.index(name)))
    chosen = found[0]
    clock = _clock_beside(table, chosen, free)
    words = f"{chosen} + {clock}" if clock else chosen
    others = f" (also hold times: {shorten(found[1:])})" if len(found) > 1 else ""
    table.log.note("time column", f"the time is in {words}{others}", place=chosen)
    return (chosen, clock) if clock else (chosen,)


def _is_words(table: Table, name: str) -> bool:
    """Text that is no number: under the name of a time it is to be read, or to be an error."""
    return table.is_text(name) and not is_numeric_text(table, name, missing=())


def _is_time_text(table: Table, name: str, date_format: str | None) -> bool:
    cells = table.coded(name)[1]
    cells = cells[~is_missing_text(cells)]
    if date_format is not None and "%" in date_format:
        return bool(len(cells)) and bool(
            pd.to_datetime(cells.iloc[:50], format=date_format, errors="coerce").notna().all()
        )
    return looks_like_time(cells)


def _clock_beside(table: Table, date: str, free: Sequence[str]) -> str | None:
    """A column of times of day, where the dates have none."""
    if not table.is_text(date) or table.texts(date).iloc[:200].str.contains(":").any():
        return None
    for name in free:
        if name == date:
            continue
        if table.is_text(name):
            if table.texts(name).iloc[:200].str.fullmatch(TIME_OF_DAY).all():
                return name
        elif plain(name) in _PART_WORDS["hour"] and table.frame[name].between(0, 24).all():
            return name
    return None


def _date_parts(table: Table, free: Sequence[str]) -> tuple[str, ...]:
    """Columns named year, month, day, hour."""
    by_part = {part: next((name for name in free if plain(name) in words), None) for part, words in _PART_WORDS.items()}
    names = tuple(by_part[part] for part in _PARTS)
    if names[0] is None or names[1] is None or not pd.api.types.is_numeric_dtype(table.frame[names[0]]):
        return ()
    found = tuple(itertools.takewhile(lambda name: name is not None, names))
    table.log.note("time column", f"the time is spread over {', '.join(map(str, found))}", len(found))
    return found  # type: ignore[return-value]


def _numbered(table: Table, free: Sequence[str]) -> tuple[str, ...]:
    """A column of plain numbers or compact dates that counts the rows."""
    integers = [name for name in free if whole_numbers(table, name)]
    if len(integers) == 1 and len(free) == len(table.names) and not _other_numbers(table, integers[0]):
        return ()  # the only numbers there are to forecast
    for test in (_has_time_name, _is_compact, _counts_rows):
        for name in integers:
            if test(table, name):
                table.log.note("time column", f"the time is in {name} (whole numbers)", place=name)
                return (name,)
    return ()


def _other_numbers(table: Table, name: str) -> bool:
    others = [other for other in table.names if other != name]
    return any(not table.is_text(other) or is_numeric_text(table, other, missing=()) for other in others)


def _has_time_name(table: Table, name: str) -> bool:
    return not _TIME_NAMES.isdisjoint(plain(name).split("_"))


def _is_compact(table: Table, name: str) -> bool:
    return looks_like_compact(table.frame[name].to_numpy())


def _counts_rows(table: Table, name: str) -> bool:
    values = table.frame[name].to_numpy()
    if plain(name) not in _COUNTERS or len(values) < 2:
        return False
    steps = np.diff(values)
    if plain(name) in {"t", "step", "idx"}:  # numbers of steps, perhaps from the start again for each series
        return bool(((steps > 0) | (values[1:] == values[0])).all())
    return bool((steps == 1).all())


def _assemble_parts(table: Table, names: tuple[str, ...]) -> Moments:
    order = [next((part for part, words in _PART_WORDS.items() if plain(name) in words), None) for name in names]
    parts = order if None not in order else list(_PARTS[: len(names)])
    fields = {str(part): table.frame[name] for part, name in zip(parts, names, strict=True)}
    fields.setdefault("day", pd.Series(1, index=table.frame.index))
    moments = pd.to_datetime(pd.DataFrame(fields), errors="coerce")
    bad = np.flatnonzero(moments.isna())
    if len(bad):
        got = ", ".join(f"{part} {value.iloc[bad[0]]}" for part, value in fields.items())
        table.log.fail(
            f"expected a date, got {got}", "mend or delete the row", column=" + ".join(names), row=int(bad[0])
        )
    return Moments(moments.to_numpy().astype("datetime64[ns]"))
