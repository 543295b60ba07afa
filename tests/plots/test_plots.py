"""Plots of plain arrays."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from fixtures.refused import refused

from gatecast.base.errors import MissingExtraError, SettingError
from gatecast.base.findings import Arg
from gatecast.plots import draw_fan, draw_origins, label_lines, make_axes, plot_lags, plot_losses, plot_rates

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

DAYS = np.datetime64("2024-01-01", "ns") + np.arange(6) * np.timedelta64(1, "D")
NAMES = {"title": "cost in $", "time_name": "row"}


@pytest.fixture(autouse=True)
def closed() -> object:
    from matplotlib import pyplot

    yield
    pyplot.close("all")


def fan(values: list[float], times: np.ndarray = DAYS) -> object:
    (ax,) = make_axes(1)
    bands = {95: (np.zeros(2), np.full(2, 9.0)), 50: (np.ones(2), np.full(2, 5.0))}
    draw_fan(ax, times[:4], np.array(values), times[4:], np.array([3.0, 4.0]), bands, model="Drift", **NAMES)
    return ax


def test_fan_starts_at_the_last_value() -> None:
    ax = fan([1.0, 2.0, 3.0, 2.5])
    line = next(line for line in ax.lines if line.get_label() == "Drift")
    np.testing.assert_array_equal(line.get_ydata(), [2.5, 3.0, 4.0])
    assert [band.get_label() for band in ax.collections] == ["95 %", "50 %"]
    assert ax.get_title(loc="left") == r"cost in \$"


def test_fan_after_a_missing_value_starts_with_the_forecast() -> None:
    ax = fan([1.0, 2.0, 3.0, np.nan])
    line = next(line for line in ax.lines if line.get_label() == "Drift")
    np.testing.assert_array_equal(line.get_ydata(), [3.0, 4.0])


def test_only_integer_times_are_named() -> None:
    assert fan([1.0, 2.0, 3.0, 4.0], np.arange(6)).get_xlabel() == "row"
    assert fan([1.0, 2.0, 3.0, 4.0]).get_xlabel() == ""


def test_each_origin_has_a_line_for_every_model() -> None:
    (ax,) = make_axes(1)
    lines = {"A": [np.array([1.0, 1.0]), np.array([2.0, 2.0])], "B": [np.array([3.0, 3.0]), np.array([4.0, 4.0])]}
    draw_origins(ax, DAYS, np.arange(6.0), [2, 4], lines, **NAMES)
    label_lines(ax, ["actual", "A", "B"])
    drawn = [line for line in ax.lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "-"]
    assert [line.get_ydata()[0] for line in drawn] == [1.0, 3.0, 2.0, 4.0]
    np.testing.assert_array_equal(drawn[2].get_xdata(), DAYS[4:])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["actual", "A", "B"]


def test_curves_mark_the_chosen_place() -> None:
    ax = plot_rates([1e-3, 1e-2], [2.0, 1.0], 5e-3)
    assert ax.get_xscale() == "log"
    assert ax.texts[0].get_text() == "0.005"
    ax = plot_losses([1, 2], [3.0, 2.0], None, 2, "converged")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["training"]
    ax = plot_lags([0, 1], {"h0": [1.0, 0.1], "c0": [1.0, 0.9]})
    assert ax.get_yscale() == "log"
    assert len({line.get_color() for line in ax.lines}) == 2


def test_axes_given_hold_one_pane() -> None:
    from matplotlib import pyplot

    _, ax = pyplot.subplots()
    assert make_axes(1, ax)[0] is ax
    with refused(SettingError, problem=[Arg("ax"), "one series with one target, got 2"], remedy=Arg("ax")):
        make_axes(2, ax)


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with refused(MissingExtraError, problem="matplotlib is needed for plots", remedy='pip install "gatecast[plot]"'):
        make_axes(1)
