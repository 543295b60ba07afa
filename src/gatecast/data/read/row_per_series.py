"""Tables with one row a series: dates (or V2, V3 …) in the header, values to the right."""

from __future__ import annotations

import re
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

_LEAST = 5  # columns of values from which on a table may be recognised by its header alone


def value_columns(table: Table) -> list[str]:
    """The columns of values of a table with one row a series; empty for other tables."""
    dated = [name for name in table.names if is_time_text(name) or re.fullmatch(r"1[5-9]\d\d|2[01]\d\d", name)]
    if len(dated) >= _LEAST and len(dated) >= 0.6 * len(table.names):
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
    has_id = any(column.is_text and column.is_unique for column in table.without(names))
    return names if has_id else []


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
    if not all(is_time_text(name) or re.fullmatch(r"\d{4}", name) for name in values):
        return None
    header = Column("header", pd.Series(values, dtype=object), replace(table.origin, lines=None))
    return parse_times(header, schema.date_format)


def layout_found(table: Table, ids: Names, values: list[str]) -> Finding:
    """That the table was read as one row a series."""
    named = f", named by {' + '.join(ids)}" if ids else ""
    message = f"one row a series: {plural(len(table), 'series', 'series')}{named}, values in {values[0]} … {values[-1]}"
    return note("layout", message, len(table))
