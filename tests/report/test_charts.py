"""The numbers that the charts draw."""

from __future__ import annotations

import numpy as np
import pytest
from report.samples import HISTORY, daily, forecast_of

from gatecast.data.panel import Panel
from gatecast.report.charts import (
    MOST_POINTS,
    forecast_charts,
    most_points,
    pack_times,
    thin,
    training_chart,
    values_list,
)


def test_values_keep_six_figures_and_gaps() -> None:
    assert values_list(np.array([123456.789, np.nan, np.inf, 0.5])) == [123457.0, None, None, 0.0]
    assert values_list(np.array([0.000123456789])) == [0.000123457]


def test_regular_times_are_start_and_step() -> None:
    assert pack_times(np.array([10, 20, 30])) == {"start": 10, "step": 10, "count": 3}
    assert pack_times(np.array([10, 20, 31])) == {"at": [10, 20, 31]}
    assert pack_times(np.array([10])) == {"at": [10]}


def test_thinning_keeps_the_latest_half_and_every_extreme() -> None:
    values = np.random.default_rng(0).normal(size=20_000)
    values[1234], values[4321] = 99.0, -99.0
    kept = thin(values, 1000)
    assert len(kept) <= 1000
    assert {1234, 4321} <= set(kept.tolist())
    np.testing.assert_array_equal(kept[-500:], np.arange(19_500, 20_000))
    assert (np.diff(kept) > 0).all()


def test_thinning_leaves_a_gap_a_gap() -> None:
    values = np.ones(4000)
    values[:1000] = np.nan
    kept = thin(values, 400)
    assert np.isnan(values[kept]).any()


def test_short_history_is_not_thinned() -> None:
    np.testing.assert_array_equal(thin(np.zeros(MOST_POINTS), MOST_POINTS), np.arange(MOST_POINTS))


def test_fan_has_the_known_numbers() -> None:
    panel = Panel.from_arrays([np.arange(10.0)], ids=["line"])
    made = forecast_charts(panel, forecast_of(panel, 2), ["line"])
    (series,) = made["series"]
    fan = series["targets"][0]["forecast"]
    assert series["future"] == {"time": {"at": [10, 11]}, "text": ["10", "11"]}
    np.testing.assert_allclose(fan["middle"], [10, 11], rtol=1e-5)
    assert [band["level"] for band in fan["bands"]] == [95, 80]
    assert all(
        low <= m <= high for b in fan["bands"] for low, m, high in zip(b["low"], fan["middle"], b["high"], strict=True)
    )


def test_times_are_wall_clock_milliseconds() -> None:
    panel = Panel.from_arrays([np.zeros(3)], freq="h").with_schema(tz="Asia/Kolkata")
    history = forecast_charts(panel, forecast_of(panel, 2), ["s0"])["series"][0]["targets"][0]["history"]
    start = np.datetime64("2000-01-01T05:30", "ms").astype(int)
    assert history["time"] == {"start": start, "step": 3_600_000, "count": 3}


def test_values_after_the_origin_are_shown_where_there_are_any() -> None:
    panel = daily()
    shown = forecast_charts(panel.cut(3), forecast_of(panel.cut(3)), ["cases"])["series"][0]["targets"][0]["actual"]
    np.testing.assert_allclose(shown[:3], panel.series(0)[-3:, 0], rtol=1e-5)
    assert shown[3:] == [None] * 4
    assert forecast_charts(panel, forecast_of(panel), ["cases"])["series"][0]["targets"][0]["actual"] is None


def test_best_step_is_where_the_validation_loss_is_lowest() -> None:
    made = training_chart(HISTORY)
    assert made is not None
    assert made["step"][made["best"]] == 40


@pytest.mark.parametrize("missing", [{"val_loss": None}, {}])
def test_training_without_validation_has_no_best_step(missing: dict[str, None]) -> None:
    made = training_chart([{"step": 1, "train_loss": 0.5, **missing}])
    assert made == {"step": [1], "train": [0.5], "val": None, "best": None}


def test_without_training_there_is_no_chart() -> None:
    assert training_chart([]) is None


def test_histories_of_all_series_and_targets_share_the_points() -> None:
    targets = 60
    values = np.random.default_rng(0).normal(size=(6000, targets))
    panel = Panel.from_arrays([values, values], freq="D", ids=["a", "b"])
    charts = forecast_charts(panel, forecast_of(panel), ["a", "b"])
    points = [len(target["history"]["value"]) for series in charts["series"] for target in series["targets"]]
    assert len(points) == 2 * targets
    assert max(points) <= most_points(2 * targets) < MOST_POINTS
