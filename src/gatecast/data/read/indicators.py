"""Past and known covariates that are text, as columns of 0 and 1: ``Holiday`` becomes ``Holiday=Eid`` and others.

A column of text has few different values (levels), each of which becomes an indicator. The levels of the training data
are kept in the schema: other files get the same columns. A level that is new has 0 in all of them, which is listed. So
has an empty cell (an ordinary day in a column of holidays) where the training data has such cells; else it is missing.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from gatecast.base.findings import Finding
from gatecast.base.text import plural, shorten
from gatecast.data.read.columns import Column
from gatecast.data.read.number_text import is_missing
from gatecast.data.read.origin import note
from gatecast.data.read.table import Table
from gatecast.data.schema import Names, Schema, indicator_name

MOST = 50  # levels of a column
EMPTY = ""  # the level of cells without one, which has no indicator
NUMBER = r"[+\-−]?[.,]?\d"  # how a number with a unit or a typo begins


def with_indicators(table: Table, schema: Schema) -> tuple[Table, Schema, list[Finding]]:
    """Table and schema with the indicators of the covariates that are text.

    Args:
        table: as it came.
        schema: with the roles of its columns; levels that it knows already are kept.
    """
    levels = dict(schema.indicators)
    for name in (*schema.past, *schema.known):
        if name not in levels and name in table.columns and _is_categorical(table[name]):
            levels[name] = _levels(table[name])
    if not levels:
        return table, schema, []
    indicators = tuple(levels.items())
    _require(table, indicators)
    table, findings = indicate(table, indicators)
    past, known = _expanded(schema.past, levels), _expanded(schema.known, levels)
    return table, replace(schema, past=past, known=known, indicators=indicators), findings


def indicate(table: Table, indicators: tuple[tuple[str, Names], ...]) -> tuple[Table, list[Finding]]:
    """The table with a column of 0 and 1 for each level in place of each column of text."""
    columns, findings = dict(table.columns), list[Finding]()
    for name, levels in indicators:
        column = columns.pop(name, None)
        if column is None:  # the indicators may be there themselves, as Panel.future_frame gives them
            continue
        codes = pd.Index(levels, dtype=object).get_indexer(column.texts)
        absent = is_missing(column.texts, column.missing) & (EMPTY not in levels)
        for code, level in enumerate(levels):
            if level != EMPTY:
                values = pd.Series(np.where(absent, np.nan, codes == code)[column.codes])
                columns[indicator_name(name, level)] = replace(column, name=indicator_name(name, level), values=values)
        findings += _findings(column, levels, codes)
    return replace(table, columns=columns), findings


def names_of(column: str, levels: Names) -> Names:
    """Names of the indicators of a column."""
    return tuple(indicator_name(column, level) for level in levels if level != EMPTY)


def _expanded(names: Names, levels: dict[str, Names]) -> Names:
    """The columns of a role, those of text replaced by their indicators."""
    found = (names_of(name, levels[name]) if name in levels else (name,) for name in names)
    return tuple(one for several in found for one in several)


def _is_categorical(column: Column) -> bool:
    """Whether it holds names that repeat, not numbers or dates."""
    if not column.is_text or column.is_empty or column.is_numeric_text or column.is_time_text:
        return False
    names = column.filled.astype(str)
    few = len(names) <= min(MOST, len(column) / 2)
    return bool(few and not names.str.match(NUMBER).any())


def _levels(column: Column) -> Names:
    """The names in a column, and whether cells are empty."""
    empty = (EMPTY,) if is_missing(column.texts, column.missing).any() else ()
    return (*empty, *sorted(column.filled.astype(str)))


def _require(table: Table, indicators: tuple[tuple[str, Names], ...]) -> None:
    """Check that each column of text is there, with one level at least that is known, or its indicators are."""
    for name, levels in indicators:
        if name not in table.columns and not set(names_of(name, levels)) <= set(table.columns):
            problem = f"there is no column {name!r}; the columns are {shorten(table.names, 20)}"
            raise table.origin.error(problem, f"give it, with the levels {shorten(_named(levels))}")
        if name in table.columns and not table[name].is_empty and not set(table[name].texts) & set(levels):
            got = f"expected one of the levels {shorten(_named(levels))}, got {shorten(table[name].filled.tolist())}"
            raise table[name].error(got, "write the levels as in the training data")


def _named(levels: Names) -> list[str]:
    return [level for level in levels if level != EMPTY]


def _findings(column: Column, levels: Names, codes: np.ndarray) -> list[Finding]:
    named, absent = _named(levels), is_missing(column.texts, column.missing)
    message = f"text: an indicator of 0 and 1 for each of {plural(len(named), 'level')}: {shorten(named)}"
    found = [note("indicators", message, len(named), column.name)]
    empty, unseen = int(absent[column.codes].sum()), column.texts[(codes < 0) & ~absent].tolist()
    if empty:
        means = "all indicators are 0" if EMPTY in levels else "missing"
        found.append(note("no level", f"{plural(empty, 'cell')} without a level: {means}", empty, column.name))
    if unseen:
        message = f"{plural(len(unseen), 'level')} not in the training data, all indicators are 0: {shorten(unseen)}"
        found.append(note("unknown level", message, len(unseen), column.name))
    return found
