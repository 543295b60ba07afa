"""Series of extreme size: the forecast of s·y is s times the forecast of y."""

from __future__ import annotations

import numpy as np
import pytest
from fixtures.refused import refused

from gatecast import Ensemble, FitConfig, LinearAR, LSTMForecaster, NetConfig, Panel, SeasonalNaive
from gatecast.base.errors import ForecastError, SettingError
from gatecast.base.findings import Arg
from gatecast.batches.scalers import SCALERS
from gatecast.batches.unit import exponents, from_unit, in_unit
from gatecast.forecasters.base import Forecaster

STEPS = np.arange(96)
SERIES = 50 + 10 * np.sin(STEPS / 6 * np.pi) + np.random.default_rng(0).normal(0, 2, 96)
SCALES = (1e-30, 3e-7, 1e30)


def panel_of(scale: float) -> Panel:
    return Panel.from_arrays([SERIES * scale, SERIES[::-1] * 3], freq="MS")


def lstm(**settings: object) -> LSTMForecaster:
    return LSTMForecaster(6, net=NetConfig(hidden_size=8), fit=FitConfig(steps=4), **settings)  # type: ignore[arg-type]


MODELS: dict[str, Forecaster] = {
    **{f"head {head}": lstm(head=head) for head in ("quantiles", "normal", "student")},
    **{f"scaler {name}": lstm(scaler=name) for name, kind in SCALERS.items() if kind.relative},
    "LinearAR": LinearAR(6),
    "SeasonalNaive": SeasonalNaive(),
    "Ensemble": Ensemble([LinearAR(6), SeasonalNaive()]),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_forecasts_are_scale_equivariant(model: Forecaster) -> None:
    plain = model.clone().fit(panel_of(1.0)).predict(6, levels=[80])
    for scale in SCALES:
        scaled = model.clone().fit(panel_of(scale)).predict(6, levels=[80])
        np.testing.assert_allclose(scaled.quantiles[0] / scale, plain.quantiles[0], rtol=1e-5)
        np.testing.assert_allclose(scaled.quantiles[1], plain.quantiles[1], rtol=1e-5)


def test_usual_series_keep_their_bits() -> None:
    panel = panel_of(1e9)
    scaled, found = in_unit(panel)
    assert scaled is panel
    assert not found.any()
    values = np.ones(3, np.float32)
    assert from_unit(values, found[0]) is values


def test_each_series_and_target_has_its_own_power_of_two() -> None:
    values = np.stack([np.array([3.0, -9, np.nan, 1]) * 2.0**60, np.array([1e-30, np.nan, 0, 0])], axis=-1)
    panel = Panel.from_arrays([values, np.zeros((3, 2))], freq="D")
    assert exponents(panel).tolist() == [[63, -100], [0, 0]]
    scaled, found = in_unit(panel)
    assert 1 <= np.nanmax(np.abs(scaled.target[:4])) < 2
    np.testing.assert_array_equal(from_unit(scaled.series(0), found[0]), panel.series(0))


@pytest.mark.parametrize("scale", [1e-30, 1e30])
@pytest.mark.parametrize("scaler", ["none", "shift"])
def test_scalers_that_keep_the_unit_refuse_values_far_from_one(scaler: str, scale: float) -> None:
    with refused(SettingError, problem=scaler, remedy=Arg("scaler", "standard")):
        lstm(scaler=scaler).fit(panel_of(scale))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_forecast_that_is_not_finite_is_refused() -> None:
    panel = Panel.from_arrays([SERIES, 1e300 * (2 + np.sin(STEPS))], ids=["a", "b"], freq="MS")
    with refused(ForecastError, problem=["SeasonalNaive", "series 'b'", "step 1", "3e+300"], remedy="power of ten"):
        SeasonalNaive().fit(panel).predict(3)


def test_arrays_that_float32_cannot_hold_keep_their_values() -> None:
    for size in (1e300, 1e-300):
        panel = Panel.from_arrays([SERIES * size], freq="MS")
        np.testing.assert_array_equal(panel.series(0)[:, 0], SERIES * size)
    assert Panel.from_arrays([SERIES], freq="MS").target.dtype == np.float32
