from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from fixtures.refused import refused

from gatecast.base.errors import DataError, SettingError
from gatecast.base.findings import Arg, Call
from gatecast.data import Panel
from gatecast.data.read import add_future, read_panel


def shops(tz: str | None = None) -> Panel:
    """Two shops of unequal lengths with a holiday known in advance and a temperature of the past."""
    times = pd.date_range("2024-01-01", periods=5, freq="h", tz=tz)
    table = pd.DataFrame({"time": [*times, *times[2:]], "shop": ["a"] * 5 + ["b"] * 3, "y": np.arange(8.0)})
    table["holiday"], table["temp"], table["kind"] = (
        table["y"] % 2,
        table["y"] + 10,
        table["shop"].map({"a": "x", "b": "z"}),
    )
    return read_panel(table, id="shop", target="y", known="holiday", past="temp", category="kind")


def test_frame_and_panel_are_the_same() -> None:
    panel = shops()
    again = read_panel(panel.to_frame(), id="shop", target="y", known="holiday", past="temp", category="kind")
    for name in ("target", "known", "past", "begin", "end", "stop", "starts", "category"):
        np.testing.assert_array_equal(getattr(again, name), getattr(panel, name))
    assert panel.to_frame()["kind"].tolist() == ["x"] * 5 + ["z"] * 3


def test_future_frame_is_in_the_users_words() -> None:
    frame = shops().future_frame(2)
    assert frame.columns.tolist() == ["shop", "time", "holiday"]
    assert frame["shop"].tolist() == ["a", "a", "b", "b"]
    assert frame["time"].tolist() == list(pd.to_datetime(["2024-01-01 05:00", "2024-01-01 06:00"] * 2))
    assert frame["holiday"].isna().all()


def test_future_frame_holds_what_is_known_already() -> None:
    assert shops().cut(2).future_frame(3)["holiday"].tolist()[:2] == [1, 0]


def test_frame_of_a_cut_panel_hides_what_came_after() -> None:
    frame = shops().cut(2).to_frame()
    assert frame["y"].isna().tolist() == [False] * 3 + [True] * 2 + [False] + [True] * 2
    assert frame["temp"].isna().tolist() == frame["y"].isna().tolist()
    assert frame["holiday"].notna().all()


@pytest.mark.parametrize("tz", [None, "Europe/Berlin"])
def test_filled_in_future_is_appended(tz: str | None) -> None:
    panel = shops(tz)
    frame = panel.future_frame(2)
    frame["holiday"] = [1.0, 2.0, 3.0, 4.0]
    extended = add_future(panel, frame)
    assert (extended.stop - extended.end).tolist() == [2, 2]
    for k in range(2):
        np.testing.assert_array_equal(extended.series(k), panel.series(k))
        ahead = extended.known[extended.end[k] : extended.stop[k], 0]
        assert ahead.tolist() == [[1, 2], [3, 4]][k]
    assert np.isnan(extended.actual(2)).all()
    assert extended.repairs[-1].kind == "future"
    assert extended.to_frame()["holiday"].tail(2).tolist() == [3, 4]


def test_future_of_a_cut_panel_hides_what_came_after() -> None:
    panel = shops().cut(1)
    frame = panel.future_frame(2).assign(holiday=7.0)
    extended = add_future(panel, frame)
    assert np.isnan(extended.target[extended.end[0] : extended.stop[0]]).all()
    assert extended.lengths.tolist() == [4, 2]


def _without(frame: pd.DataFrame, **drop: Any) -> pd.DataFrame:
    return frame.drop(**drop).reset_index(drop=True)


