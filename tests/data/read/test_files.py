"""The same series through every door: files, frames of three libraries, arrays, dicts and lists."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fixtures.refused import refused

from gatecast.base.errors import DataError
from gatecast.base.findings import Arg
from gatecast.data.read import read_panel

DAYS = pd.date_range("2024-01-01", periods=4)
VALUES = [1.0, 2.0, np.nan, 4.0]


def frame() -> pd.DataFrame:
    return pd.DataFrame({"ds": DAYS, "y": VALUES})


def polars_frame(lazy: bool = False) -> Any:
    pl = pytest.importorskip("polars")
    table = pl.DataFrame({"ds": DAYS.to_numpy(), "y": [1.0, 2.0, None, 4.0]})
    return table.lazy() if lazy else table


def arrow_table() -> Any:
    pa = pytest.importorskip("pyarrow")
    return pa.Table.from_pandas(frame())


def polars_dates() -> Any:
    pl = pytest.importorskip("polars")
    return polars_frame().with_columns(pl.col("ds").cast(pl.Date))


DOORS = {
    "pandas": frame,
    "pandas, index of dates": lambda: frame().set_index("ds"),
    "pandas, unnamed index of dates": lambda: pd.DataFrame({"y": VALUES}, index=DAYS),
    "pandas, periods": lambda: pd.DataFrame({"y": VALUES}, index=DAYS.to_period("D")),
    "pandas, nullable and text": lambda: frame().assign(y=frame()["y"].astype("Float64"), ds=DAYS.strftime("%d.%m.%Y")),
    "pandas, microseconds": lambda: frame().assign(ds=DAYS.astype("datetime64[us]")),
    "pandas, objects": lambda: frame().astype(object),
    "pandas series": lambda: pd.Series(VALUES, index=DAYS, name="y"),
    "pandas, python dates": lambda: frame().assign(ds=[day.date() for day in DAYS]),
    "polars": polars_frame,
    "polars, lazy": lambda: polars_frame(lazy=True),
    "polars, dates": polars_dates,
    "pyarrow": arrow_table,
    "dict of columns": lambda: {"ds": DAYS.to_numpy(), "y": VALUES},
    "structured array": lambda: np.array(
        list(zip(DAYS.to_numpy().astype("M8[s]"), VALUES, strict=True)), dtype=[("ds", "M8[s]"), ("y", "f8")]
    ),
    "open text": lambda: io.StringIO(frame().to_csv(index=False)),
    "open bytes": lambda: io.BytesIO(frame().to_csv(index=False).encode()),
}


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS.keys())
def test_every_door_gives_the_same_panel(door: Any) -> None:
    panel = read_panel(door())
    np.testing.assert_array_equal(panel.series(0)[:, 0], VALUES)
    assert panel.freq.alias == "D"
    assert panel.starts[0] == np.datetime64("2024-01-01")
    assert panel.target.dtype == np.float32
    assert panel.ids.tolist() == ["y"]


def test_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    frame().to_parquet(tmp_path / "data.parquet")
    np.testing.assert_array_equal(read_panel(tmp_path / "data.parquet").series(0)[:, 0], VALUES)


def test_index_of_two_levels_and_categories() -> None:
    index = pd.MultiIndex.from_product([["b", "a"], DAYS], names=["shop", "day"])
    table = pd.DataFrame({"sales": range(8)}, index=index)
    panel = read_panel(table)
    assert panel.ids.tolist() == ["b", "a"]
    assert (panel.id_name, panel.time_name, panel.target_names) == ("shop", "day", ("sales",))
    again = read_panel(table.reset_index().astype({"shop": "category"}))
    np.testing.assert_array_equal(again.target, panel.target)


def test_zone_of_a_frame_is_kept() -> None:
    hours = pd.date_range("2024-03-31", periods=4, freq="h", tz="Europe/Berlin")
    panel = read_panel(pd.DataFrame({"ds": hours, "y": range(4)}))
    assert (panel.tz, panel.freq.alias) == ("Europe/Berlin", "h")
    assert panel.starts[0] == np.datetime64("2024-03-30T23")
    assert panel.to_frame()["ds"].tolist() == hours.tolist()


def test_whole_days_in_a_zone_become_dates() -> None:
    days = pd.date_range("2024-03-29", periods=5, tz="Europe/Berlin")  # one of them has 23 hours
    panel = read_panel(pd.DataFrame({"ds": days, "y": range(5)}))
    assert (panel.tz, panel.freq.alias, len(panel.series(0))) == (None, "D", 5)
    assert any("whole days in Europe/Berlin" in repair.problem for repair in panel.repairs)


def test_a_clean_array_is_not_copied() -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    panel = read_panel(values)
    assert np.shares_memory(panel.target, values)
    assert panel.lengths.tolist() == [4, 4, 4]
    assert panel.series(2)[:, 0].tolist() == [8, 9, 10, 11]


def test_arrays_by_shape() -> None:
    assert len(read_panel(np.arange(5.0))) == 1
    assert read_panel(np.zeros((2, 5, 3)) + np.arange(5)[:, None]).target_names == ("y1", "y2", "y3")
    wide = read_panel(np.array([[1.0, 5.0], [2.0, 6.0], [3.0, 7.0]]), layout="wide")
    assert [values[:, 0].tolist() for _, values in wide] == [[1, 2, 3], [5, 6, 7]]
    dated = read_panel(np.arange(5.0), freq="h", start="2024-01-01T06")
    assert dated.cutoffs[0] == np.datetime64("2024-01-01T10")


def test_padded_arrays_become_series_of_unequal_lengths() -> None:
    panel = read_panel(np.array([[1, 2, 3, np.nan], [np.nan, 5, 6, 7]]), freq="D", start="2024-01-01")
    assert panel.lengths.tolist() == [3, 3]
    assert panel.starts.astype("M8[D]").astype(str).tolist() == ["2024-01-01", "2024-01-02"]


def test_dict_and_list_of_series_of_unequal_lengths() -> None:
    panel = read_panel({"a": np.arange(3.0), "b": np.arange(5.0)})
    assert (panel.ids.tolist(), panel.lengths.tolist()) == (["a", "b"], [3, 5])
    assert read_panel([[1, 2, 3], [4, 5]]).lengths.tolist() == [3, 2]
    assert read_panel([1, 2, 3]).series(0)[:, 0].tolist() == [1, 2, 3]


def test_saved_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(4.0))
    assert read_panel(tmp_path / "a.npy").series(0)[:, 0].tolist() == [0, 1, 2, 3]
    np.savez(tmp_path / "b.npz", ds=DAYS.to_numpy(), y=np.arange(4.0))
    assert read_panel(tmp_path / "b.npz").freq.alias == "D"
    np.save(tmp_path / "c.npy", np.array([{"a": 1}], dtype=object))
    with refused(DataError, place="c.npy", problem="plain arrays", remedy=["numpy.save", "numpy.savez"]):
        read_panel(tmp_path / "c.npy")


@pytest.mark.parametrize(
    ("source", "place", "problem", "remedy"),
    [
        (np.zeros((0,)), "array", ["shape (0,)", "no series"], "(series, time)"),
        (np.zeros((2, 2, 2, 2)), "array", ["shape (2, 2, 2, 2)", "no series"], ["(series, time)", "grids"]),
        (np.array(["a", "b"]), "array", "<U1", ["float", "a dict of columns"]),
        ({"a": np.zeros((2, 2)), "b": np.zeros(3)}, "dict", ["one length", "'a': (2, 2)", "'b': (3,)"], "grids"),
        ({"a": np.zeros(0), "b": np.zeros(3)}, "dict", ["'a'", "no values"], "leave it out"),
        ([["a"], ["b"]], "list", "no numbers", "numbers"),
        (pd.DataFrame({"ds": [], "y": []}), "pandas frame", ["0 rows", "2 columns"], "values"),
        (
            pd.DataFrame({"ds": DAYS, "y": [1, 2, np.inf, 3]}),
            "pandas frame, column 'y', row 3",
            ["1 row", "infinite"],
            Arg("infinite", "missing"),
        ),
    ],
)
def test_objects_without_series_are_refused(source: Any, place: str, problem: Any, remedy: Any) -> None:
    with refused(DataError, place=place, problem=problem, remedy=remedy):
        read_panel(source)


def test_doubles_stay_where_singles_would_lose_them() -> None:
    counter = 1e9 + np.arange(20.0)
    kept = read_panel({"ds": pd.date_range("2024-01-01", periods=20), "y": counter})
    assert kept.target.dtype == np.float64
    np.testing.assert_array_equal(kept.series(0)[:, 0], counter)
    assert any(repair.kind == "float64" for repair in kept.repairs)
    assert read_panel({"ds": pd.date_range("2024-01-01", periods=20), "y": counter - 1e9}).target.dtype == np.float32
