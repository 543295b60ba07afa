"""What a raw column looks like."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from fixtures.refused import refused

from gatecast.base.errors import DataError
from gatecast.data.read.columns import Column
from gatecast.data.read.number_text import to_float
from gatecast.data.read.origin import Origin


def column(cells: Any, **fields: Any) -> Column:
    return Column("c", pd.Series(cells), Origin("table"), **fields)


@pytest.mark.parametrize(
    ("cells", "kinds"),
    [
        ([1.5, 2.0], {"is_number", "is_numeric"}),
        ([1, 2], {"is_number", "is_numeric", "is_whole"}),
        ([20240131, 20240201], {"is_number", "is_numeric", "is_whole", "is_compact_date"}),
        ([np.nan, np.nan], {"is_number", "is_empty"}),
        (["1,5", "2"], {"is_text", "is_numeric_text", "is_numeric"}),
        (["yes", "no"], {"is_text", "is_numeric_text", "is_numeric"}),
        (["2024-01-31", "2024-02-01"], {"is_text", "is_time_text"}),
        (["a", "b"], {"is_text"}),
        (["", "NA"], {"is_text", "is_empty"}),
        (pd.to_datetime(["2024-01-31"]), {"is_datetime"}),
    ],
)
def test_kinds(cells: Any, kinds: set[str]) -> None:
    names = [name for name in dir(Column) if name.startswith("is_") and name != "is_unique"]
    assert {name for name in names if getattr(column(cells), name)} == kinds


def test_codes_for_missing_values_count_as_missing() -> None:
    plain, given = column(["1", "x", "x", "x"]), column(["1", "x", "x", "x"], missing=("x",))
    assert (plain.is_numeric, given.is_numeric) == (False, True)
    values, findings = to_float(given, None, None)
    np.testing.assert_array_equal(values, [1, np.nan, np.nan, np.nan])
    assert [(one.kind, one.count, one.place) for one in findings] == [("missing code", 3, "c")]


def test_texts_are_stripped_and_numbered_once() -> None:
    one = column([" a", "b", "a ", None])
    assert one.texts.tolist() == ["a", "b", ""]
    assert one.codes.tolist() == [0, 1, 0, 2]
    assert one.cells.tolist() == ["a", "b", "a", ""]
    assert (one.is_unique, one.first_row(1)) == (False, 1)


def test_whole_numbers_with_a_missing_cell_are_names_without_a_point() -> None:
    assert column([1.0, np.nan, 2.0]).texts.tolist() == ["1", "", "2"]


def test_an_error_names_source_column_and_line() -> None:
    origin = Origin("data.csv", "line", np.array([2, 7]))
    with refused(DataError, place="data.csv, column 'c', line 7", problem="'x'", remedy="missing"):
        to_float(Column("c", pd.Series(["1", "x"]), origin), None, None)
