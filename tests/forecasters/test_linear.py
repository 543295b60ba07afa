"""Linear autoregression: finds linear structure, never reads the future, and its intervals have their coverage."""

from __future__ import annotations

import numpy as np
import pytest
from fixtures.refused import refused

from gatecast.base.errors import DataError, NotFittedError, SettingError
from gatecast.base.findings import Arg
from gatecast.data.panel import Panel
from gatecast.forecasters.baselines import SeasonalNaive
from gatecast.forecasters.linear import LinearAR, _fill, _prior


def autoregression(series: int = 1, length: int = 400, seed: int = 1) -> np.ndarray:
    """y[t] = 1.6 y[t-1] - 0.9 y[t-2] + e: a noisy swing that no simple baseline can follow."""
    rng = np.random.default_rng(seed)
    y = np.zeros((series, length + 50))
    for t in range(2, y.shape[1]):
        y[:, t] = 1.6 * y[:, t - 1] - 0.9 * y[:, t - 2] + 0.1 * rng.standard_normal(series)
    return y[:, 50:].astype(np.float32)


def test_a_noiseless_sum_of_waves_and_trend_is_continued() -> None:
    t = np.arange(330)
    y = 5 + 0.02 * t + 3 * np.sin(2 * np.pi * t / 7) + np.cos(2 * np.pi * t / 11)
    whole = Panel.from_arrays([y.astype(np.float32)], freq="D")
    forecast = LinearAR(14, context=30).fit(whole.cut(14)).predict()
    assert forecast.mean[0, :, 0] == pytest.approx(y[-14:], abs=0.05)


def test_one_step_ahead_it_finds_the_autoregression() -> None:
    panel = Panel.from_arrays(list(autoregression(20)))
    whole = np.mean(np.abs(LinearAR(1, context=6).fit(panel.cut(1)).predict().mean - panel.cut(1).actual(1)))
    assert whole < 0.13  # the noise has a mean absolute value of 0.08
    model = LinearAR(1, context=6).fit(panel)
    # ŷ - y[T] = 0.6 y[T] - 0.9 y[T-1] + … and the stationary process: weights on the differences to the last value
    assert model.weights_[-2, 0] == pytest.approx(-0.9, abs=0.15)


def test_the_forecast_depends_on_the_last_observation() -> None:
    y = autoregression()
    model = LinearAR(3).fit(Panel.from_arrays([y[0]]))
    moved = y[0].copy()
    moved[-1] += 1
    change = model.predict(panel=Panel.from_arrays([moved])).mean - model.predict().mean
    assert abs(change[0, 0, 0]) > 0.5


def test_level_and_unit_do_not_matter() -> None:
    y = autoregression()[0]
    plain = LinearAR(5).fit(Panel.from_arrays([y])).predict()
    moved = LinearAR(5).fit(Panel.from_arrays([1000 * y + 5000])).predict()
    assert moved.mean == pytest.approx(1000 * plain.mean + 5000, rel=1e-3, abs=1)


def test_beats_seasonal_naive_on_a_noisy_season() -> None:
    rng = np.random.default_rng(3)
    t = np.arange(400)
    y = [3 * np.sin(2 * np.pi * (t + k) / 7) + rng.standard_normal(400) for k in range(10)]
    whole = Panel.from_arrays([s.astype(np.float32) for s in y], freq="D")
    past, actual = whole.cut(14), whole.cut(14).actual(14)
    linear = np.abs(LinearAR(14).fit(past).predict().mean - actual).mean()
    seasonal = np.abs(SeasonalNaive().fit(past).predict(14).mean - actual).mean()
    assert linear < 0.8 * seasonal


def test_nothing_after_the_origin_is_read() -> None:
    y = autoregression(3)
    changed = y.copy()
    changed[:, -20:] = 1e6
    first = LinearAR(5).fit(Panel.from_arrays(list(y)).cut(20)).predict()
    second = LinearAR(5).fit(Panel.from_arrays(list(changed)).cut(20)).predict()
    assert np.array_equal(first.mean, second.mean)
    assert np.array_equal(first.quantiles, second.quantiles)


def test_intervals_cover_and_paths_agree_with_them() -> None:
    whole = Panel.from_arrays(list(autoregression(200, 300)))
    past = whole.cut(10)
    forecast = LinearAR(10).fit(past).predict(samples=2000)
    actual = past.actual(10)
    for level in (80, 95):
        low, high = forecast.interval(level)
        assert np.mean((actual >= low) & (actual <= high)) == pytest.approx(level / 100, abs=0.04)
    assert (np.diff(forecast.quantiles, axis=-1) >= 0).all()
    assert forecast.samples is not None
    width = np.quantile(forecast.samples, 0.9, axis=1) - np.quantile(forecast.samples, 0.1, axis=1)
    low, high = forecast.interval(80)
    assert width.mean() == pytest.approx((high - low).mean(), rel=0.1)


def sales(share: float, seed: int, series: int = 1) -> Panel:
    """Sales of 1 to 8 on a share of the days, independent of each other."""
    random = np.random.default_rng(seed)
    values = (random.random((series, 207)) < share) * random.integers(1, 9, (series, 207)) * 1.0
    return Panel.from_arrays(list(values), freq="D")


