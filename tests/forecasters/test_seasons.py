"""Season lengths: one rule for all that take one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fixtures.refused import refused

from gatecast import FitConfig, LSTMForecaster, SeasonalNaive
from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.data.panel import Panel
from gatecast.forecasters.seasons import season_of, seasons_of


def panel() -> Panel:
    return Panel.from_arrays([np.arange(60.0)], freq="D")


@pytest.mark.parametrize("season", [7, np.int64(7), np.int32(7)])
def test_whole_numbers(season: Any) -> None:
    assert season_of(season, panel()) == 7
    assert seasons_of(season) == (7,)
    assert season_of(None, panel()) == 7  # the week of a daily panel


def test_several_are_sorted() -> None:
    assert seasons_of([30, 7]) == (7, 30)
    assert seasons_of(np.array([30, 7])) == (7, 30)


@pytest.mark.parametrize("wrong", [7.5, 7.0, np.float64(7), "7", True, 0, -7, None, np.nan, np.inf])
def test_everything_else_is_refused(wrong: Any) -> None:
    with refused(SettingError, problem=[Arg("season"), repr(wrong)]):
        seasons_of([7, wrong] if wrong is None else wrong)


@pytest.mark.parametrize("wrong", [True, 0, -7])
def test_forecasters_refuse_it(wrong: Any) -> None:
    with refused(SettingError, problem=[Arg("season"), repr(wrong)]):
        SeasonalNaive(wrong).fit(panel())
    with refused(SettingError, problem=[Arg("season"), repr(wrong)]):
        LSTMForecaster(3, season=wrong, fit=FitConfig(steps=1)).fit(panel())


def test_a_fraction_is_rounded_in_the_remedy() -> None:
    with refused(SettingError, problem="365.25", remedy=Arg("season", 365)):
        seasons_of(365.25)


def test_a_length_given_twice() -> None:
    with refused(SettingError, problem="7 twice", remedy=Arg("season", [7, 30])):
        LSTMForecaster(3, season=[7, 30, 7], fit=FitConfig(steps=1)).fit(panel())
