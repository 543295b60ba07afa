"""The ensemble: it learns, repeats itself, sees nothing of the future, and stays within 0 and capacity."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from power.farms import CAPACITY, plant

from gatecast.base.errors import DataError, NotFittedError, SettingError
from gatecast.power import Plant, PowerConfig, PowerForecaster
from gatecast.power.clipped_normal import crps, expected, quantile
from gatecast.power.config import DEFAULT_FIT

pytest.importorskip("pywt", reason="PyWavelets is not installed: pip install gatecast[wind]")
FIT = replace(DEFAULT_FIT, steps=50, batch_size=32, progress=False)
NET = PowerConfig(channels=16, blocks=1, levels=2)


@pytest.fixture(scope="module")
def farm() -> Plant:
    return plant(1500)


@pytest.fixture(scope="module")
def fitted(farm: Plant) -> PowerForecaster:
    return PowerForecaster(24, members=2, net=NET, fit_config=FIT, seed=1).fit(farm.cut(200))


def test_it_is_better_than_the_last_value_and_the_mean(farm: Plant, fitted: PowerForecaster) -> None:
    rows = np.arange(len(farm.times) - 200, len(farm.times) - 30, 12)
    truth = farm.power[rows[:, None] + 1 + np.arange(24)]
    found = fitted.predict(farm, farm.times[rows])
    error = np.sqrt(np.mean((found.mean - truth) ** 2))
    assert error < 0.7 * np.sqrt(np.mean((farm.power[rows][:, None] - truth) ** 2))
    assert error < 0.7 * truth.std()
    inside = (found.quantile(0.1) <= truth) & (truth <= found.quantile(0.9))
    assert 0.5 < inside.mean() <= 1


def test_quantiles_rise_and_stay_within_capacity(farm: Plant, fitted: PowerForecaster) -> None:
    found = fitted.predict(farm)
    quantiles = np.stack([found.quantile(p) for p in (0.01, 0.1, 0.5, 0.9, 0.99)])
    assert (np.diff(quantiles, axis=0) >= 0).all()
    assert quantiles.min() >= 0
    assert quantiles.max() <= 1
    assert (found.model >= 0).all()
    assert (found.noise > 0).all()
    frame = found.to_frame()
    assert frame.columns.tolist() == ["site", "time", "mean", "q5", "q10", "q25", "q50", "q75", "q90", "q95"]
    assert frame["mean"].max() <= CAPACITY
    assert str(frame["time"].iloc[0]) == "2023-03-04 12:00:00"


def test_nothing_after_the_origin_moves_the_forecast(farm: Plant, fitted: PowerForecaster) -> None:
    origin = farm.times[[1300]]
    values = farm.weather[0].values.copy()
    values[farm.weather[0].issued > origin[0]] = 77.0
    power = farm.power.copy()
    power[1301:] = 0.5
    changed = replace(farm, power=power, weather=(replace(farm.weather[0], values=values),))
    assert np.array_equal(fitted.predict(changed, origin).mean, fitted.predict(farm, origin).mean)
    power[1250] = 1 - power[1250]
    assert not np.array_equal(
        fitted.predict(replace(changed, power=power), origin).mean, fitted.predict(farm, origin).mean
    )


@pytest.mark.parametrize("change", [{"kind": "lstm"}, {"levels": 0}])
def test_other_networks(farm: Plant, change: dict[str, object]) -> None:
    short = replace(FIT, steps=2)
    made = PowerForecaster(12, members=1, net=replace(NET, **change), fit_config=short).fit(farm)  # type: ignore[arg-type]
    assert np.isfinite(made.predict(farm).mean).all()
    again = PowerForecaster(12, members=1, net=replace(NET, **change), fit_config=short).fit(farm)  # type: ignore[arg-type]
    assert np.array_equal(again.predict(farm).mean, made.predict(farm).mean)


def test_withheld_issues_and_holes_in_the_power(farm: Plant, fitted: PowerForecaster) -> None:
    values = farm.weather[0].values.copy()
    values[-8:] = np.nan
    power = farm.power.copy()
    power[-40:] = np.nan
    found = fitted.predict(replace(farm, power=power, weather=(replace(farm.weather[0], values=values),)))
    assert np.isfinite(found.mean).all()


def test_what_cannot_be_fitted(farm: Plant) -> None:
    with pytest.raises(NotFittedError):
        PowerForecaster().predict(farm)
    with pytest.raises(DataError) as refused:
        PowerForecaster().fit(farm.cut(1400))
    assert "20 are needed" in str(refused.value)
    with pytest.raises(SettingError):
        PowerConfig(kernel_size=4)


def test_origins_lie_within_the_power(farm: Plant, fitted: PowerForecaster) -> None:
    with pytest.raises(SettingError) as refused:
        fitted.predict(farm, np.array(["2030-01-01T00"], "datetime64[h]"))
    assert "must lie within 2023-01-01T00" in str(refused.value)


# ── the clipped normal ────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("mean", "spread"), [(0.5, 0.1), (0.05, 0.2), (1.1, 0.3), (-0.3, 0.2)])
def test_mean_and_crps_of_the_clipped_normal(mean: float, spread: float) -> None:
    drawn = (mean + spread * torch.randn(200_000, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    m, s = torch.tensor(mean), torch.tensor(spread)
    assert float(expected(m, s)) == pytest.approx(float(drawn.mean()), abs=0.002)
    assert float(quantile(m, s, 0.9)) == pytest.approx(float(drawn.quantile(0.9)), abs=0.004)
    observed = torch.tensor(0.3)
    exact = (drawn - observed).abs().mean() - 0.5 * (drawn[::2] - drawn[1::2]).abs().mean()
    assert float(crps(m, s, observed)) == pytest.approx(float(exact), abs=0.006)
