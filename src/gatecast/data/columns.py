"""Which column is what: time, series, target and covariates; named by the user, or found and listed."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gatecast.data.moments import TIME_OF_DAY, Moments, looks_like_compact, looks_like_time, parse_texts, parse_times
from gatecast.data.numbers import is_numeric_text
from gatecast.data.table import Table, is_missing_text, plural, shorten

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
_ID_NAMES = frozenset(
    {
        "unique_id", "id", "series", "series_id", "item", "item_id", "sku", "store", "station", "sensor", "turbine",
        "region", "country", "province", "state", "city", "site", "meter", "ticker", "symbol", "name", "group",
        "product", "customer",
    }
)  # fmt: skip
_TARGET_NAMES = ("y", "target", "value")
_PARTS = ("year", "month", "day", "hour", "minute", "second")
_PART_WORDS = {
    "year": {"year", "yr", "jahr", "yyyy"},
    "month": {"month", "mo", "monat", "mm"},
    "day": {"day", "dy", "tag", "dd"},
    "hour": {"hour", "hr", "stunde", "hh"},
    "minute": {"minute", "min"},
    "second": {"second", "sec"},
}


@dataclass(frozen=True)
class Wishes:
    """What the user named."""

    time: tuple[str, ...] | bool | None
    ids: tuple[str, ...] | None
    target: tuple[str, ...] | None
    past: tuple[str, ...]
    known: tuple[str, ...]
    static: tuple[str, ...]
    category: tuple[str, ...]
    missing: tuple[object, ...]
    date_format: str | None
    layout: str
    relaxed: bool  # a rule for duplicates was given

    def covariates(self) -> tuple[str, ...]:
        """All columns named as covariates."""
        return (*self.past, *self.known, *self.static, *self.category)


def names_of(given: str | Iterable[str] | None) -> tuple[str, ...]:
    """One name or several as a tuple."""
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(str(name) for name in given)


def check_names(table: Table, wishes: Wishes) -> None:
    """Every named column exists and has one role only."""
    time = wishes.time if isinstance(wishes.time, tuple) else ()
    roles = {"time": time, "id": wishes.ids or (), "target": wishes.target or (), "past": wishes.past}
    roles |= {"known": wishes.known, "static": wishes.static, "category": wishes.category}
    taken: dict[str, str] = {}
    for role, names in roles.items():
        for name in names:
            if name not in table.names:
                near = difflib.get_close_matches(name, table.names, 1, 0.5)
                hint = f"did you mean {near[0]!r}?" if near else "name one of these"
                table.log.fail(
                    f"there is no column {name!r} ({role}=); the columns are {shorten(table.names, 20)}", hint
                )
            if name in taken:
                both = f"{taken[name]}= and {role}=" if taken[name] != role else f"{role}= twice"
                table.log.fail(f"column {name!r} is named in {both}", "each column has one role")
            taken[name] = role


# ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
def find_time(table: Table, wishes: Wishes) -> tuple[str, ...]:
    """The columns that hold the time; empty where rows are simply counted."""
    if isinstance(wishes.time, tuple):
        return wishes.time
    if wishes.time is False:
        return ()
    used = {*(wishes.ids or ()), *(wishes.target or ()), *wishes.covariates()}
    free = [name for name in table.names if name not in used]
    found = _dates(table, free) or _date_parts(table, free) or _numbered(table, free)
    if not found:
        message = "no column holds times: rows are taken in the order they come, numbered from 0"
        table.log.note("time column", f"{message} (time= names one)")
    return found


def read_times(table: Table, names: tuple[str, ...], date_format: str | None) -> Moments:
    """The times of all rows, from one column, a date with a clock beside it, or year, month, day … apart."""
    if len(names) == 1:
        return parse_times(table, names[0], date_format, timelike=_plain(names[0]) not in _COUNTERS)
    joined = " + ".join(names)
    numeric = [pd.api.types.is_numeric_dtype(table.frame[name]) for name in names]
    if all(numeric):
        return _assemble_parts(table, names)
    texts = table.texts(names[0])
    for name in names[1:]:
        texts = texts + " " + table.texts(name)
    empty = np.flatnonzero(is_missing_text(table.texts(names[0])))
    if len(empty):
        table.log.fail("expected a date, got an empty cell", "delete the row", column=names[0], row=int(empty[0]))
    return parse_texts(texts, joined, date_format, table.log)


def _dates(table: Table, free: Sequence[str]) -> tuple[str, ...]:
    found = [name for name in free if table.is_datetime(name)]
    found += [name for name in free if table.is_text(name) and name not in found and _is_time_text(table, name)]
    if not found:
        return ()
    found.sort(key=lambda name: (not table.is_datetime(name), table.names.index(name)))
    chosen = found[0]
    clock = _clock_beside(table, chosen, free)
    words = f"{chosen} + {clock}" if clock else chosen
    others = f" (also hold times: {shorten(found[1:])})" if len(found) > 1 else ""
    table.log.note("time column", f"the time is in {words}{others}", place=chosen)
    return (chosen, clock) if clock else (chosen,)


def _is_time_text(table: Table, name: str) -> bool:
    texts = table.texts(name)
    return looks_like_time(texts[~is_missing_text(texts)])


def _clock_beside(table: Table, date: str, free: Sequence[str]) -> str | None:
    """A column of times of day, where the dates have none."""
    if table.is_datetime(date) or table.texts(date).iloc[:200].str.contains(":").any():
        return None
    for name in free:
        if name != date and table.is_text(name):
            sample = table.texts(name).iloc[:200]
            if sample.str.fullmatch(TIME_OF_DAY).all():
                return name
    return None


def _date_parts(table: Table, free: Sequence[str]) -> tuple[str, ...]:
    """Columns named year, month, day, hour."""
    by_part = {
        part: next((name for name in free if _plain(name) in words), None) for part, words in _PART_WORDS.items()
    }
    names = tuple(by_part[part] for part in _PARTS)
    if names[0] is None or names[1] is None or not pd.api.types.is_numeric_dtype(table.frame[names[0]]):
        return ()
    found = tuple(itertools.takewhile(lambda name: name is not None, names))
    table.log.note("time column", f"the time is spread over {', '.join(map(str, found))}", len(found))
    return found  # type: ignore[return-value]


def _numbered(table: Table, free: Sequence[str]) -> tuple[str, ...]:
    """A column of plain numbers or compact dates that counts the rows."""
    integers = [name for name in free if _whole_numbers(table, name)]
    for test in (_has_time_name, _is_compact, _counts_rows):
        for name in integers:
            if test(table, name):
                table.log.note("time column", f"the time is in {name} (whole numbers)", place=name)
                return (name,)
    return ()


def _whole_numbers(table: Table, name: str) -> bool:
    return pd.api.types.is_integer_dtype(table.frame[name])


def _has_time_name(table: Table, name: str) -> bool:
    return not _TIME_NAMES.isdisjoint(_plain(name).split("_"))


def _is_compact(table: Table, name: str) -> bool:
    return looks_like_compact(table.frame[name].to_numpy())


def _counts_rows(table: Table, name: str) -> bool:
    values = table.frame[name].to_numpy()
    return _plain(name) in _COUNTERS and len(values) > 1 and bool((np.diff(values) == 1).all())


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_")


def _assemble_parts(table: Table, names: tuple[str, ...]) -> Moments:
    order = [next((part for part, words in _PART_WORDS.items() if _plain(name) in words), None) for name in names]
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


# ── series ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def find_ids(table: Table, wishes: Wishes, times: np.ndarray | None, time: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that tell the series apart; empty for one series."""
    if wishes.ids is not None:
        return wishes.ids
    used = {*time, *(wishes.target or ()), *wishes.covariates()}
    texts = [name for name in table.names if name not in used and _may_be_id(table, name)]
    if not texts or wishes.layout == "wide":
        return ()
    texts.sort(key=lambda name: (_plain(name) not in _ID_NAMES, table.names.index(name)))
    found: tuple[str, ...]
    if times is None:
        found = next(((name,) for name in texts if _in_blocks(table, name)), ())
    elif len(np.unique(times)) == len(times):
        return ()
    else:
        choices = [*((name,) for name in texts), *itertools.combinations(texts, 2)]
        found = next((names for names in choices if _tells_apart(table, names, times, wishes.relaxed)), ())
    if found:
        count = len(np.unique(codes_of(table, found)))
        message = f"{' + '.join(found)} tells {plural(count, 'series', 'series')} apart (id= names another)"
        table.log.note("series column", message, count, found[0])
    return found


