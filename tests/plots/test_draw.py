"""Static plots."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from report.samples import backtest_of, daily, forecast_of

from gatecast.base.errors import MissingExtraError, SettingError
from gatecast.data.panel import Panel
from gatecast.report import plot_backtest, plot_forecast

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
    ax = plot_forecast(forecast_of(daily(), levels=()))
    assert not ax.collections


def test_several_ids_go_below_each_other() -> None:
    axes = plot_forecast(forecast_of(daily(3)), ["s2", "s0"])
    assert [ax.get_title(loc="left") for ax in axes] == ["s2", "s0"]


def test_given_axes_are_used() -> None:
    from matplotlib import pyplot

    _, ax = pyplot.subplots()
    assert plot_forecast(forecast_of(daily()), ax=ax) is ax
    with pytest.raises(SettingError, match="one series with one target, got 2"):
        plot_forecast(forecast_of(daily(2)), ["s0", "s1"], ax=ax)


def test_two_targets_and_an_integer_index() -> None:
    panel = Panel.from_arrays([np.random.default_rng(0).normal(size=(40, 2))], ids=["pair"]).with_schema(time=("row",))
    axes = plot_forecast(forecast_of(panel))
    assert [ax.get_title(loc="left") for ax in axes] == ["pair · y0", "pair · y1"]
    assert axes[1].get_xlabel() == "row"


def test_an_unknown_id_is_named() -> None:
    with pytest.raises(KeyError, match="the panel has no series 'zz'"):
        plot_forecast(forecast_of(daily(2)), "zz")


def test_past_forecasts_lie_where_they_were_made() -> None:
    panel = daily(2)
    tested = backtest_of(panel)
    ax = plot_backtest(tested, "s1", models=["Naive"])
    first = next(line for line in ax.lines if line.get_label() == "Naive")
    rows = tested.frame[(tested.frame["unique_id"] == "s1") & (tested.frame["cutoff"] == tested.frame["cutoff"].min())]
    np.testing.assert_array_equal(first.get_xdata(), rows["ds"].to_numpy())
    np.testing.assert_allclose(first.get_ydata(), rows["Naive"])


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(
        SettingError, match="no model named 'LSTM' in this backtest; it has Drift, SeasonalNaive, Naive"
    ):
        plot_backtest(backtest_of(daily()), models=["LSTM"])


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingExtraError, match=r'matplotlib is needed for plots: pip install "gatecast\[plot\]"'):
        plot_forecast(forecast_of(daily()))
