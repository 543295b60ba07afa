"""Monthly rows on varying days, local midnights, and numbers that no forecast is of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fixtures.refused import refused

from gatecast import describe, read_panel
from gatecast.base.errors import DataError
from gatecast.base.findings import Arg

THIRTIETH = [pd.Timestamp("2019-01-30") + pd.DateOffset(months=k) for k in range(40)]


def test_the_30th_of_each_month_offers_months_and_takes_them() -> None:
    data = pd.DataFrame({"day": THIRTIETH, "y": np.arange(40.0)})
    with refused(DataError, remedy=Arg("freq", "MS")):
        read_panel(data)
    panel = read_panel(data, freq="MS")
    assert panel.series(0)[:, 0].tolist() == list(range(40))
    assert panel.times(0)[1] == np.datetime64("2019-02-01")
    (said,) = [one for one in panel.repairs if one.kind == "months"]
    assert said.problem == "the day of the month varies: 40 times taken for the first of the month, first 2019-01-30"
    assert str(describe(data, freq="MS").freq) == "MS"


def test_two_rows_in_a_month_are_not_taken_for_one() -> None:
    days = [*THIRTIETH[:6], pd.Timestamp("2019-06-02")]
    with refused(DataError, problem="between the steps of"):
        read_panel({"day": days, "y": np.arange(7.0)}, freq="MS")


@pytest.mark.parametrize("freq", ["MS", "ME"])
def test_rows_at_one_place_of_the_month_stay_there(freq: str) -> None:
    days = pd.date_range("2019-01-01", periods=12, freq=freq)
    panel = read_panel({"day": days, "y": np.arange(12.0)}, freq="MS")
    assert (panel.times(0) == days.to_numpy()).all()
    assert "months" not in {one.kind for one in panel.repairs}


def test_local_midnights_offer_the_zone() -> None:
    days = [day.isoformat() for day in pd.date_range("2023-03-01", periods=60, tz="Europe/Berlin")]
    with refused(DataError, problem="the times are not regular", remedy=Arg("tz", "Europe/Berlin")):
        read_panel({"day": days, "y": np.arange(60.0)})
    assert read_panel({"day": days, "y": np.arange(60.0)}, tz="Europe/Berlin").freq.alias == "D"


def test_complex_numbers() -> None:
    days = pd.date_range("2024-01-01", periods=6)
    with refused(DataError, place="column 'y'", problem="complex", remedy="modulus"):
        read_panel(pd.DataFrame({"day": days, "y": [1 + 2j] * 6}))
