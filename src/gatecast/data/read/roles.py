"""Which column is what: series, target and covariates; named by the user, or found and listed."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from gatecast.base.errors import DataError
from gatecast.base.findings import Arg, Finding
from gatecast.base.text import nearest, plural, shorten
from gatecast.data.read.columns import Column
from gatecast.data.read.origin import note
from gatecast.data.read.table import Table
from gatecast.data.schema import Names, Schema

_ID_NAMES = frozenset(
    {
        "unique_id", "id", "series", "series_id", "item", "item_id", "sku", "store", "station", "sensor", "turbine",
        "region", "country", "province", "state", "city", "site", "meter", "ticker", "symbol", "name", "group",
        "product", "customer",
    }
)  # fmt: skip
_TARGET_NAMES = ("y", "target", "value")


def check_names(table: Table, schema: Schema) -> None:
    """Check that every named column exists and has one role only."""
    taken: dict[str, str] = {}
    for role, names in schema.roles.items():
        for name in names:
            if name not in table.columns:
                near = nearest(name, table.names, cutoff=0.5)
                remedy = f"did you mean {near!r}?" if near else "name one of these"
                problem = (
                    f"there is no column {name!r} (" + Arg(role) + f"); the columns are {shorten(table.names, 20)}"
                )
                raise table.origin.error(problem, remedy)
            if name in taken:
                both = Arg(taken[name]) + " and " + Arg(role) if taken[name] != role else Arg(role) + " twice"
                raise table.origin.error(f"column {name!r} is named in " + both, "each column has one role")
            taken[name] = role


# ── series ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def find_ids(table: Table, schema: Schema, times: np.ndarray | None, time: Names) -> tuple[Names, list[Finding]]:
    """The columns that tell the series apart; empty for one series."""
    if schema.id is not None:
        return schema.id, []
    free = [one for one in table.without([*time, *(schema.target or ()), *schema.covariates]) if _may_be_id(one)]
    if not free or schema.layout == "wide":
        return (), []
    free.sort(key=lambda column: column.plain_name not in _ID_NAMES)
    found: Sequence[Column] = ()
    if times is None:
        found = next(([column] for column in free if _in_blocks(column)), ())
    elif len(np.unique(times)) == len(times):
        return (), []
    else:
        most = 0.05 if schema.duplicates != "error" else 0.0
        choices = [*([column] for column in free), *map(list, itertools.combinations(free, 2))]
        found = next((columns for columns in choices if _tells_apart(columns, times, most)), ())
    if not found:
        return (), []
    names, count = tuple(column.name for column in found), len(np.unique(codes_of(found)))
    message = f"{' + '.join(names)} tells {plural(count, 'series', 'series')} apart"
    return names, [note("series column", message, count, names[0], Arg("id") + " names another")]


def codes_of(columns: Sequence[Column]) -> np.ndarray:
    """``(rows,)`` number of the series of each row, in order of first appearance."""
    codes = columns[0].codes.astype(np.int64)
    for column in columns[1:]:
        codes = pd.factorize(codes * len(column.texts) + column.codes)[0].astype(np.int64)
    return codes


def series_names(columns: Sequence[Column], codes: np.ndarray) -> list[str]:
    """Name of each series: the id, or several ids joined by ``/``."""
    _, first = np.unique(codes, return_index=True)
    parts = [column.texts.iloc[column.codes[first]] for column in columns]
    return ["/".join(row) for row in zip(*parts, strict=True)]


def check_ids(columns: Sequence[Column]) -> None:
    """Check that each row has a series. NA is a fine name for one (Namibia), an empty cell is not."""
    for column in columns:
        if (column.texts == "").any():
            empty = np.flatnonzero((column.texts == "").to_numpy()[column.codes])
            count = plural(len(empty), "row")
            problem = f"expected the name of a series, got an empty cell ({count})"
            raise column.error(problem, "fill it or delete the row", empty[0])


def _may_be_id(column: Column) -> bool:
    if column.is_text:
        return column.plain_name in _ID_NAMES or not column.is_numeric_text
    return column.plain_name in _ID_NAMES and column.is_whole


def _in_blocks(column: Column) -> bool:
    """Whether rows of one name lie together, three or more each."""
    codes = column.codes
    blocks = int((np.diff(codes) != 0).sum()) + 1
    return blocks == int(codes.max()) + 1 and 1 < blocks <= len(codes) // 3


def _tells_apart(columns: Sequence[Column], times: np.ndarray, most: float) -> bool:
    """Whether each name has each time once (up to a share of rows), and each series is more filled than empty."""
    codes = codes_of(columns)
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
def find_target(table: Table, schema: Schema, used: Sequence[str]) -> tuple[Names, list[Finding]]:
    """The columns to forecast.

    Raises:
        DataError: no column is numeric, or several columns could be meant.
    """
    if schema.target is not None:
        return schema.target, []
    candidates = [column for column in table.without([*used, *schema.covariates]) if column.is_numeric]
    names = [column.name for column in candidates]
    if not candidates:
        raise _no_target(table, used)
    if schema.layout == "wide":
        return tuple(names), []
    named = [column.name for word in _TARGET_NAMES for column in candidates if column.plain_name == word]
    if len(candidates) > 1 and not named:
        remedy = "say which to forecast: " + Arg("target", ...)
        if not table.schema.id and not any(column.is_text for column in table.without([*used, *names])):
            remedy = remedy + ", or " + Arg("layout", "wide") + " where each column is a series"
        raise table.origin.error(f"several columns hold numbers: {shorten(names, 20)}", remedy)
    chosen = (named or names)[0]
    return (chosen,), [note("target column", f"the target is {chosen}", place=chosen)]


def _no_target(table: Table, used: Sequence[str]) -> DataError:
    rest = table.without(used)
    columns = f"the columns are {shorten(table.names, 20)}"
    if len(rest) == 1 and rest[0].is_empty:
        problem = f"column {rest[0].name!r} has no value at all"
        return table.origin.error(problem, "fill it, or name another with " + Arg("target", ...))
    if not [column for column in rest if column.name not in table.schema.covariates]:
        problem = f"every column has another role, and none is left to forecast; {columns}"
        return table.origin.error(problem, "name the column to forecast: " + Arg("target", ...))
    if len(table.names) == 1 and table.dialect:
        problem = f"the table has one column only, {table.names[0]!r}, and it holds no numbers"
        return table.origin.error(problem, "if its cells are not cut apart, give " + Arg("delimiter", ...))
    example = next((f" (column {one.name!r} begins {one.first_text!r})" for one in rest if one.first_text), "")
    return table.origin.error(
        f"no column holds numbers to forecast{example}; {columns}",
        "name it with "
        + Arg("target", ...)
        + ", codes for missing values with "
        + Arg("missing", ["…"])
        + ", a decimal comma with "
        + Arg("decimal", ","),
    )


def unused(table: Table, schema: Schema, used: Iterable[str], codes: np.ndarray) -> list[Finding]:
    """The columns that play no part."""
    rest = table.without([*used, *schema.covariates])
    empty = [column.name for column in rest if column.is_empty]
    rest = [column for column in rest if not column.is_empty]
    numbers = [column.name for column in rest if column.is_numeric or column.is_datetime]
    texts = [column for column in rest if not (column.is_numeric or column.is_datetime)]
    findings = []
    if empty:
        findings.append(note("column dropped", f"columns without any value left out: {shorten(empty, 20)}", len(empty)))
    if texts:
        fixed = [one.name for one in texts if codes.max(initial=0) > 0 and _is_fixed(one, codes)]
        remedy = f"{shorten(fixed)} could be " + Arg("category") if fixed else ""
        listed = shorten([column.name for column in texts], 20)
        findings.append(note("column dropped", f"columns of text left out: {listed}", len(texts), remedy=remedy))
    if numbers:
        remedy = Arg("past") + " or " + Arg("known") + " uses them"
        message = f"columns without a role left out: {shorten(numbers, 20)}"
        findings.append(note("column unused", message, len(numbers), remedy=remedy))
    return findings


def _is_fixed(column: Column, codes: np.ndarray) -> bool:
    """Whether each series has one value in this column, and not all the same."""
    pairs = np.unique(np.stack([codes, column.codes]), axis=1).shape[1]
    return pairs == len(np.unique(codes)) and len(column.texts) > 1
