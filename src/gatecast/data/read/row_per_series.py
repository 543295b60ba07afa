"""Tables with one row a series: dates (or V2, V3 …) in the header, values to the right."""

from __future__ import annotations

import re

import pandas as pd

from gatecast.base.text import plural
from gatecast.data.read.dates import Moments, is_time_text, parse_texts
from gatecast.data.read.table import Table
from gatecast.data.schema import Schema

_LEAST = 5  # columns of values from which on a table may be recognised by its header alone


def value_columns(table: Table) -> list[str]:
    """The columns of values of a table with one row a series; empty where it is none."""
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
    if table.is_text(names[0]):  # V1 holds the id
        names = names[1:]
    has_id = any(table.is_text(name) and table.texts(name).is_unique for name in table.names if name not in names)
    return names if has_id else []


def row_ids(table: Table, schema: Schema, values: list[str]) -> tuple[str, ...]:
    """The columns that name each row."""
    if schema.id is not None:
        return schema.id
    taken = {*values, *schema.covariates}
    texts = [name for name in table.names if name not in taken and table.is_text(name)]
    for name in texts:
        if table.texts(name).is_unique and (table.texts(name) != "").all():
            return (name,)
    return tuple(texts)


def header_times(table: Table, values: list[str], schema: Schema) -> Moments | None:
    """Times written in the header; None where it only counts (V2, V3 …)."""
    if not all(is_time_text(name) or re.fullmatch(r"\d{4}", name) for name in values):
        return None
    lines, table.log.lines = table.log.lines, None
    try:
        moments = parse_texts(pd.Series(values, dtype=object), "header", schema.date_format, table.log)
    finally:
        table.log.lines = lines
    return moments


def note_layout(table: Table, ids: tuple[str, ...], values: list[str]) -> None:
    """List that the table was read as one row a series."""
    named = f", named by {' + '.join(ids)}" if ids else ""
    message = f"one row a series: {plural(len(table), 'series', 'series')}{named}, values in {values[0]} … {values[-1]}"
    table.log.note("layout", message, len(table))