@pytest.mark.parametrize(
    ("spoil", "place", "problem", "remedy"),
    [
        (
            lambda f: f.assign(holiday=[1, np.nan, 1, np.nan]),
            "",
            ["'holiday'", "series 'a'", "2024-01-01 06:00"],
            "every step",
        ),
        (
            lambda f: _without(f, columns="holiday"),
            "",
            ["no column holiday", "shop, time"],
            Call("panel.future_frame", ...),
        ),
        (
            lambda f: _without(f, index=[2, 3]),
            "",
            ["series b", "expected 2024-01-01 05:00", "only other series"],
            Call("panel.future_frame", ...),
        ),
        (
            lambda f: _without(f, index=[2]),
            "",
            ["series 'b'", "2024-01-01 05:00"],
            Call("panel.future_frame", ...),
        ),
        (lambda f: f.assign(shop="c"), "column 'shop', row 1", ["'c'", "a, b"], "leave such rows out"),
        (
            lambda f: f.assign(time=f["time"] + pd.Timedelta("30min")),
            "column 'time', row 1",
            ["2024-01-01 05:30", "(h)", "series 'a'"],
            Call("panel.future_frame", ...),
        ),
        (lambda f: pd.concat([f, f.tail(1)]), "column 'time'", "same time twice", "one row"),
        (lambda f: f.assign(time=range(4)), "column 'time'", ["whole numbers", "dates"], "the panel's"),
    ],
)
def test_incomplete_future_names_column_series_and_dates(spoil: Any, place: str, problem: Any, remedy: Any) -> None:
    frame = shops().future_frame(2).assign(holiday=1.0)
    with refused(DataError, place=["pandas frame", place], problem=problem, remedy=remedy):
        add_future(shops(), spoil(frame))


def test_rows_up_to_the_origin_are_left_aside_and_listed() -> None:
    panel = shops()
    frame = pd.concat([panel.to_frame(), panel.future_frame(1).assign(holiday=1.0)])
    extended = add_future(panel, frame)
    assert (extended.stop - extended.end).tolist() == [1, 1]
    assert "8 rows up to the origin left aside" in extended.repairs[-1].problem


def test_future_needs_known_covariates_and_a_horizon() -> None:
    panel = read_panel(np.arange(5.0))
    with refused(DataError, place="array", problem="no known covariates", remedy=Arg("known", ["…"])):
        add_future(panel, {"step": [5], "k": [1]})
    with refused(SettingError, problem=[Arg("horizon"), "1 or more", "got 0"]):
        panel.future_frame(0)
    assert panel.future_frame(2).to_dict("list") == {"step": [5, 6]}


def test_the_future_is_read_as_the_panel_was() -> None:
    days = [f"2024-01-{k:02}" for k in range(1, 13)]
    table = {"ds": days, "y": np.arange(12.0), "price": [f"{k},5" for k in range(12)]}
    panel = read_panel(table, target="y", known="price", missing=-9999, decimal=",")
    ahead = {"ds": ["2024-01-13", "2024-01-14"], "price": ["1,234", "2,5"]}
    assert add_future(panel, ahead).known[-2:, 0].tolist() == pytest.approx([1.234, 2.5])
    for code in ("-9999", -9999):
        with refused(DataError, place="dict", problem=["'price'", "2024-01-14"], remedy="every step"):
            add_future(panel, {**ahead, "price": [1, code]})


def test_columns_of_the_source_or_the_joined_ones_of_the_frame_are_taken() -> None:
    hours = pd.date_range("2024-01-01", periods=30, freq="h")
    parts = [
        pd.DataFrame({"date": hours.strftime("%Y-%m-%d"), "clock": hours.strftime("%H:%M"), "shop": shop, "item": item})
        for shop in "ab"
        for item in "xy"
    ]
    table = pd.concat(parts, ignore_index=True)
    table["y"], table["price"] = np.arange(120.0), np.arange(120.0) + 0.5
    ahead = table["date"].eq("2024-01-02") & table["clock"].ge("04:00")
    panel = read_panel(table[~ahead], time=["date", "clock"], id=["shop", "item"], target="y", known="price")
    frame = panel.future_frame(2)
    assert frame.columns.tolist() == ["shop/item", "date + clock", "price"]
    joined = add_future(panel, frame.assign(price=table.loc[ahead, "price"].to_numpy()))
    apart = add_future(panel, table[ahead].drop(columns="y"))
    np.testing.assert_array_equal(joined.known, apart.known)
    assert joined.known[joined.stop - 1, 0].tolist() == [29.5, 59.5, 89.5, 119.5]


def test_a_future_lacks_columns_of_the_source_by_their_own_names() -> None:
    table = {
        "date": ["2024-01-01", "2024-01-02"] * 2,
        "a": list("xxyy"),
        "b": list("uuvv"),
        "y": range(4),
        "k": range(4),
    }
    panel = read_panel(table, id=["a", "b"], target="y", known="k")
    with refused(DataError, problem=["a, b", "date, k"], remedy=Call("panel.future_frame", ...)):
        add_future(panel, {"date": ["2024-01-03"], "k": [1]})
