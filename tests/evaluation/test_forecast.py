"""The forecast: its levels, quantiles and the long frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fixtures.cases import panel_of
from fixtures.refused import refused

from gatecast.base.errors import SettingError, UnknownNameError
from gatecast.base.findings import Arg
from gatecast.evaluation.forecast import Forecast, checked_levels, level_quantiles


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([80], (0.1, 0.5, 0.9)),
        ([50, 90], (0.05, 0.25, 0.5, 0.75, 0.95)),
        ((80, 95), (0.025, 0.1, 0.5, 0.9, 0.975)),
        ([], (0.5,)),
        ([99.9], (0.0005, 0.5, 0.9995)),
    ],
)
def test_level_quantiles(levels: list[float], expected: tuple[float, ...]) -> None:
    assert level_quantiles(levels) == expected


@pytest.mark.parametrize("level", [0, 100, -5, 250, np.nan, np.inf, True, "80", None])
def test_a_level_outside_its_range(level: Any) -> None:
    problem = [Arg("levels"), f"percentages above 0 and below 100, got {level!r}"]
    with refused(SettingError, problem=problem, remedy=Arg("levels", [80, 95])):
        checked_levels([80, level])


@pytest.mark.parametrize(
    ("levels", "meant"), [([0.8, 0.95], [80, 95]), ((0.5,), [50]), ([0.975, 80], [97.5, 80]), (np.array([0.9]), [90])]
)
def test_shares_instead_of_percentages(levels: Any, meant: list[float]) -> None:
    with refused(SettingError, problem=Arg("levels"), remedy=Arg("levels", meant)):
        checked_levels(levels)
    assert checked_levels(meant)


@pytest.mark.parametrize(("levels", "remedy"), [(80, [80]), ("80", [80, 95]), (None, [80, 95]), (0.8, [80, 95])])
def test_levels_outside_of_a_list(levels: Any, remedy: list[float]) -> None:
    with refused(
        SettingError,
        problem=[Arg("levels"), f"must be a list of percentages, got {levels!r}"],
        remedy=Arg("levels", remedy),
    ):
        checked_levels(levels)


def test_a_level_given_twice() -> None:
    with refused(SettingError, problem=[Arg("levels"), "80 twice"], remedy=Arg("levels", [80, 95])):
        checked_levels([95, 80, 80.0])


def test_an_interval_of_a_share_is_refused() -> None:
    with refused(SettingError, problem=Arg("levels"), remedy=Arg("levels", [80])):
        forecast().interval(0.8)


def forecast(targets: int = 1, tz: str | None = None) -> Forecast:
    starts = np.array(["2024-01-01", "2024-02-01"], "datetime64[ns]")
    panel = panel_of(
        np.zeros((4, targets)), np.zeros((3, targets)), freq="D", starts=starts, ids=["a", "b"], names={"tz": tz}
    )
    mean = np.arange(2 * 2 * targets, dtype=np.float32).reshape(2, 2, targets)
    probabilities = level_quantiles([80])
    return Forecast("M", panel, mean, probabilities, mean[..., None] + np.array([-1, 0, 1], np.float32))


def test_the_long_frame() -> None:
    frame = forecast().to_frame()
    assert list(frame) == ["unique_id", "ds", "cutoff", "M", "M-lo-80", "M-hi-80"]
    assert frame["unique_id"].tolist() == ["a", "a", "b", "b"]
    assert frame["ds"].astype(str).tolist() == ["2024-01-05", "2024-01-06", "2024-02-04", "2024-02-05"]
    assert frame["cutoff"].astype(str).unique().tolist() == ["2024-01-04", "2024-02-03"]
    assert frame["M"].tolist() == [0, 1, 2, 3]
    assert frame["M-lo-80"].tolist() == [-1, 0, 1, 2]
    assert frame["M-hi-80"].tolist() == [1, 2, 3, 4]


def test_several_targets_are_rows_of_a_variable() -> None:
    frame = forecast(targets=2).to_frame()
    assert frame["variable"].tolist() == ["y0", "y1"] * 4
    assert frame["M"].tolist() == list(range(8))
    assert frame["ds"].iloc[:4].astype(str).tolist() == ["2024-01-05"] * 2 + ["2024-01-06"] * 2


def test_times_carry_the_time_zone() -> None:
    assert str(forecast(tz="Asia/Seoul").to_frame()["ds"].iloc[0]) == "2024-01-05 09:00:00+09:00"


def test_levels_quantile_interval() -> None:
    made = forecast()
    assert made.levels == (80,)
    assert (made.horizon, made.ids.tolist()) == (2, ["a", "b"])
    low, high = made.interval(80)
    np.testing.assert_array_equal(high - low, 2.0)
    np.testing.assert_array_equal(made.quantile(0.5), made.mean)
    with refused(UnknownNameError, problem="no quantile 0.3", remedy="it has "):
        made.quantile(0.3)


def test_rename() -> None:
    assert "N-lo-80" in forecast().rename("N").to_frame()