def codes_of(table: Table, names: tuple[str, ...]) -> np.ndarray:
    """``(rows,)`` number of the series of each row, in order of first appearance."""
    codes = pd.factorize(table.texts(names[0]))[0].astype(np.int64)
    for name in names[1:]:
        other, levels = pd.factorize(table.texts(name))
        codes = pd.factorize(codes * len(levels) + other)[0].astype(np.int64)
    return codes


def series_names(table: Table, names: tuple[str, ...], codes: np.ndarray) -> list[str]:
    """Name of each series: the id, or several ids joined by ``/``."""
    _, first = np.unique(codes, return_index=True)
    parts = [table.texts(name).iloc[first].tolist() for name in names]
    return ["/".join(row) for row in zip(*parts, strict=True)]


def check_ids(table: Table, names: tuple[str, ...]) -> None:
    """No row without a series. NA is a fine name for one (Namibia), an empty cell is not."""
    for name in names:
        empty = np.flatnonzero((table.texts(name) == "").to_numpy())
        if len(empty):
            count = plural(len(empty), "row")
            table.log.fail(
                f"expected the name of a series, got an empty cell ({count})",
                "fill or delete",
                column=name,
                row=int(empty[0]),
            )


def _may_be_id(table: Table, name: str) -> bool:
    if table.is_text(name):
        return not is_numeric_text(table, name, missing=())
    return _plain(name) in _ID_NAMES and _whole_numbers(table, name)


