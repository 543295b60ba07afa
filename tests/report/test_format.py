"""Times and steps as people read them."""

from __future__ import annotations

import numpy as np
import pytest

from gatecast.data.frequency import Frequency
from gatecast.data.panel import Panel
from gatecast.report.format import step_width, steps_ahead, time_texts

HORIZONS = {"14 days": "D", "1 month": "MS", "96 steps of 15 minutes": "15min", "2 weeks": "W-SUN", "3 steps": ""}


@pytest.mark.parametrize(("text", "alias"), HORIZONS.items())
def test_horizon_in_words(text: str, alias: str) -> None:
    assert steps_ahead(int(text.split()[0]), Frequency(alias)) == text


def test_step_width_in_words() -> None:
    assert (step_width(Frequency("h")), step_width(Frequency("15min"))) == ("1 hour", "15 minutes")


@pytest.mark.parametrize(
    ("alias", "text"),
    [("YS", "2024"), ("MS", "2024-03"), ("D", "2024-03-31"), ("h", "2024-03-31 00:30"), ("s", "2024-03-31 00:30:00")],
)
def test_times_are_as_fine_as_the_frequency(alias: str, text: str) -> None:
    panel = Panel.from_arrays([np.zeros(3)], freq=alias)
    assert time_texts(np.array(["2024-03-31T00:30"], "datetime64[ns]"), panel) == [text]


def test_times_are_shown_in_the_zone_of_the_panel() -> None:
    panel = Panel.from_arrays([np.zeros(3)], freq="h").with_schema(tz="Europe/Berlin")
    times = np.array(["2024-03-31T00:00", "2024-03-31T01:00"], "datetime64[ns]")  # the clocks go forward between them
    assert time_texts(times, panel) == ["2024-03-31 01:00", "2024-03-31 03:00"]


def test_integer_times_are_plain() -> None:
    assert time_texts(np.array([7, 8]), Panel.from_arrays([np.zeros(3)])) == ["7", "8"]
