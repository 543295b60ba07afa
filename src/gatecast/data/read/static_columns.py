"""Covariates with one value a series: numbers, and names as codes."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gatecast.data.read.numbers import to_float
from gatecast.data.read.table import Table, is_missing_text
from gatecast.data.schema import Schema


def read_static(table: Table, codes: np.ndarray, schema: Schema) -> np.ndarray:
    """``(series, static)`` float32; NaN where a series has no value.

    Raises:
        DataError: where a column changes within a series.
    """
    count = int(codes.max()) + 1
    result = np.full((count, len(schema.static)), np.nan, np.float32)
    for k, name in enumerate(schema.static):
        values = to_float(table, name, decimal=schema.decimal, missing=schema.missing)
        result[:, k] = _one_each(values, ~np.isnan(values), codes, table, name, "static", np.full(count, np.nan))
    return result


def read_category(table: Table, codes: np.ndarray, schema: Schema) -> tuple[np.ndarray, tuple[tuple[str, ...], ...]]:
    """``(series, categories)`` codes, -1 for missing, and the names behind them."""
    count = int(codes.max()) + 1
    result = np.full((count, len(schema.category)), -1, np.int64)
    levels = []
    for k, name in enumerate(schema.category):
        texts = table.texts(name)
        absent = is_missing_text(texts, schema.missing)
        if schema.levels:
            names = list(schema.levels[k])
            numbers = pd.Index(names).get_indexer(texts)
            absent |= numbers < 0  # a level that the schema does not know
        else:
            numbers, names = pd.factorize(texts.where(~absent), sort=True)
        values = _one_each(numbers.astype(np.float64), ~absent, codes, table, name, "category", np.full(count, -1.0))
        result[:, k] = values.astype(np.int64)
        levels.append(tuple(str(level) for level in names))
    return result, tuple(levels)


def _one_each(
    values: np.ndarray, present: np.ndarray, codes: np.ndarray, table: Table, name: str, role: str, result: np.ndarray
) -> np.ndarray:
    rows = np.flatnonzero(present)
    first = rows[np.unique(codes[rows], return_index=True)[1]]
    result[codes[first]] = values[first]
    changed = rows[values[rows] != result[codes[rows]]]
    if len(changed):
        row = int(changed[0])
        texts = table.texts(name)
        before = int(first[codes[first] == codes[row]][0])
        table.log.fail(
            f"expected one value a series ({role}=), got {texts.iloc[before]!r} and then {texts.iloc[row]!r}",
            "a column that changes in time belongs into past= or known=",
            column=name,
            row=row,
        )
    return result
