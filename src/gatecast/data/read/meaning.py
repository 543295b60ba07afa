"""What the columns of a table mean: the schema with its open fields filled, and the time and series of each row."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from gatecast.base.findings import Arg
from gatecast.data.frequency import Frequency
from gatecast.data.read import row_per_series
from gatecast.data.read.arrays import first_time
from gatecast.data.read.columns import check_ids, codes_of, find_ids, find_target, note_unused, series_names
from gatecast.data.read.grid import Long
from gatecast.data.read.table import Log, Table
from gatecast.data.read.times import find_time, read_times
from gatecast.data.read.timezones import settle_zone
from gatecast.data.schema import Schema


@dataclass
class Meaning:
    """A table understood.

    Args:
        schema: roles, layout, date format and zone filled in; the frequency is as it was given.
        long: series and time of each value, the values still to be read.
        values: columns that hold the target.
        series: ``(rows of the table,)`` number of the series.
        freq: frequency that the rows must have; None to find it.
    """

    schema: Schema
    long: Long
    values: list[str]
    series: np.ndarray
    freq: Frequency | None


def find_meaning(table: Table, schema: Schema) -> Meaning:
    """Find what the schema leaves open.

    Raises:
        DataError: where two readings are possible; it names the argument that decides.
    """
    if schema.layout == "rows" or (schema.layout == "auto" and schema.time is None and schema.target is None):
        values = row_per_series.value_columns(table)
        if values or schema.layout == "rows":
            return _row_per_series(table, schema, values)
    return _row_per_time(table, schema)


def _row_per_time(table: Table, schema: Schema) -> Meaning:
    """Long and wide tables."""
    wide = schema.layout == "wide"
    if wide and schema.id:
        table.log.fail('id= was given with layout="wide", where columns are series', "use one of the two")
    time = find_time(table, schema)
    stamps = read_times(table, time, schema.date_format) if time else None
    ids = find_ids(table, schema, None if stamps is None else stamps.values, time)
    check_ids(table, ids)
    codes = codes_of(table, ids) if ids else np.zeros(len(table), np.int64)
    target = find_target(table, schema, [*time, *ids])
    note_unused(table, schema, [*time, *ids, *target], codes)
    freq = schema.freq
    if stamps is None:
        times, tz = counted(codes, schema, table.log), None
        freq = schema.freq if schema.start is None else None
    else:
        times, tz = settle_zone(stamps.values, stamps.tz, codes, schema.tz, " + ".join(time), table.log)
    names = series_names(table, ids, codes) if ids else [target[0]]
    found = replace(schema, time=time, id=ids, target=target, layout="wide" if wide else "long", tz=tz)
    if stamps is not None and schema.date_format is None:
        found = replace(found, date_format=stamps.format)
    long = Long(names, codes, times, {}, np.arange(len(table)), " + ".join(time) or "row")
    return Meaning(found, long, list(target), codes, freq)


def _row_per_series(table: Table, schema: Schema, values: list[str]) -> Meaning:
    ids = row_per_series.row_ids(table, schema, values)
    if not values:
        taken = {*ids, *schema.covariates}
        values = [name for name in table.names if name not in taken and not table.is_text(name)]
    row_per_series.note_layout(table, ids, values)
    stamps = row_per_series.header_times(table, values, schema)
    codes = np.arange(len(table), dtype=np.int64)
    names = series_names(table, ids, codes) if ids else [f"row {k + 1}" for k in range(len(table))]
    if len(set(names)) < len(names):
        row = int(np.flatnonzero(pd.Series(names).duplicated())[0])
        table.log.fail(
            f"the series {names[row]!r} comes twice",
            "name the columns that tell rows apart: " + Arg("id", ["…", "…"]),
            row=row,
        )
    note_unused(table, schema, [*ids, *values], codes)
    header = np.zeros(len(values), np.int64)
    if stamps is None:
        times, tz = counted(header, schema, table.log), None
    else:
        times, tz = settle_zone(stamps.values, stamps.tz, header, schema.tz, "header", table.log)
    found = replace(schema, time=(), id=ids, target=(), layout="rows", tz=tz)
    if stamps is not None and schema.date_format is None:
        found = replace(found, date_format=stamps.format)
    count = len(table)
    rows = np.repeat(np.arange(count), len(values))
    long = Long(names, np.repeat(codes, len(values)), np.tile(times, count), {}, rows, "header")
    return Meaning(found, long, values, codes, schema.freq)


def counted(codes: np.ndarray, schema: Schema, log: Log) -> np.ndarray:
    """Row numbers within each series, or times counted from ``start``."""
    number = pd.Series(codes).groupby(codes).cumcount().to_numpy().astype(np.int64)
    if schema.freq is None or schema.freq.is_integer:
        return number
    first = first_time(schema.freq, schema.start, log)
    return schema.freq.times(first, 0, int(number.max()) + 1)[number]
