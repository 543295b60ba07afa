"""A value of another type than declared is refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from gatecast.base.errors import SettingError
from gatecast.base.options import check_options, option
from gatecast.models.config import NetConfig
from gatecast.training.config import FitConfig


@dataclass(frozen=True)
class Settings:
    width: int = option(8, "")
    rate: float = option(0.1, "")
    most: int | None = option(None, "")
    both: bool = option(False, "")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"width": "64"}, "Settings.width must be a whole number, got '64'"),
        ({"width": 5.5}, "Settings.width must be a whole number, got 5.5"),
        ({"width": True}, "Settings.width must be a whole number, got True"),
        ({"width": None}, "Settings.width must be a whole number, got None"),
        ({"rate": "0.1"}, "Settings.rate must be a number, got '0.1'"),
        ({"most": "3"}, "Settings.most must be a whole number, got '3'"),
        ({"both": "no"}, "Settings.both must be True or False, got 'no'"),
    ],
)
def test_another_type_is_refused(given: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingError, match=text):
        check_options(Settings(**given))


def test_numbers_of_numpy_and_whole_rates_are_taken() -> None:
    check_options(Settings(np.int64(5), np.float32(1), np.int32(3), True))  # type: ignore[arg-type]
    check_options(Settings(rate=1))


def test_the_configs_refuse_them_and_take_a_path_as_text() -> None:
    """In a separate process: here the types are checked at each call."""
    script = """
from gatecast import FitConfig, NetConfig
fit = FitConfig(log_dir="logs", checkpoint="run.ckpt")
assert (fit.log_dir.name, fit.checkpoint.suffix) == ("logs", ".ckpt")
for config, given in [(NetConfig, {"hidden_size": "64"}), (FitConfig, {"learning_rate": "0.01"})]:
    try:
        config(**given)
    except ValueError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "NetConfig.hidden_size must be a whole number, got '64'",
        "FitConfig.learning_rate must be a number, got '0.01'",
    ]


@pytest.mark.parametrize(
    ("config", "given", "text"),
    [(NetConfig, {"activation": "rellu"}, "did you mean 'relu'"), (FitConfig, {"origins": "sesaon"}, "mean 'season'")],
)
def test_a_name_that_is_near_is_said(config: Any, given: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingError, match=text):
        config(**given)