def _in_blocks(table: Table, name: str) -> bool:
    """Rows of one name lie together, three or more each."""
    codes = codes_of(table, (name,))
    blocks = int((np.diff(codes) != 0).sum()) + 1
    return blocks == int(codes.max()) + 1 and 1 < blocks <= len(codes) // 3


def _tells_apart(table: Table, names: tuple[str, ...], times: np.ndarray, relaxed: bool) -> bool:
    """True where each name has each time once, and each series is more filled than empty."""
    codes = codes_of(table, names)
    order = np.lexsort((times, codes))
    code, time = codes[order], times[order].astype(np.int64)
    same = (code[1:] == code[:-1]) & (time[1:] == time[:-1])
    if same.mean() > (0.05 if relaxed else 0.0):
        return False
    steps = (time[1:] - time[:-1])[(code[1:] == code[:-1]) & ~same]
    if not len(steps):
        return False
    widths, counts = np.unique(steps, return_counts=True)
    first = np.flatnonzero(np.diff(code, prepend=-1))
    last = np.append(first[1:], len(code)) - 1
    filled = (last - first + 1) / ((time[last] - time[first]) / widths[counts.argmax()] + 1)
    return bool(np.median(filled) >= 0.5)


# ── target ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def numeric_columns(table: Table, wishes: Wishes, used: Iterable[str]) -> list[str]:
    """Columns of numbers that have no role yet."""
    taken = {*used, *wishes.covariates()}
    return [name for name in table.names if name not in taken and _is_numeric(table, name, wishes.missing)]


def _is_numeric(table: Table, name: str, missing: tuple[object, ...]) -> bool:
    if table.is_text(name):
        return is_numeric_text(table, name, missing=missing)
    return not table.is_datetime(name) and bool(table.frame[name].notna().any())


def find_target(table: Table, wishes: Wishes, used: Sequence[str]) -> tuple[str, ...]:
    """The columns to forecast.

    Raises:
        DataError: where nothing is numeric, or several columns could be meant.
    """
    if wishes.target is not None:
        return wishes.target
    candidates = numeric_columns(table, wishes, used)
    if wishes.layout == "wide":
        if not candidates:
            _fail_nothing(table, used)
        return tuple(candidates)
    named = [name for word in _TARGET_NAMES for name in candidates if _plain(name) == word]
    if len(candidates) > 1 and not named:
        table.log.fail(
            f"several columns hold numbers: {shorten(candidates, 20)}",
            f'say which to forecast, e.g. target="{candidates[-1]}", or layout="wide" where each column is a series',
        )
    if not candidates:
        _fail_nothing(table, used)
    chosen = (named or candidates)[0]
    table.log.note("target column", f"the target is {chosen}", place=chosen)
    return (chosen,)


def _fail_nothing(table: Table, used: Sequence[str]) -> None:
    rest = [name for name in table.names if name not in used]
    example = ""
    if rest:
        texts = table.texts(rest[0])
        example = f" (column {rest[0]!r} begins {texts.iloc[0]!r})"
    table.log.fail(
        f"no column holds numbers to forecast{example}; the columns are {shorten(table.names, 20)}",
        'name it with target=, codes for missing with missing=[…], a decimal comma with decimal=","',
    )


def note_unused(table: Table, wishes: Wishes, used: Iterable[str], codes: np.ndarray) -> None:
    """List the columns that play no part."""
    taken = {*used, *wishes.covariates()}
    rest = [name for name in table.names if name not in taken]
    empty = [name for name in rest if _is_empty(table, name, wishes.missing)]
    rest = [name for name in rest if name not in empty]
    text = [name for name in rest if not _is_numeric(table, name, wishes.missing) and not table.is_datetime(name)]
    numbers = [name for name in rest if name not in text]
    if empty:
        table.log.note("column dropped", f"columns without any value were left out: {shorten(empty, 20)}", len(empty))
    if text:
        fixed = [name for name in text if _constant_within(table, name, codes)] if codes.max(initial=0) > 0 else []
        hint = f"; {shorten(fixed)} could be category=" if fixed else ""
        table.log.note("column dropped", f"columns of text were left out: {shorten(text, 20)}{hint}", len(text))
    if numbers:
        message = f"columns without a role were left out: {shorten(numbers, 20)} (past= or known= uses them)"
        table.log.note("column unused", message, len(numbers))


def _is_empty(table: Table, name: str, missing: tuple[object, ...]) -> bool:
    if not table.is_text(name):
        return bool(table.frame[name].isna().all())
    return bool(is_missing_text(table.texts(name), missing).all())


def _constant_within(table: Table, name: str, codes: np.ndarray) -> bool:
    """True where each series has one value in this column, and not all the same."""
    values = pd.factorize(table.texts(name))[0]
    pairs = np.unique(np.stack([codes, values]), axis=1).shape[1]
    return pairs == len(np.unique(codes)) and len(np.unique(values)) > 1
