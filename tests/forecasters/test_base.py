"""What every forecaster has by its base class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fixtures.cases import panel_of, wave

from gatecast import FitConfig, NetConfig
from gatecast.epidemic import AsReported, SEIRForecaster, SEIRHybrid
from gatecast.forecasters import (
    AutoARIMA,
    AutoSelect,
    Drift,
    Ensemble,
    Forecaster,
    LinearAR,
    LSTMForecaster,
    Naive,
    SeasonalNaive,
)


class Own(Forecaster):
    """A user's class that keeps its argument under another name."""

    def __init__(self, level: float) -> None:
        self._level = level

    def fit(self, panel: Any) -> Any: ...

    def _forecast(self, *_: Any) -> Any: ...


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (Naive(), "Naive()"),
        (SeasonalNaive(7, name="week"), "SeasonalNaive(season=7, name='week')"),
        (LinearAR(12, seed=2), "LinearAR(horizon=12, seed=2)"),
        (AutoARIMA(jobs=2), "AutoARIMA(jobs=2)"),
        (
            LSTMForecaster(12, net=NetConfig(cell="gru"), fit=FitConfig(steps=5)),
            "LSTMForecaster(horizon=12, net=NetConfig(cell='gru'), fit=FitConfig(steps=5))",
        ),
        (LSTMForecaster(12, net=NetConfig(), name="two"), "LSTMForecaster(horizon=12, net=NetConfig(), name='two')"),
        (Ensemble([Drift(), Naive()], [1, 2]), "Ensemble(members=[Drift(), Naive()], weights=[1, 2])"),
        (AutoSelect(3, blend=1), "AutoSelect(horizon=3, blend=1)"),
        (
            SEIRForecaster(7, 1e6, incubation=(2, 9)),
            "SEIRForecaster(horizon=7, population=1000000.0, incubation=(2, 9))",
        ),
        (SEIRHybrid(7, {"a": 1e6}, draws=50), "SEIRHybrid(horizon=7, population={'a': 1000000.0}, draws=50)"),
        (Own(3.0), "Own()"),
    ],
)
def test_it_is_shown_as_the_call_that_makes_it(model: Forecaster, text: str) -> None:
    assert repr(model) == text


def test_what_was_learned_is_not_shown_and_arrays_are_not_compared() -> None:
    panel = panel_of(wave(40), freq="D")
    assert repr(Naive().fit(panel)) == "Naive()"
    blend = Ensemble([Drift()])
    blend.weights = np.ones(1)
    assert repr(blend) == "Ensemble(members=[Drift()], weights=array([1.]))"
    assert repr(AsReported(Drift(), panel)).startswith("AsReported(model=Drift(), reported=Panel(1 series")
