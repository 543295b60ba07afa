"""Which column is what: series, target and covariates; named by the user, or found and listed."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from gatecast.base.text import plural, shorten
from gatecast.data.read.numbers import is_numeric_text
from gatecast.data.read.table import Table
from gatecast.data.schema import Schema

_ID_NAMES = frozenset(
    {
        "unique_id", "id", "series", "series_id", "item", "item_id", "sku", "store", "station", "sensor", "turbine",
        "region", "country", "province", "state", "city", "site", "meter", "ticker", "symbol", "name", "group",
        "product", "customer",
    }
)  # fmt: skip
_TARGET_NAMES = ("y", "target", "value")


def check_names(table: Table, schema: Schema) -> None:
    """Every named column exists and has one role only."""
    taken: dict[str, str] = {}
    for role, names in schema.roles.items():
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


# ── series ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def find_ids(table: Table, schema: Schema, times: np.ndarray | None, time: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that tell the series apart; empty for one series."""
    if schema.id is not None:
        return schema.id
    used = {*time, *(schema.target or ()), *schema.covariates}
    texts = [name for name in table.names if name not in used and _may_be_id(table, name)]
    if not texts or schema.layout == "wide":
        return ()
    texts.sort(key=lambda name: (plain(name) not in _ID_NAMES, table.names.index(name)))
    found: tuple[str, ...]
    if times is None:
        found = next(((name,) for name in texts if _in_blocks(table, name)), ())
    elif len(np.unique(times)) == len(times):
        return ()
    else:
        choices = [*((name,) for name in texts), *itertools.combinations(texts, 2)]
        found = next(
            (names for names in choices if _tells_apart(table, names, times, schema.duplicates != "error")), ()
        )
    if found:
        count = len(np.unique(codes_of(table, found)))
        message = f"{' + '.join(found)} tells {plural(count, 'series', 'series')} apart (id= names another)"
        table.log.note("series column", message, count, found[0])
    return found


def codes_of(table: Table, names: tuple[str, ...]) -> np.ndarray:
    """``(rows,)`` number of the series of each row, in order of first appearance."""
    codes = table.coded(names[0])[0].astype(np.int64)
    for name in names[1:]:
        other, levels = table.coded(name)
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
        return plain(name) in _ID_NAMES or not is_numeric_text(table, name, missing=())
    return plain(name) in _ID_NAMES and whole_numbers(table, name)


def _in_blocks(table: Table, name: str) -> bool:
    """Rows of one name lie together, three or more each."""
    codes = codes_of(table, (name,))
    blocks = int((np.diff(codes) != 0).sum()) + 1
    return blocks == int(codes.max()) + 1 and 1 < blocks <= len(codes) // 3


def _tells_apart(table: Table, names: tuple[str, ...], times: np.ndarray, most: float) -> bool:
    """Whether each name has each time once (up to a share of rows), and each series is more filled than empty."""
    codes = codes_of(table, names)
    order = np.lexsort((times, codes))
    code, time = codes[order], times[order].astype(np.int64)
    same = (code[1:] == code[:-1]) & (time[1:] == time[:-1])
    if same.mean() > most:
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
def numeric_columns(table: Table, schema: Schema, used: Iterable[str]) -> list[str]:
    """Columns of numbers that have no role yet."""
    taken = {*used, *schema.covariates}
    return [name for name in table.names if name not in taken and _is_numeric(table, name, schema.missing)]


def _is_numeric(table: Table, name: str, missing: tuple[object, ...]) -> bool:
    if table.is_text(name):
        return is_numeric_text(table, name, missing=missing)
    return not table.is_datetime(name) and bool(table.frame[name].notna().any())


def find_target(table: Table, schema: Schema, used: Sequence[str]) -> tuple[str, ...]:
    """The columns to forecast.

    Raises:
        DataError: where nothing is numeric, or several columns could be meant.
    """
    if schema.target is not None:
        return schema.target
    candidates = numeric_columns(table, schema, used)
    if schema.layout == "wide":
        if not candidates:
            _fail_nothing(table, used)
        return tuple(candidates)
    named = [name for word in _TARGET_NAMES for name in candidates if plain(name) == word]
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
    empty = next((name for name in rest if _is_empty(table, name, ())), None)
    if empty is not None and len(rest) == 1:
        table.log.fail(f"column {empty!r} has no value at all", "fill it, or name another with target=")
    example = ""
    if rest:
        texts = table.texts(rest[0])
        example = f" (column {rest[0]!r} begins {texts.iloc[0]!r})"
    table.log.fail(
        f"no column holds numbers to forecast{example}; the columns are {shorten(table.names, 20)}",
        'name it with target=, codes for missing with missing=[…], a decimal comma with decimal=","',
    )


def note_unused(table: Table, schema: Schema, used: Iterable[str], codes: np.ndarray) -> None:
    """List the columns that play no part."""
    taken = {*used, *schema.covariates}
    rest = [name for name in table.names if name not in taken]
    empty = [name for name in rest if _is_empty(table, name, schema.missing)]
    rest = [name for name in rest if name not in empty]
    text = [name for name in rest if not _is_numeric(table, name, schema.missing) and not table.is_datetime(name)]
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
    return bool(table.missing_text(name, missing).all())


def _constant_within(table: Table, name: str, codes: np.ndarray) -> bool:
    """True where each series has one value in this column, and not all the same."""
    values = table.coded(name)[0]
    pairs = np.unique(np.stack([codes, values]), axis=1).shape[1]
    return pairs == len(np.unique(codes)) and len(np.unique(values)) > 1


# ── names ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def plain(name: str) -> str:
    """A column name in small letters without spaces."""
    return name.strip().lower().replace(" ", "_")


def whole_numbers(table: Table, name: str) -> bool:
    """True for a column of integers."""
    return pd.api.types.is_integer_dtype(table.frame[name])
