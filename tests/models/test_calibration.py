"""Calibration learns the right stretch, the dependence of steps, and paths that follow their quantiles."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from gatecast.models.calibration import Calibration, calibrate, identity, map_quantiles, normal_scores
from gatecast.nn.heads import Quantiles

P = Quantiles().probabilities
SCORES = torch.special.ndtri(torch.tensor(P, dtype=torch.float64)).float()
MIDDLE = P.index(0.5)


def gaussian_table(windows: int, horizon: int, spread: float = 1.0) -> Tensor:
    return (spread * SCORES).expand(windows, horizon, 1, len(P)).clone()


def truth(windows: int, horizon: int, spread: float = 1.0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    target = spread * torch.randn(windows, horizon, 1, generator=generator)
    return target, torch.ones_like(target, dtype=torch.bool)


def coverage(table: Tensor, target: Tensor, level: float) -> float:
    low, high = (table[..., P.index(round(p, 6))] for p in ((1 - level) / 2, (1 + level) / 2))
    return float(((target >= low) & (target <= high)).float().mean())


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_the_stretch_of_quantiles_that_are_too_narrow_or_too_wide(factor: float) -> None:
    target, mask = truth(400, 5, factor)
    calibration = calibrate(gaussian_table(400, 5), target, mask, P)
    outer = calibration.factors[:, [P.index(0.1), P.index(0.9), P.index(0.025), P.index(0.975)]]
    torch.testing.assert_close(outer.mean(0), torch.full((4,), factor), rtol=0.12, atol=0)
    fresh = factor * torch.randn(4000, 5, 1, generator=torch.Generator().manual_seed(9))
    assert coverage(calibration(gaussian_table(4000, 5)), fresh, 0.8) == pytest.approx(0.8, abs=0.04)
    assert coverage(calibration(gaussian_table(4000, 5)), fresh, 0.95) == pytest.approx(0.95, abs=0.03)
    assert calibration.windows == 400


def test_each_step_has_a_factor_given_enough_windows() -> None:
    target, mask = truth(400, 4)
    growing = target * torch.tensor([1.0, 1.0, 3.0, 3.0])[:, None]
    factors = calibrate(gaussian_table(400, 4), growing, mask, P).factors[:, P.index(0.9)]
    torch.testing.assert_close(factors, torch.tensor([1.0, 1.0, 3.0, 3.0]), rtol=0.25, atol=0)


def test_few_windows_pull_the_stretch_towards_one() -> None:
    table, (target, mask) = gaussian_table(1, 4), truth(1, 4)
    few = calibrate(table, target * 0 + 100, mask, P).factors[0, -1]
    assert 1 < float(few) < 2  # the ratio is cut at 6, and one window weighs 1 / 6


def test_missing_targets_do_not_count() -> None:
    target, mask = truth(100, 3)
    wild = target.clone()
    wild[::2], mask[::2] = 1e6, False
    first = calibrate(gaussian_table(100, 3), wild, mask, P)
    wild[::2] = -5.0
    second = calibrate(gaussian_table(100, 3), wild, mask, P)
    assert torch.equal(first.factors, second.factors)
    assert torch.equal(first.steps, second.steps)


def test_a_point_forecast_gets_the_spread_of_its_errors() -> None:
    target, mask = truth(500, 3, 2.0)
    calibration = calibrate(torch.zeros(500, 3, 1, len(P)), target, mask, P)
    assert calibration.spread is not None
    torch.testing.assert_close(calibration.spread, torch.full((3, 1), 2.0), rtol=0.1, atol=0)
    table = calibration(torch.zeros(1, 3, 1, len(P)))
    torch.testing.assert_close(table[0, 0, 0], 2 * SCORES, rtol=0.15, atol=0.1)


def test_the_calibrated_table_ascends_even_with_uneven_factors() -> None:
    factors = torch.rand(4, len(P), generator=torch.Generator().manual_seed(1)) * 3 + 0.1
    calibration = Calibration(P, factors, None, torch.ones(4), torch.eye(1))
    table = calibration(gaussian_table(2, 4))
    assert bool((table.diff(dim=-1) >= 0).all())
    assert table[..., MIDDLE].abs().max() == 0


def test_identity_changes_nothing() -> None:
    table = gaussian_table(3, 4) + 7
    torch.testing.assert_close(identity(P, 4, 1)(table), table)


@pytest.mark.parametrize(("windows", "share"), [(0, 1.0), (6, 0.75), (12, 0.5), (24, 0.0), (100, 0.0)])
def test_few_held_back_windows_keep_the_widths_of_naive_forecasts(windows: int, share: float) -> None:
    """Narrower widths come near them, the more windows are held back the less; wider ones stay."""
    naive = torch.tensor([[3.0], [0.5]])
    plain = identity(P, 2, 1)
    table = gaussian_table(1, 2)
    widths = replace(plain, windows=windows, naive=naive)(table)
    torch.testing.assert_close(widths[:, 0], table[:, 0] * (1 + 2 * share))
    torch.testing.assert_close(widths[:, 1], table[:, 1])


def test_the_spread_of_naive_forecasts_survives_the_file() -> None:
    kept = replace(identity(P, 2, 1), windows=3, naive=torch.tensor([[3.0], [0.5]]))
    read = Calibration.from_state(P, kept.to_state(), 3)
    assert torch.equal(read(gaussian_table(1, 2)), kept(gaussian_table(1, 2)))


def test_normal_scores_of_a_normal() -> None:
    values = torch.tensor([-1.5, 0.0, 0.7, 1.9, 50.0]).view(5, 1, 1)
    scores = normal_scores(gaussian_table(5, 1), values, P).flatten()
    torch.testing.assert_close(scores, torch.tensor([-1.5, 0.0, 0.7, 1.9, 3.0]), atol=1e-4, rtol=0)


def test_dependence_of_steps_and_targets_is_found() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(3000, 6, 2, generator=generator)
    series = torch.zeros(3000, 6, 2)
    series[:, 0] = noise[:, 0]
    for step in range(1, 6):  # correlation 0.7 by step
        series[:, step] = 0.7 * series[:, step - 1] + 0.51**0.5 * noise[:, step]
    series[..., 1] = -0.6 * series[..., 0] + 0.8 * series[..., 1]  # correlation -0.6 between the targets
    table = SCORES.expand(3000, 6, 2, len(P)).clone()
    calibration = calibrate(table, series, torch.ones_like(series, dtype=torch.bool), P)
    torch.testing.assert_close(calibration.steps[:4], 0.7 ** torch.arange(4.0), atol=0.05, rtol=0)
    assert float(calibration.targets[0, 1]) == pytest.approx(-0.57, abs=0.04)  # 0.95 of it is kept
    paths = calibration.paths(table[:1], 8000, torch.Generator().manual_seed(1))[0]
    joint = torch.corrcoef(torch.stack([paths[:, 0, 0], paths[:, 1, 0], paths[:, 0, 1]]))
    assert float(joint[0, 1]) == pytest.approx(0.7, abs=0.05)
    assert float(joint[0, 2]) == pytest.approx(-0.57, abs=0.05)


def test_paths_have_the_quantiles_of_the_table_at_each_step() -> None:
    skewed = torch.stack([SCORES.exp(), 5 + 2 * SCORES])[None, :, None]
    paths = identity(P, 2, 1).paths(skewed, 20_000, torch.Generator().manual_seed(3))
    assert paths.shape == (1, 20_000, 2, 1)
    for probability in (0.1, 0.5, 0.9):
        got = torch.quantile(paths[0, :, :, 0], probability, dim=0)
        torch.testing.assert_close(got, skewed[0, :, 0, P.index(probability)], rtol=0.05, atol=0.03)


def test_paths_come_from_their_generator_alone() -> None:
    state = torch.get_rng_state()
    draws = [identity(P, 3, 1).paths(gaussian_table(1, 3), 5, torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert torch.equal(torch.get_rng_state(), state)


def test_paths_carried_to_wider_quantiles_keep_their_order_and_their_dependence() -> None:
    generator = torch.Generator().manual_seed(0)
    paths = torch.randn(1, 4000, 6, 1, generator=generator).cumsum(2) + 3  # a random walk
    before = torch.quantile(paths, torch.tensor(P), dim=1).movedim(0, -1)
    centre = before[..., MIDDLE : MIDDLE + 1]
    after = centre + (before - centre) * torch.linspace(1.0, 3.0, 6)[:, None, None]
    carried = map_quantiles(paths, before, after)
    assert bool((carried.gather(1, paths.argsort(1)).diff(dim=1) >= -1e-6).all())  # each step and target: monotone
    torch.testing.assert_close(torch.quantile(carried, torch.tensor(P), dim=1).movedim(0, -1), after, atol=1e-3, rtol=0)
    expected = centre[:, None, ..., 0] + (paths - centre[:, None, ..., 0]) * torch.linspace(1.0, 3.0, 6)[:, None]
    torch.testing.assert_close(carried, expected, atol=1e-3, rtol=1e-3)  # beyond the ends too
    assert map_quantiles(paths, before, before) is paths


def test_a_value_that_several_quantiles_share_goes_to_the_middle_of_theirs() -> None:
    before = torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 2.0]).view(1, 1, 1, 7)
    after = torch.tensor([-3.0, -2.0, -1.0, 1.0, 1.0, 3.0, 4.0]).view(1, 1, 1, 7)
    values = torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0]).view(1, 5, 1, 1)
    assert map_quantiles(values, before, after).flatten().tolist() == [-2.0, 0.0, 1.0, 2.0, 3.5]
    flat = torch.full((1, 1, 1, 7), 4.0)
    assert map_quantiles(values + 2, flat, flat - 1).flatten().tolist() == [1.0, 1.5, 2.0, 2.5, 3.0]
