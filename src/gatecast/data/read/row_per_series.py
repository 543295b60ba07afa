"""Tables with one row a series: dates (or V2, V3 …) in the header, values to the right."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from gatecast.base.findings import Finding
from gatecast.base.text import plural
from gatecast.data.read.columns import Column
from gatecast.data.read.date_formats import is_time_text
from gatecast.data.read.dates import Read, parse_times
from gatecast.data.read.origin import note
from gatecast.data.read.table import Table
from gatecast.data.schema import Names, Schema

_YEAR = re.compile(r"1[5-9]\d\d|2[01]\d\d")
_LEAST = 5  # columns of values from which on a table may be recognised by its header alone


def value_columns(table: Table) -> list[str]:
    """The columns of values of a table with one row a series; empty for other tables."""
    dated = dated_columns(table)
    if len(dated) >= _LEAST and len(dated) >= 0.6 * len(table.names):
        return dated
    others = table.without(dated)
    if len(dated) > 2 and others and all(one.is_text and not one.is_time_text for one in others):
        return dated
    numbered = [re.fullmatch(r"(.*?)(\d+)", name) for name in table.names]
    known = [match for match in numbered if match]
    if len(known) < _LEAST or len(known) < len(table.names) - 3:
        return []
    numbers = [int(match[2]) for match in known]
    same = len({match[1] for match in known}) == 1
    if not same or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return []
    names = [match[0] for match in known]
    if table[names[0]].is_text:  # V1 holds the id
        names = names[1:]
    ids = [column for column in table.without(names) if column.is_text and column.is_unique]
    return names if any(not column.is_time_text for column in ids) else []


def dated_columns(table: Table) -> list[str]:
    """The columns whose headings are times."""
    return [name for name in table.names if is_time_text(_plain(name)) or _YEAR.fullmatch(_plain(name))]


def all_value_columns(table: Table, taken: Sequence[str]) -> list[str]:
    """The columns of values of a table that is said to have one row a series.

    Those with times as headings; otherwise all from the first column of numbers to the last, so that a column with a
    code for missing values in it is not lost.
    """
    dated = [name for name in dated_columns(table) if name not in taken]
    if dated:
        return dated
    free = table.without(taken)
    numeric = [k for k, column in enumerate(free) if column.is_numeric]
    return [column.name for column in free[numeric[0] : numeric[-1] + 1]] if numeric else []


def _plain(heading: str) -> str:
    """A heading without what tools put around a year: ``1990 [YR1990]`` of the World Bank."""
    return re.sub(r"\s*\[YR\d{4}\]$", "", heading.strip())


def row_ids(table: Table, schema: Schema, values: list[str]) -> Names:
    """The columns that name each row."""
    if schema.id is not None:
        return schema.id
    texts = [column for column in table.without([*values, *schema.covariates]) if column.is_text]
    for column in texts:
        if column.is_unique and not (column.texts == "").any():
            return (column.name,)
    return tuple(column.name for column in texts)


def header_times(table: Table, values: list[str], schema: Schema) -> Read | None:
    """Times written in the header; None where it only counts (V2, V3 …)."""
    plain = [_plain(name) for name in values]
    if not all(is_time_text(name) or re.fullmatch(r"\d{4}", name) for name in plain):
        return None
    header = Column("header", pd.Series(plain, dtype=object), replace(table.origin, lines=None))
    return parse_times(header, schema.date_format)


def layout_found(table: Table, ids: Names, values: list[str]) -> Finding:
    """That the table was read as one row a series."""
    named = f", named by {' + '.join(ids)}" if ids else ""
    message = f"one row a series: {plural(len(table), 'series', 'series')}{named}, values in {values[0]} … {values[-1]}"
    return note("layout", message, len(table))
