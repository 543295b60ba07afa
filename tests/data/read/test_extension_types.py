"""Frames of extension types: rows stay in their places whatever their labels; every kind of NA is a missing value."""

from __future__ import annotations

import decimal
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fixtures.refused import refused

from gatecast.base.errors import DataError
from gatecast.base.findings import Arg
from gatecast.data.read import add_future, read_panel

DAYS = pd.date_range("2024-01-01", periods=6)
NUMBERS: dict[str, list[Any]] = {
    "Int64": [0, 1, 2, 3, 4, 5],
    "Float64": [0, 1, None, 3, 4, 5],
    "boolean": [True, False, None, True, True, False],
    "int64[pyarrow]": [0, 1, 2, 3, 4, 5],
    "double[pyarrow]": [0, 1, None, 3, 4, 5],
    "bool[pyarrow]": [True, False, None, True, True, False],
    "string[pyarrow]": ["0", "1", None, "3", "4", "5"],
    "Sparse[int]": [0, 0, 0, 3, 0, 5],
    "Sparse[float]": [0.0, 0.0, 0.5, 3.0, 0.0, 5.0],
    "category": [0, 1, None, 3, 4, 5],
    "object": [0, 1, pd.NA, 3, 4, 5],
}
LABELS = {"newest first": slice(None, None, -1), "some rows": [1, 3, 4, 5], "no order": [5, 0, 4, 1, 3, 2]}


def plain(values: list[Any]) -> list[float]:
    """The values as floats, NaN where one is missing."""
    return [float("nan") if pd.isna(value) else float(value) for value in values]


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS.keys())
@pytest.mark.parametrize(("kind", "values"), NUMBERS.items(), ids=NUMBERS.keys())
def test_rows_are_not_aligned_by_their_labels(kind: str, values: list[Any], labels: Any) -> None:
    column = pd.Series(values, dtype=kind)
    frame = pd.DataFrame({"ds": DAYS, "y": column, "k": column}).iloc[labels]
    panel = read_panel(frame, target="y", past="k")
    truth = dict(zip(DAYS, plain(values), strict=True))
    times = panel.freq.times(panel.starts[0], 0, int(panel.lengths[0]))
    wanted = [truth[time] if time in set(frame["ds"]) else float("nan") for time in times]
    np.testing.assert_allclose(panel.series(0)[:, 0], wanted)
    np.testing.assert_allclose(panel.past[: len(wanted), 0], wanted)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT, ""], ids=str)
@pytest.mark.parametrize(
    "values", [[1, 2, 3], [1.5, 2.5, 3.5], [decimal.Decimal("1.5"), decimal.Decimal(2), 3], [True, False, True]]
)
def test_every_kind_of_na_among_objects_is_missing(values: list[Any], missing: Any) -> None:
    cells = pd.Series([*values, missing, values[0]], dtype=object)
    panel = read_panel(pd.DataFrame({"ds": DAYS[:5], "y": cells}), target="y")
    np.testing.assert_allclose(panel.series(0)[:, 0], [*map(float, values), float("nan"), float(values[0])])


def test_known_covariates_of_the_future_stay_in_their_rows() -> None:
    past = pd.DataFrame({"ds": DAYS, "y": range(6), "k": range(6)})
    panel = read_panel(past, target="y", known="k")
    later = pd.DataFrame({"ds": pd.date_range("2024-01-07", periods=3), "k": pd.array([7, 8, 9], "Int64")})
    extended = add_future(panel, later[::-1])
    assert extended.known[-3:, 0].tolist() == [7, 8, 9]


@pytest.mark.parametrize("kind", ["Int64", "Float64"])
def test_parquet_keeps_the_order_of_rows(kind: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"ds": DAYS, "y": pd.array(range(6), dtype=kind)})[::-1]
    frame.to_parquet(tmp_path / "rows.parquet")
    assert read_panel(tmp_path / "rows.parquet").series(0)[:, 0].tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("unit", ["timestamp[us][pyarrow]", "timestamp[ns][pyarrow]", "date32[pyarrow]"])
def test_arrow_times_are_times(unit: str) -> None:
    frame = pd.DataFrame({"ds": pd.Series(DAYS).astype(unit), "y": range(6)})[::-1]
    panel = read_panel(frame)
    assert (panel.freq.alias, panel.starts[0]) == ("D", np.datetime64("2024-01-01", "ns"))
    assert panel.series(0)[:, 0].tolist() == [0, 1, 2, 3, 4, 5]


def test_complex_numbers_are_refused() -> None:
    with refused(DataError, place="column 'y'", problem="complex", remedy="real part"):
        read_panel({"ds": DAYS.to_numpy(), "y": np.arange(6) + 1j})


def test_labels_that_count_years_are_the_times() -> None:
    panel = read_panel(pd.Series([6, 5, 4], index=[2006, 2005, 2004]))
    assert (panel.freq.alias, panel.series(0)[:, 0].tolist()) == ("YS", [4, 5, 6])
    assert read_panel(pd.Series([6, 5, 4], index=[9, 3, 5])).freq.is_integer


@pytest.mark.parametrize(
    "periods", [pd.period_range("1500", periods=3, freq="Y"), pd.date_range("2300", periods=3, unit="s")]
)
def test_times_out_of_range_are_refused(periods: Any) -> None:
    with refused(DataError, place="column 'ds'", problem="from 1678 to 2261", remedy="plain numbers"):
        read_panel(pd.DataFrame({"ds": periods, "y": range(3)}))


# ── pipes ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_pipe_is_read_once_and_whole(tmp_path: Path) -> None:
    hours = np.datetime64("2010-01-01T00") + np.arange(40_000)
    text = "t,y\n" + "".join(f"{hour},{k}\n" for k, hour in enumerate(hours))
    os.mkfifo(tmp_path / "pipe")
    threading.Thread(target=(tmp_path / "pipe").write_text, args=(text,), daemon=True).start()
    panel = read_panel(tmp_path / "pipe")
    assert panel.lengths.tolist() == [40_000]
    assert panel.series(0)[[0, -1], 0].tolist() == [0, 39_999]


def test_text_that_is_decoded_already_needs_no_encoding() -> None:
    import io

    text = io.StringIO("day,région\n2024-01-01,1\n2024-01-02,2\n")
    assert read_panel(text, encoding="latin-1").schema.target == ("région",)


# ── patterns and steps ────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_pattern_for_times_other_than_text_is_refused() -> None:
    frame = pd.DataFrame({"ds": DAYS, "y": range(6)})
    with refused(DataError, problem=[Arg("date_format", "%d.%m.%Y"), "'ds'"], remedy=Arg("time", ...)):
        read_panel(frame, date_format="%d.%m.%Y")


def test_steps_onto_which_no_time_can_be_put_are_refused() -> None:
    from gatecast.base.errors import SettingError

    with refused(SettingError, problem=Arg("resample", "B")):
        read_panel(pd.DataFrame({"ds": DAYS, "y": range(6)}), resample="B")
    with refused(DataError, problem="plain numbers"):
        read_panel(pd.DataFrame({"step": range(6), "y": range(6)}), resample="h", target="y")


def test_an_unfinished_last_step_is_listed() -> None:
    hours = pd.date_range("2024-01-01", periods=30, freq="h")
    panel = read_panel(pd.DataFrame({"ds": hours, "y": np.ones(30)}), resample="D", aggregate="sum")
    assert panel.series(0)[:, 0].tolist() == [24, 6]
    assert [repair.kind for repair in panel.repairs if repair.kind == "unfinished step"]
