"""Fields move along the motion, the motion is found, and forecasts without training are what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from nowcast.events import blobs

from gatecast.base.errors import SettingError
from gatecast.nowcast import Extrapolation, Nowcast, Persistence, Smoothed, backtest_nowcasts
from gatecast.nowcast.advection import displacements, moved
from gatecast.nowcast.backtest import _fss
from gatecast.nowcast.forecast import _best_area
from gatecast.nowcast.motion import motion_of
from gatecast.nowcast.smoothing import smoothed


def test_a_field_moves_by_its_velocity() -> None:
    field = torch.zeros(12, 16)
    field[3:6, 4:8] = torch.arange(12.0).reshape(3, 4)
    velocity = torch.tensor([2.0, 1.0])[:, None, None].expand(2, 12, 16)
    fields, inside = moved(field, velocity, 3)
    torch.testing.assert_close(fields[1][5:8, 8:12], field[3:6, 4:8])
    assert inside[1][5, 8] == 1
    assert inside[1][1, 3] == 0  # its rain comes from outside


def test_a_turning_motion_follows_the_circle() -> None:
    """After a quarter of a turn in 100 steps rain from the right lies above the middle."""
    y, x = torch.meshgrid(torch.arange(41.0) - 20, torch.arange(41.0) - 20, indexing="ij")
    turn = torch.pi / 200
    path = displacements(torch.stack([turn * y, -turn * x]), 100)[-1]
    torch.testing.assert_close(
        torch.tensor([0.0, -10.0]) - path[:, 10, 20], torch.tensor([10.0, 0.0]), atol=0.05, rtol=0
    )


@pytest.mark.parametrize("deviation", [1.0, 3.0, 8.0])
def test_smoothing_keeps_the_mean_and_leaves_out_missing_pixels(deviation: float) -> None:
    field, seen = torch.zeros(1, 64, 64), torch.ones(64, 64)
    field[0, 30:34, 30:34] = 1.0
    assert float(smoothed(field, seen, deviation).sum()) == pytest.approx(16, rel=0.02)
    seen[:, 32:] = 0.0
    even = smoothed(torch.ones(1, 64, 64) * seen, seen, deviation)
    assert float(even[0, :, 31].min()) == pytest.approx(1, abs=1e-4)


def test_the_motion_of_blobs_is_found() -> None:
    pytest.importorskip("pysteps", reason="pysteps is not installed: pip install gatecast[rain]")
    grid = blobs(steps=6, velocity=(3.0, -2.0))
    velocity = motion_of(grid)[:, 40:90, 40:90]
    np.testing.assert_allclose(velocity.mean(axis=(1, 2)), [3.0, -2.0], atol=0.4)


def test_a_dry_field_does_not_move() -> None:
    grid = blobs(steps=6, velocity=(3.0, -2.0), rate=0.0)
    assert not motion_of(grid).any()


def test_the_fss_is_that_of_pysteps() -> None:
    scores = pytest.importorskip("pysteps.verification.spatialscores", reason="pysteps is not installed")
    said, fell = (np.random.default_rng(k).random((40, 50)) < 0.3 for k in (0, 1))
    error, worst = _fss(said, fell, 4.0)
    assert 1 - error / worst == pytest.approx(scores.fss(said.astype(float), fell.astype(float), 0.5, 5), abs=1e-6)


def test_extrapolation_is_right_about_rain_that_only_moves() -> None:
    grid = blobs(steps=14, velocity=(3.0, -2.0))
    found = backtest_nowcasts([Extrapolation(), Persistence(), Smoothed()], grid, minutes=30, thresholds=(0.5,))
    scores = found.scores().query("minutes == 30").set_index("model")
    assert scores.loc["Extrapolation", "CSI"] > 0.7
    assert scores.loc["Persistence", "CSI"] < 0.5
    assert scores.loc["Extrapolation", "CRPS"] < scores.loc["Persistence", "CRPS"]


# ── the forecast ──────────────────────────────────────────────────────────────────────────────────────────────────────
def forecast(*chances: float, thresholds: tuple[float, ...] = (0.5, 2.0)) -> Nowcast:
    """One field of 2 × 2 pixels with the same probabilities."""
    fields = np.tile(np.array(chances, np.float32)[None, :, None, None], (1, 1, 2, 2))
    past = blobs(steps=6, velocity=(0, 0)).crop(0, 0, 2, 2)
    return Nowcast("made", past, past.times_ahead(1), thresholds, fields, np.ones((1, 2, 2), np.float32))


def test_probabilities_between_thresholds() -> None:
    made = forecast(0.8, 0.4)
    assert made.probability(0.5)[0, 0, 0] == pytest.approx(0.8)
    assert made.probability(1.0)[0, 0, 0] == pytest.approx(0.6)  # half way in the logarithm
    with pytest.raises(SettingError) as refused:
        made.probability(0.1)
    assert "from 0.5 to 2 mm/h, got 0.1" in str(refused.value)


def test_the_expected_rate() -> None:
    assert forecast(1.0, 1.0).rate[0, 0, 0] == pytest.approx((2.0 * 3.0) ** 0.5)
    assert forecast(1.0, 0.0).rate[0, 0, 0] == pytest.approx(1.0)
    assert forecast(0.0, 0.0).rate[0, 0, 0] == 0


def test_the_area_has_the_largest_expected_csi() -> None:
    chances = np.random.default_rng(0).beta(0.4, 1.2, (12, 12)).astype(np.float32)
    ordered = np.sort(chances.ravel())[::-1].astype(float)
    expected = ordered.cumsum() / (np.arange(1, 145) + ordered.sum() - ordered.cumsum())
    area = _best_area(chances)
    hits = chances[area].sum(dtype=float)
    assert hits / (area.sum() + ordered.sum() - hits) == pytest.approx(expected.max(), abs=0.003)


def test_a_certain_field_is_its_own_area() -> None:
    chances = np.zeros((4, 4), np.float32)
    chances[1, 2] = 1.0
    assert np.argwhere(_best_area(chances)).tolist() == [[1, 2]]
    assert not _best_area(np.zeros((4, 4), np.float32)).any()


def test_a_dataset_that_netcdf_takes(tmp_path: object) -> None:
    pytest.importorskip("xarray", reason="xarray is not installed: pip install gatecast[rain]")
    made = Persistence().predict(blobs(steps=6, velocity=(0, 0)), 2).to_xarray()
    assert made.sizes["time"] == 2
    assert made["rate"].attrs["units"] == "mm h-1"
    assert made.attrs["forecast_reference_time"] == "2024-06-01T12:50:00"
