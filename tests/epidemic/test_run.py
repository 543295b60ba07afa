"""A study from Python: stages, models, findings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from fixtures.refused import arguments, refused

from gatecast import FitConfig, LSTMForecaster, Panel, SEIRHybrid
from gatecast.base.errors import DataError, SettingError
from gatecast.base.findings import Arg
from gatecast.epidemic import Cases, StudyConfig, study
from gatecast.epidemic.run import LSTM_STEPS, models_of

DAYS = np.arange(48)
WAVE = np.rint(400 * np.exp(-(((DAYS - 24) / 11) ** 2)) + 5)
START = np.array([np.datetime64("2020-03-02", "ns")])


def panel(values: np.ndarray = WAVE) -> Panel:
    made = Panel.from_arrays([values], ids=["town"], freq="D", starts=START, source="cases.csv")
    return made.with_schema(target=("cases",))


def test_stages_are_announced_and_the_best_model_forecasts() -> None:
    stages = []

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        stages.append(name)
        yield

    config = StudyConfig(horizon=7, models=("seir",), windows=2)
    found = study(panel(), 1e6, config, step=5, stage=stage)
    assert stages == [
        "Fitting SEIR",
        "Backtesting SEIR, Naive, SeasonalNaive, Drift",
        "Fitting SEIR on all days",
    ]
    assert found.config == StudyConfig(horizon=7, models=("seir",), windows=2, step=5)
    assert found.backtest is not None
    assert found.backtest.step == 5
    assert found.verdict == found.origins.text  # type: ignore[union-attr]
    assert found.best is found.forecasts["SEIR"]
    assert repr(found).startswith("Study(7 days by SEIR, best SEIR; ")


def test_the_best_is_the_one_with_the_lowest_score() -> None:
    fit = FitConfig(steps=2, progress=False)
    found = study(panel(), 1e6, horizon=5, windows=1, models=["lstm", "seir"], fit=fit)
    assert found.origins is not None
    scores = found.origins.means.loc["all", ["LSTM", "SEIR"]]
    assert found.best.model == scores.idxmin()


def test_scenarios_change_the_cases_to_come() -> None:
    found = study(panel(), 1e6, horizon=7, windows=0, models=["seir"], scenarios=["contacts=-0.5", "contacts=0.5"])
    assert found.verdict is None
    fewer, more = found.scenario_ratios().values()
    assert fewer < 1 < more
    assert set(found.frames()) == {"forecast", "parameters", "reproduction"}


def test_a_model_that_cannot_forecast_is_a_finding() -> None:
    found = study(panel(WAVE[:22]), 1e6, horizon=28, models=["seir", "lstm"], windows=1)
    assert list(found.forecasts) == ["SEIR"]
    assert [one.place.partition(":")[0] for one in found.findings] == ["No backtest", "No forecast by LSTM"]
    assert found.backtest is None
    with refused(DataError, problem="No forecast by LSTM: "):
        study(panel(WAVE[:22]), 1e6, horizon=28, models=["lstm"], windows=0)


def test_settings_that_do_not_fit_the_data() -> None:
    with refused(SettingError, problem=[Arg("scenario"), "2031-01-01, after 2020-04-25, the last day of the forecast"]):
        study(panel(), 1e6, horizon=7, models=["seir"], windows=0, scenarios=["contacts=1 start=2031-01-01"])
    rows = Panel.from_arrays([WAVE])
    with refused(SettingError, problem="the rows have no dates", remedy=Arg("time", ...)):
        study(rows, 1e6, horizon=7, models=["seir"], windows=0, scenarios=["contacts=1 start=2020-03-10"])
    with refused(SettingError, problem=["1,000,000", "2 series"]) as caught:
        study(Panel.from_arrays([WAVE, WAVE], freq="D"), 1_000_000)
    assert arguments(caught.value.finding) == [Arg("population")]


def test_cases_may_be_given_repaired() -> None:
    cases = Cases.of(panel(np.cumsum(WAVE)), cumulative=True)
    assert study(cases, 1e6, horizon=7, models=["seir"], windows=0).panel is cases.daily


def test_models_take_the_options_of_the_study() -> None:
    config = StudyConfig(horizon=7, models=("hybrid", "lstm"), transmission="constant", history=60, seed=3)
    hybrid, lstm = models_of(1e6, config)
    assert isinstance(hybrid, SEIRHybrid)
    assert (hybrid.horizon, hybrid.population, hybrid.seed) == (7, 1e6, 3)
    assert hybrid.equations == {"transmission": "constant", "history": 60}
    assert isinstance(lstm, LSTMForecaster)
    assert (lstm.horizon, lstm.seed) == (7, 3)


@pytest.mark.parametrize(
    ("fit", "steps", "epochs"),
    [(None, LSTM_STEPS, None), (FitConfig(learning_rate=0.1), LSTM_STEPS, None), (FitConfig(epochs=3), None, 3)],
)
def test_the_lstm_has_few_steps_unless_they_are_given(fit: FitConfig | None, steps: int, epochs: int | None) -> None:
    (lstm,) = models_of(1e6, StudyConfig(models=("lstm",), fit=fit))
    assert isinstance(lstm, LSTMForecaster)
    assert lstm.fit_config is not None
    assert (lstm.fit_config.steps, lstm.fit_config.epochs) == (steps, epochs)
