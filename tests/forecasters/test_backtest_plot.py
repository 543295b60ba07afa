"""The plot of a backtest."""

from __future__ import annotations

import numpy as np
import pytest
from fixtures.refused import refused
from report.samples import backtest_of, daily

from gatecast.base.errors import SettingError

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


def test_past_forecasts_lie_where_they_were_made() -> None:
    from matplotlib import pyplot

    panel = daily(2)
    tested = backtest_of(panel)
    ax = tested.plot("s1", models=["Naive"])
    first = next(line for line in ax.lines if line.get_label() == "Naive")
    rows = tested.frame[(tested.frame["unique_id"] == "s1") & (tested.frame["cutoff"] == tested.frame["cutoff"].min())]
    np.testing.assert_array_equal(first.get_xdata(), rows["ds"].to_numpy())
    np.testing.assert_allclose(first.get_ydata(), rows["Naive"])
    pyplot.close("all")


def test_an_unknown_model_is_named() -> None:
    with refused(SettingError, problem=["no model named 'LSTM'", "it has Drift, SeasonalNaive, Naive"]):
        backtest_of(daily()).plot(models=["LSTM"])
