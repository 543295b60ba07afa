"""Rows that a model file keeps, and new rows that continue them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fixtures.refused import refused

import gatecast
from gatecast import FitConfig, LSTMForecaster, Panel, read_panel
from gatecast.base.errors import DataError, NotFittedError
from gatecast.base.findings import Arg
from gatecast.forecasters.kept_rows import last_rows
from gatecast.models.config import NetConfig

FIT = FitConfig(steps=4, batch_size=16, evaluations=2, refit=False, progress=False)
CONTEXT = 12


def frame(first: int, rows: int) -> pd.DataFrame:
    """Daily rows of two shops with a price, cut from the same long history."""
    parts = []
    for shop, size in (("a", 100), ("b", 50)):
        steps = np.arange(first, first + rows)
        sold = size + 10 * np.sin(2 * np.pi * steps / 7) + steps % 5
        days = pd.Timestamp("2024-01-01") + pd.to_timedelta(steps, "D")
        parts.append(pd.DataFrame({"shop": shop, "day": days, "sold": sold, "price": 1.0 + steps % 3}))
    return pd.concat(parts)


def panel(first: int, rows: int) -> Panel:
    return read_panel(frame(first, rows), id="shop", target="sold", past="price")


def fitted(data: Panel) -> LSTMForecaster:
    return LSTMForecaster(4, context=CONTEXT, net=NetConfig(hidden_size=8), fit=FIT).fit(data)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fitted(panel(0, 80)).save(tmp_path_factory.mktemp("kept") / "model.gatecast")


def texts(forecast: Any) -> list[str]:
    return [str(one.problem) for one in forecast.panel.repairs if one.kind == "history"]


def test_three_new_rows_give_the_forecast_of_the_whole_history(model: Path) -> None:
    short, whole = panel(80, 3), panel(0, 83)
    mine, theirs = gatecast.load(model).predict(panel=short), gatecast.load(model).predict(panel=whole)
    np.testing.assert_array_equal(mine.quantiles, theirs.quantiles)
    assert (mine.times == theirs.times).all()
    assert texts(mine) == ["continues the history of the model of 2 series: 24 rows kept + 6 new"]
    assert texts(theirs) == []


def test_one_row_with_the_step_of_the_model(model: Path) -> None:
    loaded = gatecast.load(model)
    with refused(DataError, remedy=Arg("freq", "D")):
        panel(80, 1)
    one = gatecast.data.read.read_new(frame(80, 1), loaded.schema_)
    np.testing.assert_array_equal(loaded.predict(panel=one).mean, loaded.predict(panel=panel(0, 81)).mean)


def test_equal_rows_in_both_are_joined_and_counted(model: Path) -> None:
    mine = gatecast.load(model).predict(panel=panel(75, 8))
    np.testing.assert_array_equal(mine.mean, gatecast.load(model).predict(panel=panel(0, 83)).mean)
    assert texts(mine) == [
        "continues the history of the model of 2 series: 24 rows kept + 6 new; 10 rows in both are equal"
    ]


def test_the_values_of_the_new_file_win_and_it_is_said(model: Path) -> None:
    revised = frame(78, 5)
    revised.loc[(revised.shop == "a") & (revised.day == "2024-03-20"), "sold"] = 999.0
    mine = gatecast.load(model).predict(panel=read_panel(revised, id="shop", target="sold", past="price"))
    whole = pd.concat([frame(0, 78), revised])
    theirs = gatecast.load(model).predict(panel=read_panel(whole, id="shop", target="sold", past="price"))
    np.testing.assert_array_equal(mine.mean, theirs.mean)
    (said,) = texts(mine)
    assert "1 row in both differs (first 2024-03-20: 999, kept 113.749)" in said
    assert "the values of pandas frame are taken" in said


def test_a_gap_is_refused_with_the_numbers_and_both_remedies_work(model: Path) -> None:
    loaded = gatecast.load(model)
    with refused(
        DataError,
        place="pandas frame",
        problem=["3 rows of a (2024-03-23 to 2024-03-25)", f"reads {CONTEXT} rows", "ends at 2024-03-20: 2 rows"],
        remedy=["give all rows from 2024-03-21 on", f"at least {CONTEXT} rows"],
    ):
        loaded.predict(panel=panel(82, 3))
    loaded.predict(panel=panel(80, 5))
    loaded.predict(panel=panel(82, CONTEXT))


def test_rows_before_those_kept_are_refused_and_the_remedy_works(model: Path) -> None:
    loaded = gatecast.load(model)
    with refused(DataError, problem="which begins later", remedy="give all rows from 2024-03-09 on"):
        loaded.predict(panel=panel(10, 3))
    loaded.predict(panel=panel(68, 3 + CONTEXT))


def test_another_series_is_refused(model: Path) -> None:
    other = frame(80, 3).replace({"b": "c"})
    with refused(DataError, problem="knows no series 'c'", remedy="leave the series out"):
        gatecast.load(model).predict(panel=read_panel(other, id="shop", target="sold", past="price"))
    long = frame(60, 23).replace({"b": "c"})
    gatecast.load(model).predict(panel=read_panel(long, id="shop", target="sold", past="price"))


def test_rows_between_the_steps_are_refused(model: Path) -> None:
    late = frame(80, 3)
    late["day"] += pd.Timedelta("6h")
    with refused(DataError, problem="between which the new rows lie", remedy="rows at 2024-03-21"):
        gatecast.load(model).predict(panel=read_panel(late, id="shop", target="sold", past="price"))


def test_without_a_panel_the_history_itself_is_forecast(model: Path) -> None:
    mine, theirs = gatecast.load(model).predict(), gatecast.load(model).predict(panel=panel(0, 80))
    np.testing.assert_array_equal(mine.quantiles, theirs.quantiles)


def test_a_model_saved_without_history_holds_no_row(tmp_path: Path) -> None:
    path = fitted(panel(0, 80)).save(tmp_path / "m.gatecast", history=False)
    kept = fitted(panel(0, 80)).save(tmp_path / "k.gatecast")
    value = panel(0, 80).series(0)[-1].tobytes()
    assert value in kept.read_bytes()
    assert value not in path.read_bytes()
    with refused(NotFittedError, problem="holds no data"):
        gatecast.load(path).predict()
    with refused(DataError, problem="it keeps no history", remedy=Arg("history", False)):
        gatecast.load(path).predict(panel=panel(80, 3))
    gatecast.load(path).predict(panel=panel(80, CONTEXT))
    assert gatecast.load(gatecast.load(kept).save(tmp_path / "again.gatecast")).kept_ is not None


def test_known_covariates_of_the_new_rows_follow_those_kept(tmp_path: Path) -> None:
    def known(first: int, rows: int, ahead: int) -> Panel:
        data = frame(first, rows + ahead)
        data.loc[data.groupby("shop").cumcount() >= rows, "sold"] = np.nan
        return read_panel(data, id="shop", target="sold", known="price")

    path = fitted(known(0, 80, 4)).save(tmp_path / "m.gatecast")
    mine = gatecast.load(path).predict(panel=known(80, 3, 4))
    np.testing.assert_array_equal(mine.mean, gatecast.load(path).predict(panel=known(0, 83, 4)).mean)
    with refused(DataError, problem="must be given for all 4 steps"):
        gatecast.load(path).predict(panel=known(80, 3, 2))


def test_a_constant_end_is_kept_from_its_last_change_on() -> None:
    values = np.concatenate([np.arange(20.0), np.full(30, 7.0)])
    kept = last_rows(Panel.from_arrays([values], freq="D"), 5)
    assert kept.series(0)[:, 0].tolist() == [19.0, *[7.0] * 30]
    assert kept.times(0)[0] == np.datetime64("2000-01-20")
    never = last_rows(Panel.from_arrays([np.full(30, 7.0)], freq="D"), 5)
    assert never.lengths.tolist() == [5]


def test_a_model_trained_on_short_series_takes_as_few_rows(tmp_path: Path) -> None:
    short = Panel.from_arrays([np.sin(np.arange(14.0)) + 3, np.cos(np.arange(40.0)) + 3], freq="D", ids=["x", "y"])
    loaded = gatecast.load(fitted(short).save(tmp_path / "m.gatecast"))
    assert loaded.least_rows_ < CONTEXT
    fresh = replace(Panel.from_arrays([np.arange(float(loaded.least_rows_))], freq="D", ids=["new"]))
    loaded.predict(panel=fresh)
    with refused(DataError, problem=f"at least {loaded.least_rows_}"):
        loaded.predict(panel=fresh.cut(1))
