"""Metrics against numbers worked out by hand and against utilsforecast."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from fixtures.refused import refused
from utilsforecast import losses

from gatecast.base.errors import SettingError
from gatecast.evaluation.metrics import METRICS, Rows, metric, metric_names, score, weighted_interval_score


def rows(y: list[float], forecast: list[float], half: float = 1.0, scale: float = 2.0) -> Rows:
    values = pd.DataFrame({"y": y, "m": forecast})
    values["m-lo-80"], values["m-hi-80"] = values["m"] - half, values["m"] + half
    return Rows(values, ["m"], (80,), np.full(len(y), scale), np.full(len(y), scale))


def overall(data: Rows, series: list[int] | None = None) -> pd.Series:
    code = np.array(series if series is not None else [0] * len(data.values))
    return score(data, pd.DataFrame(index=data.values.index), code, metric_names((80,))).loc["m"]


def test_all_metrics_by_hand() -> None:
    found = overall(rows([10, 20, 40], [11, 17, 40]))  # errors -1, 3, 0
    assert found["MAE"] == pytest.approx(4 / 3)
    assert found["RMSE"] == pytest.approx(math.sqrt(10 / 3))
    assert found["MASE"] == pytest.approx(4 / 3 / 2)
    assert found["RMSSE"] == pytest.approx(math.sqrt(10 / 3) / 2)
    assert found["MAPE"] == pytest.approx(100 * (0.1 + 0.15) / 3)
    assert found["sMAPE"] == pytest.approx(200 * (1 / 21 + 3 / 37) / 3)
    assert found["coverage-80"] == pytest.approx(100 * 2 / 3)
    assert found["width-80"] == pytest.approx(2)


def test_weighted_quantile_loss_by_hand() -> None:
    # y = 10, quantiles 0.1: 8, 0.5: 9, 0.9: 10 → losses 0.1·2, 0.5·1, 0; WQL = 2·mean(0.2, 0.5, 0)/10
    assert overall(rows([10], [9]))["WQL"] == pytest.approx(2 * 0.7 / 3 / 10)


def test_weighted_interval_score_by_hand() -> None:
    # y = 10, m = 9, 80 %: [8, 10] → (½·1 + 0.1·2) / 1.5; y = 12 misses by 2 → (½·3 + 0.1·(2 + 2/0.2·2)) / 1.5
    assert overall(rows([10], [9]))["WIS"] == pytest.approx(0.7 / 1.5)
    assert overall(rows([12], [9]))["WIS"] == pytest.approx((1.5 + 0.1 * (2 + 20)) / 1.5)


def test_the_weighted_interval_score_is_twice_the_mean_quantile_loss() -> None:
    rng = np.random.default_rng(0)  # Bracher et al. (2021), eq. 2: the two are the same
    y, quantiles = rng.normal(size=50), np.sort(rng.normal(size=(5, 50)), axis=0)
    levels = (0.025, 0.25, 0.5, 0.75, 0.975)
    loss = np.mean([np.maximum(p * (y - q), (p - 1) * (y - q)) for p, q in zip(levels, quantiles, strict=True)], axis=0)
    intervals = {50: (quantiles[1], quantiles[3]), 95: (quantiles[0], quantiles[4])}
    np.testing.assert_allclose(weighted_interval_score(y, quantiles[2], intervals), 2 * loss)


def test_a_point_forecast_without_intervals_has_no_interval_score() -> None:
    values = pd.DataFrame({"y": [1.0, 2.0], "m": [1.0, 1.0]})
    data = Rows(values, ["m"], (), np.ones(2), np.ones(2))
    assert math.isnan(score(data, pd.DataFrame(index=values.index), np.zeros(2, int), ["WIS"]).loc["m", "WIS"])


def test_scale_free_metrics_weigh_series_equally_and_units_pool_values() -> None:
    data = rows([1, 1, 1, 1], [2, 2, 2, 5])  # series 0 has errors 1, 1, 1 and series 1 has 4
    found = overall(data, series=[0, 0, 0, 1])
    assert found["MAE"] == pytest.approx(7 / 4)
    assert found["MASE"] == pytest.approx((1 / 2 + 4 / 2) / 2)


def test_missing_actual_values_count_nowhere() -> None:
    with_gap = overall(rows([10, math.nan, 20], [11, 500, 17]))
    without = overall(rows([10, 20], [11, 17]))
    pd.testing.assert_series_equal(with_gap, without)


def test_series_without_a_scale_are_left_out_of_scaled_metrics_only() -> None:
    data = rows([10, 10], [11, 13])
    data.scale[1] = 0
    found = overall(data, series=[0, 1])
    assert found["MASE"] == pytest.approx(1 / 2)
    assert found["MAE"] == pytest.approx(2)


def test_a_zero_actual_value_is_skipped_by_mape() -> None:
    assert overall(rows([0, 10], [5, 11]))["MAPE"] == pytest.approx(10)


def test_missing_intervals_are_not_counted_as_misses() -> None:
    data = rows([10, 20], [10, 20])
    data.values.loc[1, ["m-lo-80", "m-hi-80"]] = np.nan
    assert overall(data)["coverage-80"] == 100


def test_groups_keep_their_keys_and_match_utilsforecast() -> None:
    rng = np.random.default_rng(1)
    count = 200
    values = pd.DataFrame({"y": rng.random(count) + 1, "a": rng.random(count) + 1, "b": rng.random(count) + 1})
    data = Rows(values, ["a", "b"], (), np.ones(count), np.ones(count))
    series = np.repeat(np.arange(10), 20)
    names = np.array([f"id{9 - i}" for i in series], dtype=object)
    found = score(data, pd.DataFrame({"unique_id": names}), series, ["MAE", "sMAPE", "RMSE"])
    frame = values.assign(unique_id=names, cutoff=0)
    theirs = losses.mae(frame, ["a", "b"]).set_index("unique_id")
    for name in ("id0", "id7"):
        assert found.loc[(name, "b"), "MAE"] == pytest.approx(theirs.loc[name, "b"])
    smape = 200 * losses.smape(frame, ["a"]).set_index("unique_id")["a"]
    assert found.xs("a", level="model")["sMAPE"].loc["id3"] == pytest.approx(smape["id3"])


def test_every_metric_states_formula_and_source() -> None:
    for name in metric_names((80, 95)):
        found = metric(name)
        assert found.formula
        assert found.source
        assert found.unit in {"", "%", "target"}
    assert set(METRICS) == {"MASE", "RMSSE", "MAE", "RMSE", "MAPE", "sMAPE", "WQL", "WIS"}


@pytest.mark.parametrize("name", ["MAEE", "coverage", "coverage-high", "depth-80"])
def test_unknown_metrics_are_refused_with_the_known_names(name: str) -> None:
    with refused(SettingError, problem=repr(name), remedy="the metrics are MASE, RMSSE, MAE"):
        metric(name)
