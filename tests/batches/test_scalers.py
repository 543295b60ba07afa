"""Each scaler: its statistics by hand, its round trip, and windows that would divide by zero."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gatecast.batches.scalers import SCALERS, Last, Log1p, MeanAbs, Robust, Scaler, Shift, Standard, last_observed

KINDS = list(SCALERS)
PAST = torch.tensor([1.0, 2.0, 3.0, 6.0])[None, :, None]


def seen(values: Tensor) -> Tensor:
    return torch.ones_like(values, dtype=torch.bool)


def unscaled(scaler: Scaler, z: Tensor, location: Tensor, scale: Tensor) -> Tensor:
    return scaler.inverse(z * scale + location)


@pytest.mark.parametrize("kind", KINDS)
def test_round_trip(kind: str) -> None:
    past = torch.rand(5, 20, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 1000
    scaler = SCALERS[kind]()
    torch.testing.assert_close(unscaled(scaler, *scaler(past, seen(past))), past, rtol=1e-9, atol=1e-9)
    assert scaler.name == kind


@pytest.mark.parametrize(
    ("scaler", "location", "scale"),
    [
        (Scaler(), 0.0, 1.0),
        (Standard(), 3.0, 3.5**0.5),
        (Last(), 6.0, 3.5**0.5),
        (Shift(), 6.0, 1.0),
        (Robust(), 2.5, 2.0 / 1.349),
        (MeanAbs(), 0.0, 3.0),
        (Standard(recent=2), 4.5, 1.5),
        (Last(recent=1), 6.0, 6.0),
    ],
)
def test_statistics_by_hand(scaler: Scaler, location: float, scale: float) -> None:
    _, got_location, got_scale = scaler(PAST, seen(PAST))
    assert float(got_location) == pytest.approx(location, rel=1e-5)
    assert float(got_scale) == pytest.approx(scale, rel=1e-5)


def test_log1p_by_hand() -> None:
    past = torch.tensor([0.0, torch.e - 1])[None, :, None]
    z, location, scale = Log1p()(past, seen(past))
    assert (float(location), float(scale)) == (pytest.approx(0.5), pytest.approx(0.5))
    assert z.flatten().tolist() == pytest.approx([-1.0, 1.0], abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [0.0, 5.0, 1e7])
def test_a_constant_window_stays_finite_and_comes_back(kind: str, value: float) -> None:
    past = torch.full((1, 8, 1), value, dtype=torch.float64)
    scaler = SCALERS[kind]()
    z, location, scale = scaler(past, seen(past))
    assert z.isfinite().all()
    assert float(scale) > 0
    torch.testing.assert_close(unscaled(scaler, z, location, scale), past, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_missing_values_do_not_count_and_are_zero(kind: str) -> None:
    whole = torch.tensor([4.0, 2.0, 8.0, 6.0])[None, :, None]
    holes = torch.tensor([4.0, 0.0, 2.0, 8.0, 6.0, 0.0])[None, :, None]
    mask = torch.tensor([True, False, True, True, True, False])[None, :, None]
    scaler = SCALERS[kind]()
    z, location, scale = scaler(holes, mask)
    expected, expected_location, expected_scale = scaler(whole, seen(whole))
    torch.testing.assert_close((location, scale), (expected_location, expected_scale))
    torch.testing.assert_close(z[mask], expected.flatten())
    assert z[~mask].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_window_without_any_value_is_all_zero(kind: str) -> None:
    z, location, scale = SCALERS[kind]()(torch.zeros(1, 5, 1), torch.zeros(1, 5, 1, dtype=torch.bool))
    assert z.abs().sum() == 0
    assert (float(location), float(scale)) == (0.0, 1.0)


def test_robust_is_untouched_by_spikes_and_standard_is_not() -> None:
    plain = torch.randn(1, 101, 1, generator=torch.Generator().manual_seed(0))
    spiked = plain.clone()
    spiked[0, [10, 50]] = 1e4
    scales = {k: [float(SCALERS[k]()(v, seen(v))[2]) for v in (plain, spiked)] for k in ("robust", "standard")}
    assert scales["robust"][1] == pytest.approx(scales["robust"][0], rel=0.1)
    assert scales["standard"][1] > 100 * scales["standard"][0]


def test_robust_falls_back_when_more_than_half_are_equal() -> None:
    past = torch.tensor([0.0] * 8 + [4.0, 4.0])[None, :, None]
    _, location, scale = Robust()(past, seen(past))
    assert (float(location), float(scale)) == (0.0, pytest.approx(3.2**0.5))


def test_a_recent_part_without_values_falls_back_to_the_whole_context() -> None:
    mask = torch.tensor([True, True, True, False])[None, :, None]
    _, location, _ = Standard(recent=1)(PAST * mask, mask)
    assert float(location) == pytest.approx(2.0)


def test_last_observed() -> None:
    values = torch.tensor([[1.0, 2.0, 0.0], [0.0, 0.0, 0.0]])[..., None]
    mask = torch.tensor([[True, True, False], [False, False, False]])[..., None]
    assert last_observed(values, mask).flatten().tolist() == [2.0, 0.0]


@pytest.mark.parametrize("kind", ["standard", "last", "robust"])
@pytest.mark.parametrize(("dtype", "level"), [(torch.float32, 1e4), (torch.float64, 1e8)])
def test_small_changes_on_a_high_level_are_not_constant(kind: str, dtype: torch.dtype, level: float) -> None:
    past = (level + 0.05 * torch.sin(torch.arange(24.0, dtype=torch.float64)))[None, :, None].to(dtype)
    z, _, scale = SCALERS[kind]()(past, seen(past))
    assert float(scale) < 1
    assert float(z.std()) > 0.3
