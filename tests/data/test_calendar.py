from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gatecast.data.calendar import calendar_cycles, calendar_names, calendar_table, local_times
from gatecast.data.frequency import Frequency


@pytest.mark.parametrize(
    ("alias", "names"),
    [
        ("", ()),
        ("YS", ()),
        ("12MS", ()),
        ("MS", ("year_sin", "year_cos")),
        ("QS", ("year_sin", "year_cos")),
        ("BQS", ("year_sin", "year_cos")),
        ("BYE-MAR", ()),
        ("W-SUN", ("year_sin", "year_cos")),
        ("D", ("week_sin", "week_cos", "year_sin", "year_cos", "weekend")),
        ("B", ("week_sin", "week_cos", "year_sin", "year_cos")),
        ("h", ("day_sin", "day_cos", "week_sin", "week_cos", "year_sin", "year_cos", "weekend")),
    ],
)
def test_a_step_sees_the_cycles_longer_than_itself(alias: str, names: tuple[str, ...]) -> None:
    assert calendar_names(Frequency(alias)) == names


@pytest.mark.parametrize(
    ("alias", "rows", "cycles"),
    [
        ("D", 13, ()),
        ("D", 14, ("week",)),
        ("D", 729, ("week",)),
        ("D", 730, ("week", "year")),
        ("h", 48, ("day",)),
        ("MS", 23, ()),
        ("MS", 24, ("year",)),
        ("QS", 8, ("year",)),
        ("W-SUN", 104, ()),
        ("W-SUN", 105, ("year",)),
        ("", 10_000, ()),
        ("YS", 50, ()),
    ],
)
def test_a_cycle_counts_where_the_rows_hold_it_twice(alias: str, rows: int, cycles: tuple[str, ...]) -> None:
    freq = Frequency(alias)
    start = np.int64(0) if freq.is_integer else np.datetime64("2021-01-03", "ns")
    assert calendar_cycles(freq, start, rows) == cycles


def test_without_the_weekly_cycle_there_is_no_weekend_column() -> None:
    start = np.datetime64("2024-03-08", "ns")
    some = calendar_table(Frequency("D"), start, 0, 5, cycles=("year",))
    whole = calendar_table(Frequency("D"), start, 0, 5)
    assert calendar_names(Frequency("D"), ("year",)) == ("year_sin", "year_cos")
    assert np.array_equal(some, whole[:, 2:4])


@pytest.mark.parametrize("alias", ["", "s", "min", "15min", "h", "6h", "D", "2D", "B", "W-SUN", "MS", "QS", "YS", "ME"])
def test_table_has_a_column_for_each_name(alias: str) -> None:
    freq = Frequency(alias)
    start = np.int64(3) if freq.is_integer else np.datetime64("2024-02-27", "ns")
    table = calendar_table(freq, start, -2, 7)
    assert table.shape == (7, len(calendar_names(freq)))
    assert table.dtype == np.float32


def test_known_hours() -> None:
    table = calendar_table(Frequency("h"), np.datetime64("2024-03-08T18", "ns"), 0, 7)  # a Friday
    names = calendar_names(Frequency("h"))
    assert table[0, names.index("day_sin")] == pytest.approx(-1)
    assert table[6, names.index("day_cos")] == pytest.approx(1)
    assert list(table[:, names.index("weekend")]) == [0, 0, 0, 0, 0, 0, 1]


def test_tables_agree_where_they_overlap() -> None:
    start = np.datetime64("2024-02-27", "ns")
    whole = calendar_table(Frequency("D"), start, 0, 10)
    assert np.array_equal(whole[4:], calendar_table(Frequency("D"), start, 4, 6))


def test_the_local_clock_counts_across_the_change_of_clocks() -> None:
    utc = Frequency("15min").times(np.datetime64("2024-03-30T00", "ns"), 0, 4 * 72)
    expected = pd.DatetimeIndex(utc).tz_localize("UTC").tz_convert("Europe/Berlin").tz_localize(None)
    assert np.array_equal(local_times(utc, "Europe/Berlin"), expected.to_numpy())
    table = calendar_table(Frequency("h"), utc[0], 0, 72, tz="Europe/Berlin")
    noon = np.flatnonzero(np.isclose(table[:, 1], -1))
    assert list(noon) == [11, 34, 58]  # one hour of Sunday is missing
