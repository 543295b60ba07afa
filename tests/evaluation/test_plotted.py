"""Plots of a forecast: what it takes from the panel."""

from __future__ import annotations

import numpy as np
import pytest
from fixtures.refused import refused
from report.samples import daily, forecast_of

from gatecast.base.errors import SettingError, UnknownNameError
from gatecast.base.findings import Arg
from gatecast.data.panel import Panel

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def closed() -> object:
    from matplotlib import pyplot

    yield
    pyplot.close("all")


def test_the_fan_shows_history_forecast_and_levels() -> None:
    panel = daily()
    ax = forecast_of(panel).plot(history=21)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["actual", "Drift", "80 %", "95 %"]
    actual = next(line for line in ax.lines if line.get_label() == "actual")
    np.testing.assert_allclose(actual.get_ydata(), panel.series(0)[-21:, 0])
    assert ax.get_title(loc="left") == "cases"


def test_without_quantiles_there_is_only_the_line() -> None:
    ax = forecast_of(daily(), levels=()).plot()
    assert not ax.collections


def test_several_ids_go_below_each_other() -> None:
    axes = forecast_of(daily(3)).plot(["s2", "s0"])
    assert [ax.get_title(loc="left") for ax in axes] == ["s2", "s0"]


def test_given_axes_are_used() -> None:
    from matplotlib import pyplot

    _, ax = pyplot.subplots()
    assert forecast_of(daily()).plot(ax=ax) is ax
    with refused(SettingError, problem=[Arg("ax"), "one series with one target, got 2"]):
        forecast_of(daily(2)).plot(["s0", "s1"], ax=ax)


def test_two_targets_and_an_integer_index() -> None:
    panel = Panel.from_arrays([np.random.default_rng(0).normal(size=(40, 2))], ids=["pair"])
    axes = forecast_of(panel).plot()
    assert [ax.get_title(loc="left") for ax in axes] == ["pair · y0", "pair · y1"]
    assert axes[1].get_xlabel() == "step"


def test_times_are_those_of_the_wall_clock() -> None:
    start = np.array([np.datetime64("2024-03-01T03", "ns")])
    panel = Panel.from_arrays([np.arange(60.0)], freq="h", starts=start).with_schema(tz="Asia/Seoul")
    ax = forecast_of(panel).plot(history=60)
    actual = next(line for line in ax.lines if line.get_label() == "actual")
    assert actual.get_xdata()[0] == np.datetime64("2024-03-01T12")


def test_an_unknown_id_is_named() -> None:
    with refused(UnknownNameError, problem="'zz'", remedy="s0, s1"):
        forecast_of(daily(2)).plot("zz")
