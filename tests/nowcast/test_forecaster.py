"""The ConvLSTM of rain: it learns, repeats itself, survives its file, and refuses what it cannot forecast."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nowcast.events import blobs

from gatecast.base.errors import DataError, ModelFileError, NotFittedError, SettingError
from gatecast.data.grid import Grid, read_grid
from gatecast.nowcast import (
    ConvLSTMForecaster,
    Extrapolation,
    Persistence,
    RainConfig,
    backtest_nowcasts,
    finland,
    pretrained,
)
from gatecast.nowcast.backtest import origins_of
from gatecast.nowcast.config import DEFAULT_FIT
from gatecast.nowcast.forecaster import _require_rain

NET = RainConfig(hidden_channels=4, width=16, crop=32, pixels=600, leads=2, thresholds=(0.1, 0.5, 2.0, 5.0))
FIT = replace(DEFAULT_FIT, steps=40, progress=False)


@pytest.fixture(scope="module")
def decaying() -> Grid:
    """Rain that moves and loses a tenth of its rate every step: extrapolation alone says too much."""
    return blobs(steps=24, velocity=(3.0, -2.0), decay=0.1, rate=8.0)


@pytest.fixture(scope="module")
def fitted(decaying: Grid) -> ConvLSTMForecaster:
    return ConvLSTMForecaster(40, net=NET, fit=FIT, seed=1).fit(decaying.rows(0, 16))


def test_it_learns_that_rain_decays(fitted: ConvLSTMForecaster, decaying: Grid) -> None:
    models = [fitted, Extrapolation(NET.thresholds), Persistence(NET.thresholds)]
    found = backtest_nowcasts(models, decaying.rows(8, 24), minutes=40, every=20, thresholds=(0.5, 2.0))
    scores = found.scores().query("minutes == 30 and threshold == 2").set_index("model")
    assert scores.loc["ConvLSTM", "Brier"] < 0.9 * scores.loc["Extrapolation", "Brier"]
    assert scores.loc["ConvLSTM", "CRPS"] < 0.9 * scores.loc["Extrapolation", "CRPS"]
    assert "ConvLSTM has a CSI of" in found.verdict("ConvLSTM", threshold=0.5, minutes=30)


def test_probabilities_fall_with_the_threshold(fitted: ConvLSTMForecaster, decaying: Grid) -> None:
    ahead = fitted.predict(decaying, 4)
    assert ahead.probabilities.shape == (4, 4, 128, 128)
    assert (np.diff(ahead.probabilities, axis=1) <= 0).all()
    assert ahead.probabilities.min() >= 0
    assert ahead.probabilities.max() <= 1
    assert str(ahead.times[0]) == "2024-06-01T16:00:00"


def test_the_same_seed_gives_the_same_network(fitted: ConvLSTMForecaster, decaying: Grid, tmp_path: Path) -> None:
    again = ConvLSTMForecaster(40, net=NET, fit=FIT, seed=1).fit(decaying.rows(0, 16))
    loaded = ConvLSTMForecaster.load(fitted.save(tmp_path / "rain"))
    for other in (again, loaded):
        assert np.array_equal(other.predict(decaying, 2).probabilities, fitted.predict(decaying, 2).probabilities)
    assert loaded.events_ == ("array",)


def test_what_comes_from_outside_is_not_known(fitted: ConvLSTMForecaster, decaying: Grid) -> None:
    gone = decaying.missing.copy()
    gone[:, :, :30] = True
    part = replace(decaying, values=np.where(gone, 0, decaying.values), missing=gone)
    inside = fitted.predict(part, 4).inside
    assert inside[-1, 60, 20] < 0.1
    assert inside[-1, 60, 100] > 0.9


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda grid: grid.rows(0, 2), DataError, "2 fields are too few: 3 are needed"),
        (lambda grid: replace(grid, units="K"), DataError, "expected rain in mm/h, got K"),
    ],
)
def test_what_it_cannot_forecast(
    fitted: ConvLSTMForecaster, decaying: Grid, change: object, error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as refused:
        fitted.predict(change(decaying))  # type: ignore[operator]
    assert words in str(refused.value)


def test_a_grid_is_wanted(decaying: Grid) -> None:
    with pytest.raises(SettingError) as refused:
        _require_rain(decaying.values, 3)
    assert "expected a Grid, got a ndarray; read it first: gatecast.read_grid(…)" in str(refused.value)


def test_it_must_be_fitted(decaying: Grid) -> None:
    with pytest.raises(NotFittedError):
        ConvLSTMForecaster().predict(decaying)


def test_files_of_other_models_are_refused(fitted: ConvLSTMForecaster, tmp_path: Path) -> None:
    from safetensors.torch import load

    from gatecast.forecasters.model_file import _read, write

    path = fitted.save(tmp_path / "rain")
    tensors = load(_read(path)["tensors.safetensors"])
    write(tmp_path / "odd", {"kind": "nowcast", "minutes": 40, "seed": 1, "net": {}, "events": []}, tensors)
    for name in ("odd", "none"):
        with pytest.raises(ModelFileError) as refused:
            ConvLSTMForecaster.load(tmp_path / f"{name}.gatecast")
        assert f"{name}.gatecast" in str(refused.value)


def test_too_few_fields_for_a_backtest(decaying: Grid) -> None:
    with pytest.raises(DataError) as refused:
        origins_of(decaying.rows(0, 8), 60, 30)
    assert "12 are needed" in str(refused.value)


@pytest.mark.parametrize("thresholds", [(0.5,), (1.0, 0.5), (-1.0, 2.0)])
def test_thresholds_rise(thresholds: tuple[float, ...]) -> None:
    with pytest.raises(SettingError):
        RainConfig(thresholds=thresholds)


def test_a_dry_event_is_forecast_as_dry(fitted: ConvLSTMForecaster) -> None:
    dry = read_grid(np.zeros((6, 64, 64)), units="mm/h", step=10, pixel_km=2)
    assert fitted.predict(dry, 3).probability(0.5).max() < 0.2


def test_the_bundled_forecaster_beats_its_rivals_on_an_event_that_it_has_not_seen() -> None:
    grid = finland().rows(0, 26)
    models = [pretrained("rain-netherlands"), Extrapolation(), Persistence()]
    found = backtest_nowcasts(models, grid, minutes=60, every=45, thresholds=(0.5,))
    scores = found.scores().query("minutes == 60").set_index("model")
    assert scores.loc["ConvLSTM", "CSI"] > scores.loc["Persistence", "CSI"]
    assert scores.loc["ConvLSTM", "CRPS"] < 0.8 * min(scores.loc[["Extrapolation", "Persistence"], "CRPS"])
