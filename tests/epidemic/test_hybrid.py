"""SEIR with an LSTM on its residuals: what it adds, what it must not see, and where it steps back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fixtures.refused import refused

import gatecast
from gatecast.base.errors import DataError, NotFittedError, SettingError
from gatecast.base.findings import Arg, Call
from gatecast.epidemic.hybrid import LEAST_ROWS, SHARE, _residuals
from gatecast.training import FitConfig

POPULATION = 1_000_000


def wave(days: int, height: float = 900.0, peak: int = 45) -> np.ndarray:
    """New cases of an epidemic with a peak, two days of each week reported 40 % lower."""
    t = np.arange(days)
    return np.rint((height * np.exp(-(((t - peak) / 14) ** 2)) + 2) * np.where(t % 7 > 4, 0.6, 1.0))


def panel(*series: np.ndarray) -> gatecast.Panel:
    return gatecast.Panel.from_arrays(list(series), freq="D")


def hybrid(horizon: int = 7, **settings: Any) -> gatecast.SEIRHybrid:
    small = gatecast.LSTMForecaster(
        horizon, fit=FitConfig(steps=5, progress=False), scaler="none", calibrate=False, nonnegative=False
    )
    given = {"lstm": small, "draws": 2, "starts": 2, "drift": 0.0, "variant": "sir", **settings}
    return gatecast.SEIRHybrid(horizon, POPULATION, **given)


@pytest.fixture(scope="module")
def fitted() -> gatecast.SEIRHybrid:
    return hybrid().fit(panel(wave(45), wave(45, 300.0, 40)))


def test_forecast_is_the_equations_times_the_exponential_of_the_lstm(fitted: gatecast.SEIRHybrid) -> None:
    base, whole = fitted.seir_.predict(7), fitted.predict(7)
    residual = fitted.lstm_.predict(7, panel=_residuals(fitted.seir_, fitted.panel_)).mean
    assert whole.mean.shape == (2, 7, 1)
    assert np.abs(residual).max() > 0.01
    np.testing.assert_allclose(np.log((whole.mean + 1) / (base.mean + 1)), residual, atol=1e-5)


def test_residuals_are_logarithms_of_counts_over_the_fitted_course(fitted: gatecast.SEIRHybrid) -> None:
    one = fitted.seir_.fits_["s0"]
    found = _residuals(fitted.seir_, fitted.panel_).series(0)[:, 0]
    expected = np.log((wave(45)[one.first :] + 1) / (one.fitted.mean[:, 0] + 1))
    np.testing.assert_allclose(found[one.first :], expected, rtol=1e-4, atol=1e-5)
    assert np.isnan(found[: one.first]).all()


def test_intervals_and_paths_are_whole_counts_around_the_forecast(fitted: gatecast.SEIRHybrid) -> None:
    forecast = fitted.predict(7, levels=[50, 90], samples=8)
    assert forecast.samples is not None
    assert forecast.samples.shape == (2, 8, 7, 1)
    for counts in (forecast.quantiles, forecast.samples):
        assert (counts >= 0).all()
        np.testing.assert_array_equal(counts, np.rint(counts))
    assert (np.diff(forecast.quantiles, axis=-1) >= 0).all()


def test_nothing_after_the_origin_is_seen() -> None:
    known = wave(45)
    later = np.concatenate([known, [9e4] * 7])
    forecasts = [hybrid().fit(one).predict().mean for one in (panel(known), panel(later).cut(7))]
    np.testing.assert_array_equal(*forecasts)


def test_another_panel_has_the_equations_fitted_and_the_lstm_applied(fitted: gatecast.SEIRHybrid) -> None:
    longer = panel(wave(48), wave(48, 300.0, 40))
    forecast = fitted.predict(7, panel=longer)
    base = fitted.seir_.clone().fit(longer).predict(7)
    assert forecast.panel is longer
    assert np.abs(np.log((forecast.mean + 1) / (base.mean + 1))).max() > 1e-4
    np.testing.assert_array_equal(fitted.predict(7).mean, fitted.predict(7, panel=fitted.panel_).mean)


def test_beyond_its_reach_the_last_residual_fades() -> None:
    model = hybrid(20).fit(panel(wave(40)))
    forecast = model.predict()
    ahead = np.log((forecast.mean + 1) / (model.seir_.predict(20).mean + 1))[0, :, 0]
    reach = model.reach_
    assert reach <= 40 // SHARE
    np.testing.assert_allclose(ahead[reach:], ahead[reach - 1] * 0.5 ** (np.arange(1, 21 - reach) / reach), atol=1e-6)
    assert f"looks {reach} days ahead" in forecast.notes[-1]


def test_with_too_few_days_it_is_the_equations() -> None:
    model = hybrid(7).fit(panel(wave(LEAST_ROWS - 1, peak=10)))
    assert model.lstm_ is None
    np.testing.assert_allclose(model.predict().mean, model.seir_.predict().mean)
    assert "too few days" in model.predict().notes[-1]


def test_series_without_a_case_is_forecast_as_zero() -> None:
    model = hybrid().fit(panel(np.zeros(50), wave(45)))
    forecast = model.predict()
    assert (forecast.mean[0] == 0).all()
    assert (forecast.mean[1] > 0).all()


def test_same_seed_same_forecast_and_backtest_runs() -> None:
    data = panel(wave(45))
    first, second = (hybrid(seed=3).fit(data).predict().mean for _ in range(2))
    np.testing.assert_array_equal(first, second)
    tested = gatecast.backtest([hybrid(), gatecast.Naive()], data, 7, windows=1, progress=False)
    assert tested.models == ["SEIR+LSTM", "Naive"]


def test_clone_is_unfitted_with_the_same_settings(fitted: gatecast.SEIRHybrid) -> None:
    twin = fitted.clone()
    assert twin.equations == fitted.equations
    with refused(NotFittedError, remedy=Call("fit", ...)):
        twin.predict()


def test_refuses_invalid_arguments(fitted: gatecast.SEIRHybrid) -> None:
    with refused(SettingError, problem=[Arg("horizon", 7), "got 8"]):
        fitted.predict(8)
    with refused(SettingError, problem=["further settings", "transmision"]):
        hybrid(transmision="constant").fit(panel(wave(45)))
    with refused(DataError, problem="must be 0 or more"):
        hybrid().fit(panel(wave(45) - 5))
