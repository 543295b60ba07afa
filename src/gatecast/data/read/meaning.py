"""What the columns of a table mean: the schema with its open fields filled, and the time and series of each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from gatecast.base.findings import Arg, Finding
from gatecast.base.text import plural
from gatecast.data.frequency import Frequency
from gatecast.data.read import row_per_series
from gatecast.data.read.arrays import first_time
from gatecast.data.read.columns import Column
from gatecast.data.read.dates import Timestamps
from gatecast.data.read.grid import Long
from gatecast.data.read.origin import Origin, note
from gatecast.data.read.roles import check_ids, check_names, codes_of, find_ids, find_target, series_names, unused
from gatecast.data.read.table import Table
from gatecast.data.read.times import find_time, read_times
from gatecast.data.read.timezones import settle_zone
from gatecast.data.schema import Names, Schema


@dataclass
class Meaning:
    """A table understood.

    Args:
        schema: roles, layout, date format and zone filled in; the frequency is as it was given.
        long: series and time of each value, the values still to be read.
        values: columns that hold the target.
        series: ``(rows of the table,)`` number of the series.
        freq: frequency that the rows must have; None to find it.
        findings: what was decided.
    """

    schema: Schema
    long: Long
    values: list[str]
    series: np.ndarray
    freq: Frequency | None
    findings: list[Finding]


def find_meaning(table: Table, schema: Schema) -> Meaning:
    """Find what the schema leaves open.

    Raises:
        DataError: where two readings are possible; it names the argument that decides.
    """
    check_names(table, schema)
    if schema.layout == "rows" or (schema.layout == "auto" and schema.time is None and schema.target is None):
        values = row_per_series.value_columns(table)
        if values or schema.layout == "rows":
            return _row_per_series(table, schema, values)
    return _row_per_time(table, schema)


def _row_per_time(table: Table, schema: Schema) -> Meaning:
    """Long and wide tables."""
    wide = schema.layout == "wide"
    if wide and schema.id:
        problem = Arg("id") + " was given with " + Arg("layout", "wide") + ", where columns are series"
        raise table.origin.error(problem, "use one of the two")
    time, findings = find_time(table, schema)
    stamps, read = read_times(table, time, schema.date_format) if time else (None, [])
    _require_used(table, schema, time, stamps)
    ids, series = find_ids(table, schema, None if stamps is None else stamps.values, time)
    id_columns = [table[name] for name in ids]
    check_ids(id_columns)
    _require_times(table, schema, time, id_columns)
    codes = codes_of(id_columns) if ids else np.zeros(len(table), np.int64)
    target, chosen = find_target(table, schema, [*time, *ids])
    findings += [*read, *series, *chosen, *unused(table, schema, [*time, *ids, *target], codes)]
    stamps, settled = _settled(stamps, codes, schema, " + ".join(time), table.origin)
    if wide and not time:
        settled += _notes_below_names(table, target)
    names = series_names(id_columns, codes) if ids else [target[0]]
    long = Long(names, codes, stamps.values, {}, np.arange(len(table)), " + ".join(time) or "row", table.origin)
    found = replace(schema, time=time, id=ids, target=target, layout="wide" if wide else "long")
    freq = None if not time and schema.start is not None else schema.freq  # times counted from a start show it
    return Meaning(_with_stamps(found, stamps), long, list(target), codes, freq, [*findings, *settled])


def _require_used(table: Table, schema: Schema, time: Names, stamps: Timestamps | None) -> None:
    """Check that a start and a date pattern were given for something."""
    if time and schema.start is not None:
        remedy = "leave it out, or count the rows: " + Arg("time", False)
        where = f" is for files without times, and the time is in {' + '.join(time)}"
        problem = Arg("start", str(schema.start)) + where
        raise table.origin.error(problem, remedy)
    if schema.date_format is None or "%" not in schema.date_format:
        return
    if stamps is None or stamps.format != schema.date_format:
        where = f"column {' + '.join(time)!r} is not text written so" if time else "no column is written so"
        remedy = "leave it out, correct it, or name the column: " + Arg("time", ...)
        raise table.origin.error(Arg("date_format", schema.date_format) + f" was given, but {where}", remedy)


def _require_times(table: Table, schema: Schema, time: Names, ids: Sequence[Column]) -> None:
    """Check that the only column of times was not named as the series."""
    if time or schema.time is not None:
        return
    for column in ids:
        if column.is_time_text or column.is_datetime:
            problem = Arg("id", column.name) + " names the column of the times as the one that tells the series apart"
            raise table.origin.error(problem, "give it as " + Arg("time", column.name), column=column.name)


def _notes_below_names(table: Table, names: Sequence[str]) -> list[Finding]:
    """That the first rows of a table with a column a series look like notes on the series: few values, repeated."""
    rows = np.stack(
        [column.values.to_numpy(dtype=float) for column in table if column.name in names and column.is_number]
    )
    if len(rows) < 5 or rows.shape[1] < 12:
        return []
    shares = [len(np.unique(row)) / len(row) for row in rows.T[:30]]
    notes = next((k for k, share in enumerate(shares) if share > 0.5), 0)
    if not 0 < notes <= 6 or np.median(shares[notes:]) < 0.9:
        return []
    message = f"the first {plural(notes, 'row')} repeat a few values over all columns: notes on the series, perhaps"
    return [note("suspicious rows", message, notes, remedy="if so: " + Arg("skip_rows", notes))]


def _row_per_series(table: Table, schema: Schema, values: list[str]) -> Meaning:
    values = values or row_per_series.all_value_columns(table, [*(schema.id or ()), *schema.covariates])
    if not values:
        remedy = "leave " + Arg("layout") + " out, or name the columns of the series: " + Arg("id", ["…"])
        raise table.origin.error(Arg("layout", "rows") + " was given, but no column holds numbers", remedy)
    ids = row_per_series.row_ids(table, schema, values)
    findings = [row_per_series.layout_found(table, ids, values)]
    count = len(table)
    codes = np.arange(count, dtype=np.int64)
    names = series_names([table[name] for name in ids], codes) if ids else [f"row {k + 1}" for k in range(count)]
    if len(set(names)) < len(names):
        row = int(np.flatnonzero(pd.Series(names).duplicated())[0])
        remedy = "name the columns that tell rows apart: " + Arg("id", ["…", "…"])
        raise table.origin.error(f"the series {names[row]!r} comes twice", remedy, row=row)
    stamps, read = row_per_series.header_times(table, values, schema) or (None, [])
    findings += [*read, *unused(table, schema, [*ids, *values], codes)]
    stamps, settled = _settled(stamps, np.zeros(len(values), np.int64), schema, "header", table.origin)
    rows = np.repeat(codes, len(values))
    long = Long(names, rows, np.tile(stamps.values, count), {}, rows, "header", table.origin)
    found = _with_stamps(replace(schema, time=(), id=ids, target=(), layout="rows"), stamps)
    return Meaning(found, long, values, codes, schema.freq, [*findings, *settled])


def _settled(
    stamps: Timestamps | None, codes: np.ndarray, schema: Schema, column: str, origin: Origin
) -> tuple[Timestamps, list[Finding]]:
    """Times in UTC, or counted within each series where the source has none: row numbers, or times from ``start``."""
    if stamps is not None:
        return settle_zone(stamps, codes, schema.tz, column, origin)
    number = pd.Series(codes).groupby(codes).cumcount().to_numpy().astype(np.int64)
    if schema.freq is None or schema.freq.is_integer:
        return Timestamps(number), []
    first, findings = first_time(schema.freq, schema.start, origin)
    return Timestamps(schema.freq.times(first, 0, int(number.max()) + 1)[number]), findings


def _with_stamps(schema: Schema, stamps: Timestamps) -> Schema:
    return replace(schema, tz=stamps.tz, date_format=schema.date_format or stamps.format)
