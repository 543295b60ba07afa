"""What every forecaster has by its base class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fixtures.cases import panel_of, wave
from fixtures.refused import refused

from gatecast import FitConfig, NetConfig
from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.epidemic import AsReported, SEIRForecaster, SEIRHybrid
from gatecast.evaluation import Forecast
from gatecast.forecasters import (
    AutoARIMA,
    AutoSelect,
    Drift,
    Ensemble,
    Forecaster,
    LinearAR,
    LSTMForecaster,
    Mean,
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


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"horizon": 0}, [Arg("horizon"), "at least 1, got 0"]),
        ({"horizon": 3, "samples": 0}, [Arg("samples"), "at least 1, got 0"]),
        ({"horizon": 3, "levels": [80, 100]}, [Arg("levels"), "got 100"]),
    ],
)
def test_arguments_are_validated_before_the_model_forecasts(arguments: dict[str, Any], problem: list[Any]) -> None:
    class Silent(Naive):
        def _forecast(self, *_: Any) -> Any:
            raise AssertionError("the model was called")

    with refused(SettingError, problem=problem):
        Silent().fit(panel_of(wave(40), freq="D")).predict(**arguments)


def test_the_horizon_of_the_forecaster_is_the_default() -> None:
    model = LinearAR(5).fit(panel_of(wave(60), freq="D"))
    assert (model.predict().horizon, model.predict(2).horizon) == (5, 2)
    wrapped = AsReported(LinearAR(5), panel_of(wave(60) + 50, freq="D")).fit(panel_of(wave(60) + 50, freq="D"))
    assert wrapped.predict().horizon == 5


def test_an_ensemble_reads_the_future_as_far_as_its_members_do() -> None:
    driver = np.sin(np.arange(70.0)).astype(np.float32)[:, None]
    panel = panel_of(wave(70), freq="D", known=driver, names={"known": ("driver",)})
    fit = FitConfig(steps=3, batch_size=8, evaluations=1, progress=False)
    lstm = LSTMForecaster(4, context=12, net=NetConfig(hidden_size=8), fit=fit)
    future = panel.future_frame(4).assign(driver=1.0)
    blend = Ensemble([Naive(), lstm]).fit(panel).predict(2, future=future)
    alone = [Naive().fit(panel).predict(2).mean, lstm.clone().fit(panel).predict(2, future=future).mean]
    np.testing.assert_allclose(blend.mean, (alone[0] + alone[1]) / 2, rtol=1e-6)


FALLING = np.linspace(60.0, 2.0, 30)
ALL = [
    lambda: Naive(),
    lambda: SeasonalNaive(3),
    lambda: Drift(),
    lambda: Mean(),
    lambda: LinearAR(12),
    lambda: AutoARIMA(),
    lambda: Ensemble([Drift(), Naive()]),
    lambda: AutoSelect(4, [Drift(), Naive()], windows=1),
    lambda: LSTMForecaster(12, net=NetConfig(hidden_size=8), fit=FitConfig(steps=3)),
]


@pytest.mark.parametrize("make", ALL)
def test_no_model_forecasts_below_0_what_was_never_negative(make: Any) -> None:
    horizon = 4 if isinstance(make(), AutoSelect) else 12
    forecast = make().fit(panel_of(FALLING)).predict(horizon, samples=20)
    assert forecast.mean.min() >= 0
    assert forecast.quantiles.min() >= 0
    assert forecast.samples is not None
    assert forecast.samples.min() >= 0


def test_the_bound_holds_for_each_target_by_itself() -> None:
    panel = panel_of(np.stack([FALLING, FALLING - 30], axis=1))
    forecast = Drift().fit(panel).predict(12)
    assert forecast.mean[..., 0].min() == 0
    assert forecast.mean[..., 1].min() < -28


def test_a_statistical_model_keeps_the_spread_of_its_fallback() -> None:
    """The fallback's lower end is clipped for people, not for the standard deviation read from it."""
    short = panel_of(np.array([3.0, 1.0, 8.0, 0.5, 2.0, 6.0]))
    own, naive = AutoARIMA(1).fit(short).predict(3), SeasonalNaive(1).fit(short).predict(3)
    np.testing.assert_allclose(own.quantiles, naive.quantiles)


class Far(Forecaster):
    """Forecasts one value."""

    def __init__(self, value: float) -> None:
        self.value = value

    def fit(self, panel: Any) -> Any:
        self.panel_ = panel
        return self

    def _forecast(self, panel: Any, horizon: int, levels: Any, samples: Any) -> Any:
        return Forecast("far", panel, np.full((len(panel), horizon, panel.targets), self.value))


@pytest.mark.parametrize(("value", "far"), [(600.0, False), (-500.0, False), (1000.0, True), (-1000.0, True)])
def test_a_forecast_far_outside_all_values_seen_is_noted(value: float, far: bool) -> None:
    notes = Far(value).fit(panel_of(FALLING)).predict(3).notes
    assert any("far outside all values seen" in note for note in notes) == far
