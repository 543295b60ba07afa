"""Text for people: counts, numbers, durations, times, names."""

from __future__ import annotations

import numpy as np
import pytest

from gatecast.base.text import decimals_for, duration, nearest, number, percent, plural, shorten, time_text


@pytest.mark.parametrize(
    ("count", "nouns", "text"),
    [(1, None, "1 row"), (0, None, "0 rows"), (2_000, None, "2,000 rows"), (2, "ROWS", "2 ROWS")],
)
def test_plural(count: int, nouns: str | None, text: str) -> None:
    assert plural(count, "row", nouns) == text


def test_shorten() -> None:
    assert shorten("abc", 3) == "a, b, c"
    assert shorten("abcd", 3) == "a, b, c … (4 in all)"


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (np.datetime64("2024-01-05", "ns"), "2024-01-05"),
        (np.datetime64("2024-01-05T13:30", "ns"), "2024-01-05 13:30"),
        (np.datetime64("2024-01-05T13:30:15", "ns"), "2024-01-05 13:30:15"),
        (17, "17"),
    ],
)
def test_time(time: object, text: str) -> None:
    assert time_text(time) == text


def test_nearest() -> None:
    assert nearest("horizn", ["horizon", "history"]) == "horizon"
    assert nearest("xyz", ["horizon", "history"]) is None


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (12345.678, 1, "12,345.7"),
        (-3.2, 0, "−3"),
        (-0.001, 2, "0.00"),
        (0.012345, None, "0.01235"),
        (1234.5, None, "1,234"),
        (float("nan"), 2, "–"),
        (float("inf"), 2, "–"),
    ],
)
def test_number(value: float, decimals: int | None, text: str) -> None:
    assert number(value, decimals) == text


@pytest.mark.parametrize(
    ("values", "decimals"),
    [([1500.5, 2000.0], 0), ([400, 300, 200], 0), ([412.5, 380.2], 1), ([0.5, 0.7], 4), ([0, 0], 0), ([np.nan], 0)],
)
def test_decimals_for_about_four_figures(values: list[float], decimals: int) -> None:
    assert decimals_for(np.array(values, dtype=float)) == decimals


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.25, "0.25 s"), (7.3, "7.3 s"), (42.4, "42 s"), (125, "2 min 05 s"), (7320, "2 h 02 min")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_percent() -> None:
    assert percent(0.783) == "78 %"
