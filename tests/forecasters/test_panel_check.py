"""Panels that differ from the one of training: other columns, other levels, missing future values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fixtures.cases import panel_of
from fixtures.refused import refused

from gatecast.base.errors import DataError
from gatecast.base.findings import Arg, Call
from gatecast.data.frequency import Frequency
from gatecast.data.panel import Panel
from gatecast.forecasters.panel_check import adapt, positions, require_future

NAMES: dict[str, Any] = {"known": ("price", "promo"), "category": ("shop",), "levels": (("a", "b"),)}


def panel(codes: np.ndarray | None = None, **names: Any) -> Panel:
    """Two short series with all names of a schema."""
    codes = np.array([[0], [1]]) if codes is None else codes
    blocks = {"known": np.zeros((10, 2), np.float32), "category": codes, "source": "shop.csv"}
    return panel_of(np.zeros(6), np.zeros(4), freq="D", ids=["one", "two"], names={**NAMES, **names}, **blocks)


def test_a_panel_of_the_same_columns_passes_as_it_is() -> None:
    same = panel()
    assert adapt(same, panel().schema) is same


def test_levels_in_another_order_are_coded_as_in_training_and_new_ones_are_unknown() -> None:
    other = panel(levels=(("z", "b", "a"),), codes=np.array([[2], [0]]))
    adapted = adapt(other, panel().schema)
    assert adapted.category.tolist() == [[0], [-1]]
    assert adapted.levels == (("a", "b"),)
    missing = panel(levels=(("b",),), codes=np.array([[-1], [0]]))
    assert adapt(missing, panel().schema).category.tolist() == [[-1], [1]]


@pytest.mark.parametrize(
    ("changes", "fitted", "came", "remedy"),
    [
        (
            {"known": ("promo", "price")},
            ["known", "'price', 'promo'"],
            "'promo', 'price'",
            Arg("known", ["price", "promo"]),
        ),
        ({"target": ("sales",)}, ["target", "'y'"], "'sales'", Arg("target", ["y"])),
        ({"category": (), "levels": ()}, ["category", "'shop'"], "none", Arg("category", ["shop"])),
        ({"freq": Frequency("h")}, ["frequency", "'D'"], "'h'", "resample"),
        ({"tz": "Asia/Tokyo"}, ["without a zone"], "Asia/Tokyo", "without time zone"),
    ],
)
def test_other_columns_or_frequency(changes: dict[str, Any], fitted: list[str], came: str, remedy: Any) -> None:
    with refused(DataError, place="shop.csv", problem=[*fitted, came], remedy=remedy):
        adapt(panel(**changes), panel().schema)


def test_missing_future_values_are_named() -> None:
    past = panel().cut(2)
    require_future(past, 2)
    known = past.known.copy()
    known[5, 1] = np.nan  # series one, second step ahead
    with refused(
        DataError,
        place="shop.csv",
        problem=["'promo'", "all 2 steps", "1 values are missing", "series one at 2000-01-06"],
        remedy=[Call("panel.future_frame", 2), Arg("future")],
    ):
        require_future(replace(past, known=known), 2)
    with refused(
        DataError,
        problem=["'price', 'promo'", "all 3 steps", "4 values are missing"],
        remedy=Call("panel.future_frame", 3),
    ):
        require_future(past, 3)


def test_without_known_covariates_no_future_is_required() -> None:
    plain = panel_of(np.zeros(5))
    require_future(plain, 100)


def test_another_time_zone_or_integer_step_is_named() -> None:
    berlin = panel(tz="Europe/Berlin")
    assert adapt(berlin, berlin.schema) is berlin
    with refused(DataError, problem=["Europe/Berlin", "UTC"], remedy=Arg("tz", "Europe/Berlin")):
        adapt(panel(tz="UTC"), berlin.schema)
    twos = panel_of(np.zeros(5), names={"freq": Frequency("", 2)})
    with refused(DataError, problem=["integer steps of 2", "steps of 1"], remedy="rows 2 apart"):
        adapt(panel_of(np.zeros(5)), twos.schema)


def test_series_have_the_positions_of_training() -> None:
    assert positions(panel(), ["two", "zero", "one"]).tolist() == [2, 0]
    with refused(
        DataError, place="shop.csv", problem=["1 series", "'two'"], remedy=Arg("id_embedding", 0, of="NetConfig")
    ):
        positions(panel(), ["one"])
