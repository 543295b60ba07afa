"""Covariates with one value a series: numbers, and names as codes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gatecast.base.findings import Arg, Finding
from gatecast.data.read.columns import Column
from gatecast.data.read.number_text import is_missing, to_float
from gatecast.data.read.table import Table
from gatecast.data.schema import Schema


def read_static(table: Table, series: np.ndarray, schema: Schema) -> tuple[np.ndarray, list[Finding]]:
    """``(series, static)`` float32; NaN where a series has no value.

    Raises:
        DataError: a column changes within a series.
    """
    count = int(series.max()) + 1
    result = np.full((count, len(schema.static)), np.nan, np.float32)
    findings: list[Finding] = []
    for k, name in enumerate(schema.static):
        values, found = to_float(table[name], schema.decimal, table.decimal)
        result[:, k] = _one_each(table[name], values, ~np.isnan(values), series, "static", np.full(count, np.nan))
        findings += found
    return result, findings


def read_category(table: Table, series: np.ndarray, schema: Schema) -> tuple[np.ndarray, tuple[tuple[str, ...], ...]]:
    """``(series, categories)`` codes, -1 for missing, and the names behind them: those of the schema, or all found.

    Raises:
        DataError: a column changes within a series.
    """
    count = int(series.max()) + 1
    result = np.full((count, len(schema.category)), -1, np.int64)
    levels = []
    for k, name in enumerate(schema.category):
        column = table[name]
        known = schema.levels[k] if schema.levels else tuple(sorted(column.filled))
        numbers = pd.Index(known, dtype=object).get_indexer(column.texts)
        numbers[is_missing(column.texts, column.missing)] = -1
        codes = numbers[column.codes]
        values = codes.astype(np.float64)
        result[:, k] = _one_each(column, values, codes >= 0, series, "category", np.full(count, -1.0)).astype(np.int64)
        levels.append(known)
    return result, tuple(levels)


def _one_each(
    column: Column, values: np.ndarray, present: np.ndarray, series: np.ndarray, role: str, result: np.ndarray
) -> np.ndarray:
    """The value of each series; ``result`` holds what stands for none."""
    rows = np.flatnonzero(present)
    first = rows[np.unique(series[rows], return_index=True)[1]]
    result[series[first]] = values[first]
    changed = rows[values[rows] != result[series[rows]]]
    if len(changed):
        row = int(changed[0])
        before = int(first[series[first] == series[row]][0])
        was, now = (column.texts.iloc[column.codes[at]] for at in (before, row))
        problem = "expected one value a series (" + Arg(role) + f"), got {was!r} and then {now!r}"
        remedy = "give a column that changes in time as " + Arg("past") + " or " + Arg("known")
        raise column.error(problem, remedy, row)
    return result
