"""ZeroShotLSTM: better than seasonal naive on real data, alone or with others the same, sane on any series."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gatecast.base.errors import NotFittedError, SettingError
from gatecast.data import datasets
from gatecast.data.panel import Panel
from gatecast.forecasters import SeasonalNaive, ZeroShotLSTM, backtest, load


def waves(count: int = 5) -> list[np.ndarray]:
    rng = np.random.default_rng(2)
    t = np.arange(200)
    return [
        (20 + 5 * np.sin(2 * np.pi * t / 12 + k) + rng.standard_normal(200)).astype(np.float32)[: 200 - 9 * k]
        for k in range(count)
    ]


def test_it_beats_seasonal_naive_on_the_air_passengers() -> None:
    panel = datasets.load("air_passengers")
    tested = backtest([ZeroShotLSTM(12), SeasonalNaive()], panel, 12, windows=4, progress=False)
    _, losses = tested.losses()
    assert losses["ZeroShotLSTM"].mean() < 0.8 * losses["SeasonalNaive"].mean()


def test_a_series_is_forecast_alike_to_the_bit_whatever_is_beside_it() -> None:
    values = waves(20)
    together = ZeroShotLSTM(70, season=12).fit(Panel.from_arrays(values)).predict()
    for k in (0, 7, 19):
        alone = ZeroShotLSTM(70, season=12).fit(Panel.from_arrays([values[k]])).predict()
        assert alone.quantiles[0].tobytes() == together.quantiles[k].tobytes()


def test_unit_and_level_move_the_forecast_with_the_series() -> None:
    values = [one - 20 for one in waves(2)]
    plain = ZeroShotLSTM(24, season=12).fit(Panel.from_arrays(values)).predict()
    scaled = ZeroShotLSTM(24, season=12).fit(Panel.from_arrays([1000 * one for one in values])).predict()
    moved = ZeroShotLSTM(24, season=12).fit(Panel.from_arrays([one + 0.5 for one in values])).predict()
    assert scaled.quantiles == pytest.approx(1000 * plain.quantiles, rel=1e-3, abs=1)
    assert moved.quantiles == pytest.approx(plain.quantiles + 0.5, abs=1e-2)


@pytest.mark.parametrize(
    "values",
    [[5.0], [1.0, 2.0], [0.0] * 40, [3.0] * 40, [1e12, 2e12, 1e12, 3e12], [1e-9, 3e-9, 2e-9], [np.nan, 4.0, np.nan]],
)
def test_any_series_has_a_finite_forecast_of_its_size(values: list[float]) -> None:
    forecast = ZeroShotLSTM(100).fit(Panel.from_arrays([np.array(values)])).predict()
    assert np.isfinite(forecast.quantiles).all()
    assert np.abs(forecast.mean).max() <= 20 * np.nanmax(np.abs(values)) + 1e-6
    assert (np.diff(forecast.quantiles, axis=-1) >= 0).all()


def test_missing_values_and_a_series_without_values() -> None:
    values = waves(2)
    values[0][50:80] = np.nan
    forecast = ZeroShotLSTM(6).fit(Panel.from_arrays([*values, np.full(30, np.nan)])).predict()
    assert np.isfinite(forecast.quantiles[:2]).all()
    assert np.isnan(forecast.mean[2]).all()


def test_720_steps_keep_the_season_and_widen() -> None:
    forecast = ZeroShotLSTM(720, season=12).fit(Panel.from_arrays(waves(1))).predict(levels=[80])
    low, high = forecast.interval(80)
    width = (high - low)[0, :, 0]
    assert 8 < forecast.mean.min() < forecast.mean.max() < 32
    assert width[-50:].mean() > width[:12].mean()


def test_levels_and_sample_paths_agree() -> None:
    forecast = ZeroShotLSTM(12, season=12).fit(Panel.from_arrays(waves(1))).predict(levels=[50, 80, 99], samples=2000)
    assert forecast.levels == (50, 80, 99)
    assert forecast.samples is not None
    high = np.quantile(forecast.samples[0, :, :, 0], 0.9, axis=0)
    assert high == pytest.approx(forecast.quantile(0.9)[0, :, 0], abs=0.4)


def test_two_targets_and_a_file(tmp_path: Path) -> None:
    first, second = waves(1)[0], 3 * waves(1)[0]
    panel = Panel.from_arrays([np.stack([first, second], 1)])
    model = ZeroShotLSTM(8, season=12).fit(panel)
    forecast = model.predict()
    assert forecast.mean[0, :, 1] == pytest.approx(3 * forecast.mean[0, :, 0], rel=1e-2)
    loaded = load(model.save(tmp_path / "model"))
    assert repr(loaded) == repr(model)
    again = loaded.predict(panel=panel)
    assert again.quantiles.tobytes() == forecast.quantiles.tobytes()
    with pytest.raises(NotFittedError, match="holds no data"):
        loaded.predict()


def test_a_season_of_0_is_refused() -> None:
    with pytest.raises(SettingError, match="season"):
        ZeroShotLSTM(4, season=0).fit(Panel.from_arrays(waves(1)))
    with pytest.raises(NotFittedError, match="not fitted"):
        ZeroShotLSTM(4).predict()
