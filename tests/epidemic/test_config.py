"""Options of a study: bounds, and scenarios as text."""

from __future__ import annotations

from typing import Any

import pytest
from fixtures.refused import refused

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.epidemic import Scenario, StudyConfig


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"horizon": 0}, [Arg("horizon"), "at least 1, got 0"]),
        ({"history": 5}, [Arg("history"), "at least 14, got 5"]),
        ({"windows": -1}, [Arg("windows"), "at least 0, got -1"]),
        ({"step": 0}, [Arg("step"), "at least 1, got 0"]),
        ({"levels": (50, 100)}, [Arg("levels"), "above 0 and below 100, got 100"]),
        ({"models": ("seir", "arima")}, [Arg("models"), "one of seir, lstm, hybrid, got 'arima'"]),
    ],
)
def test_options_have_bounds(options: dict[str, Any], problem: list[Any]) -> None:
    with refused(SettingError, problem=problem):
        StudyConfig(**options)


def test_models_and_levels_are_put_in_order() -> None:
    config = StudyConfig(models=("SEIR", "lstm", "seir"), levels=(95, 50, 95))
    assert (config.models, config.levels) == (("seir", "lstm"), (50, 95))
    assert StudyConfig(models=()).models == ("seir",)
    assert StudyConfig(models="lstm").models == ("lstm",)


def test_origins_are_half_a_horizon_apart() -> None:
    assert [StudyConfig(horizon=horizon).origin_step for horizon in (28, 1)] == [14, 1]
    assert StudyConfig(step=3).origin_step == 3


def test_scenarios_may_be_texts() -> None:
    config = StudyConfig(scenarios=("name=five days later, shift_days=5", Scenario(contacts=-0.3)))
    assert config.scenarios == (Scenario("five days later", shift_days=5), Scenario(contacts=-0.3))
    assert config.record()["scenarios"] == "name=five days later shift_days=5; contacts=-0.3"
    assert StudyConfig().record()["scenarios"] == "none"


@pytest.mark.parametrize(
    "scenario", [Scenario(), Scenario("a b", 5), Scenario(contacts=-0.25, start="2020-03-01"), Scenario("x", -2, 0.5)]
)
def test_a_scenario_is_read_back_from_its_text(scenario: Scenario) -> None:
    if scenario == Scenario():
        assert scenario.to_text() == ""
    else:
        assert Scenario.from_text(scenario.to_text()) == scenario


def test_dates_of_scenarios_are_read_in_words() -> None:
    assert Scenario.from_text("contacts=-0.3 start=1 March 2020").start == "2020-03-01"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lockdown=yes", "is not a scenario"),
        ("later", "is not a scenario"),
        ("shift_days=soon", "shift_days must be days in whole numbers, such as 5 or -5, got 'soon'"),
        ("shift_days=1.5", "got '1.5'"),
        ("contacts=-2", "must be at least -1, got -2"),
        ("contacts=1 start=soon", "start must be a date such as 2020-03-01, got 'soon'"),
    ],
)
def test_invalid_scenarios_are_refused(text: str, words: str) -> None:
    with refused(SettingError, problem=[Arg("scenario", text), words]):
        Scenario.from_text(text)
