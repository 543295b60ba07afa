from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatecast.data.frequency import Frequency
from gatecast.data.read.infer_frequency import infer_frequency, month_alias, parse_alias
from gatecast.data.read.origin import Origin

ALIASES = ["s", "30s", "min", "15min", "h", "6h", "D", "3D", "W-SUN", "2W-TUE", "B", "MS", "ME", "QS", "QE", "YS", "YE"]
DAYS = st.integers(-20_000, 20_000)
COUNTS = st.integers(-60, 60)


def on_grid(alias: str, day: int) -> np.datetime64:
    """First time of this frequency on or after a day counted from 1970."""
    offset = pd.tseries.frequencies.to_offset(alias)
    stamp = pd.Timestamp(np.datetime64(day, "D")) + pd.Timedelta(hours=0)
    return np.datetime64(stamp if stamp == offset.rollforward(stamp) else offset.rollforward(stamp), "ns")


@settings(max_examples=200, deadline=None)
@given(alias=st.sampled_from(ALIASES), day=DAYS, first=COUNTS, count=st.integers(0, 40))
def test_times_and_positions_are_inverse(alias: str, day: int, first: int, count: int) -> None:
    freq, start = Frequency(alias), on_grid(alias, day)
    times = freq.times(start, first, count)
    np.testing.assert_array_equal(freq.position(start, times), np.arange(first, first + count))


@settings(max_examples=150, deadline=None)
@given(alias=st.sampled_from(ALIASES), day=DAYS, count=st.integers(1, 40))
def test_times_are_those_of_pandas(alias: str, day: int, count: int) -> None:
    start = on_grid(alias, day)
    expected = pd.date_range(start, periods=count, freq=alias).to_numpy()
    np.testing.assert_array_equal(Frequency(alias).times(start, 0, count), expected)


@settings(max_examples=100, deadline=None)
@given(alias=st.sampled_from(ALIASES), day=DAYS)
def test_times_between_two_steps_have_no_whole_position(alias: str, day: int) -> None:
    freq, start = Frequency(alias), on_grid(alias, day)
    times = freq.times(start, -3, 6)
    between = times[:-1] + (times[1:] - times[:-1]) // 3
    where = freq.position(start, between)
    assert (where != np.floor(where)).all()
    np.testing.assert_array_equal(np.floor(where), np.arange(-3, 2))


@settings(max_examples=150, deadline=None)
@given(alias=st.sampled_from(ALIASES), day=DAYS, holes=st.sets(st.integers(1, 38), max_size=8))
def test_frequency_is_found_again_where_rows_are_missing(alias: str, day: int, holes: set[int]) -> None:
    times = Frequency(alias).times(on_grid(alias, day), 0, 40)
    keep = np.array([k for k in range(40) if k not in holes])
    rows = np.arange(len(keep))
    found = infer_frequency(times[keep], np.zeros(len(keep), np.int64), "t", Origin("test"), rows)
    np.testing.assert_array_equal(found.times(times[0], 0, 40), times)


@given(start=st.integers(-1000, 1000), step=st.integers(1, 50), count=st.integers(0, 30))
def test_integer_index(start: int, step: int, count: int) -> None:
    freq = Frequency("", step)
    times = freq.times(np.int64(start), 0, count)
    np.testing.assert_array_equal(times, start + step * np.arange(count))
    np.testing.assert_array_equal(freq.position(np.int64(start), times), np.arange(count))


@pytest.mark.parametrize(
    ("given_", "modern"),
    [
        ("H", "h"),
        ("15T", "15min"),
        ("M", "ME"),
        ("Q", "QE-DEC"),
        ("D", "D"),
        ("daily", "D"),
        ("W", "W-SUN"),
        ("1h", "h"),
    ],
)
def test_deprecated_aliases(given_: str, modern: str) -> None:
    assert parse_alias(given_) == modern


@pytest.mark.parametrize(
    ("alias", "months", "cycles"),
    [("MS", 1, (12,)), ("2QE", 6, (2,)), ("BMS", 1, (12,)), ("BQE-MAR", 3, (4,)), ("YS", 12, (1,)), ("D", None, (7,))],
)
def test_a_year_is_the_cycle_of_steps_of_months(alias: str, months: int | None, cycles: tuple[int, ...]) -> None:
    assert (Frequency(alias).months, Frequency(alias).cycles) == (months, cycles)


@pytest.mark.parametrize(
    ("step", "month", "end", "alias"),
    [
        (1, 4, False, "MS"),
        (2, 0, True, "2ME"),
        (3, 0, False, "QS"),
        (3, 1, False, "QS-FEB"),
        (3, 2, True, "QE"),
        (12, 0, False, "YS"),
        (12, 5, True, "YE-JUN"),
        (24, 0, False, "2YS"),
    ],
)
def test_month_aliases(step: int, month: int, end: bool, alias: str) -> None:
    assert month_alias(step, month, end=end) == alias