@pytest.mark.parametrize("share", [0.03, 0.06, 0.15, 0.4])
def test_intervals_of_intermittent_demand_cover_without_absurd_widths(share: float) -> None:
    inside, widths = [], []
    for seed in range(30):
        whole = sales(share, seed)
        forecast = LinearAR(7).fit(whole.cut(7)).predict(levels=[95])
        low, high = forecast.interval(95)
        actual = whole.cut(7).actual(7)
        inside.append((low - 1e-9 <= actual) & (actual <= high + 1e-9))
        widths.append(high - low)
    assert 0.88 <= np.mean(inside) <= 0.99
    assert np.max(widths) < 40  # five times the largest sale
    assert np.mean(np.array(widths) < 1e-9) < 0.05  # the lower bound ends at 0, the upper one stands near it


def test_intervals_of_intermittent_demand_are_nested_about_the_point_forecast() -> None:
    for seed in range(10):
        forecast = LinearAR(7).fit(sales(0.1, seed, series=3)).predict(levels=[1, 20, 50, 80, 95])
        assert (np.diff(forecast.quantiles, axis=-1) >= 0).all()
        for level in (1, 20, 50, 80, 95):
            low, high = forecast.interval(level)
            assert ((low <= forecast.mean) & (forecast.mean <= high)).all()


def test_missing_values_are_bridged_backwards_only() -> None:
    y = autoregression(5)
    holes = y.copy()
    holes[:, 60:75] = np.nan
    holes[0, -2:] = np.nan
    forecast = LinearAR(5).fit(Panel.from_arrays(list(holes))).predict()
    assert np.isfinite(forecast.mean).all()
    untouched = LinearAR(5).fit(Panel.from_arrays(list(y))).predict()
    assert forecast.mean[1:] == pytest.approx(untouched.mean[1:], abs=0.15)


def test_a_gap_repeats_the_last_observed_value_and_never_a_later_one() -> None:
    nan = float("nan")
    filled = _fill(np.array([nan, 1, nan, nan, 5, nan]))
    assert np.isnan(filled[0])
    assert filled[1:].tolist() == [1, 1, 1, 5, 5]


def test_the_prior_is_the_seasonal_naive_forecast() -> None:
    context = np.array([4.0, 7, 1, 3, 9])
    lags = np.append((context - 9)[:-1], 1)  # 1, the intercept, instead of the last value
    assert (9 + lags @ _prior(5, 7, season=3)).tolist() == [1, 3, 9, 1, 3, 9, 1]
    assert (9 + lags @ _prior(5, 2, season=0)).tolist() == [9, 9]


def test_series_that_are_constant_or_empty_or_short() -> None:
    y = autoregression()[0]
    odd = [y, np.full(200, 7.0), np.full(200, np.nan), y[:3]]
    forecast = LinearAR(4, context=8).fit(Panel.from_arrays(odd)).predict()
    assert forecast.mean[1, :, 0].tolist() == [7, 7, 7, 7]
    assert np.isnan(forecast.mean[2]).all()
    assert np.isfinite(forecast.mean[3]).all()
    assert forecast.notes == ("1 of 4 series has no observation at all and gets no forecast.",)


def test_several_targets_share_the_weights() -> None:
    y = autoregression(2)
    joint = LinearAR(4, context=6).fit(Panel.from_arrays([y.T])).predict()
    apart = LinearAR(4, context=6).fit(Panel.from_arrays(list(y))).predict()
    assert pytest.approx(apart.mean[..., 0], abs=1e-4) == joint.mean[0].T


def test_a_shorter_horizon_is_the_beginning_of_the_longer() -> None:
    model = LinearAR(6).fit(Panel.from_arrays(list(autoregression())))
    np.testing.assert_allclose(model.predict(2).mean, model.predict().mean[:, :2], rtol=1e-9)


def test_few_rows_still_work_and_too_few_say_so() -> None:
    forecast = LinearAR(3).fit(Panel.from_arrays([autoregression()[0, :14]])).predict()
    assert np.isfinite(forecast.quantiles).all()
    problem = ["needs a series with 25 rows (context 20 + horizon 5)", "longest has 14 rows"]
    with refused(DataError, problem=problem, remedy=Arg("horizon")):
        LinearAR(5, context=20).fit(Panel.from_arrays([autoregression()[0, :14]]))


def test_errors_name_a_remedy() -> None:
    with refused(NotFittedError, problem="LinearAR is not fitted yet"):
        LinearAR(3).predict()
    model = LinearAR(3).fit(Panel.from_arrays(list(autoregression())))
    with refused(SettingError, problem=["was fitted for", Arg("horizon", 3), "got 4"], remedy=Arg("horizon", 4)):
        model.predict(4)
    with refused(SettingError, problem=[Arg("horizon"), "at least 1, got 0"]):
        LinearAR(0).fit(Panel.from_arrays(list(autoregression())))
    with refused(SettingError, problem=[Arg("context"), "at least 1, got 0"]):
        LinearAR(3, 0).fit(Panel.from_arrays(list(autoregression())))


def test_a_constant_series_is_named_as_the_reason() -> None:
    with refused(DataError, problem="LinearAR has nothing to learn: all series are constant", remedy="take Naive"):
        LinearAR(3).fit(Panel.from_arrays([np.full(28, 7.0)]))
