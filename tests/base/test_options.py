"""A value of another type than declared is refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from fixtures.refused import refused

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
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
    ("name", "value", "expected"),
    [
        ("width", "64", "a whole number"),
        ("width", 5.5, "a whole number"),
        ("width", True, "a whole number"),
        ("width", None, "a whole number"),
        ("rate", "0.1", "a number"),
        ("most", "3", "a whole number"),
        ("both", "no", "True or False"),
    ],
)
def test_another_type_is_refused(name: str, value: Any, expected: str) -> None:
    with refused(SettingError, problem=[Arg(name, of="Settings"), expected, f"got {value!r}"]):
        check_options(Settings(**{name: value}))


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
    ("config", "name", "value", "nearest"),
    [(NetConfig, "activation", "rellu", "'relu'"), (FitConfig, "origins", "sesaon", "'season'")],
)
def test_the_nearest_name_is_suggested(config: Any, name: str, value: str, nearest: str) -> None:
    with refused(SettingError, problem=[Arg(name, of=config.__name__), f"got {value!r}"], remedy=nearest):
        config(**{name: value})
