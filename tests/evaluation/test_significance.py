"""Tests of equal accuracy against hand calculations, tabled values and their behaviour under the null."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gatecast.evaluation.significance import compare, diebold_mariano, holm, sign_flip, t_two_sided


@pytest.mark.parametrize(
    ("statistic", "freedom", "p_value"),
    [(12.706, 1, 0.05), (4.303, 2, 0.05), (3.182, 3, 0.05), (2.7764, 4, 0.05), (2.262, 9, 0.05), (2.750, 30, 0.01)],
)
def test_t_distribution_matches_the_printed_tables(statistic: float, freedom: int, p_value: float) -> None:
    assert t_two_sided(statistic, freedom) == pytest.approx(p_value, abs=2e-5)


def test_t_distribution_ends() -> None:
    assert t_two_sided(0.0, 7) == pytest.approx(1.0)
    assert t_two_sided(-2.776, 4) == pytest.approx(t_two_sided(2.776, 4))
    assert t_two_sided(math.inf, 4) == 0.0


def test_diebold_mariano_without_overlap_is_the_paired_t_test() -> None:
    # mean 2, sum of squares about it 10, so γ₀ = 2; DM = 2/√(2/5) = √10; correction √((5 + 1 - 2)/5) = √0.8
    result = diebold_mariano(np.array([0.0, 1.0, 2.0, 3.0, 4.0]))
    assert result.statistic == pytest.approx(math.sqrt(10 * 0.8))
    assert result.p_value == pytest.approx(0.04742, abs=1e-5)  # t with 4 degrees of freedom
    assert result.n == 5


def test_diebold_mariano_with_overlap_by_hand() -> None:
    # d = 1, 2, 4, 3, 5, 3: mean 3; centred -2 -1 1 0 2 0; γ₀ = 10/6, γ₁ = (2 - 1 + 0 + 0 + 0)/6 = 1/6
    # h = 2: variance 10/6 + 2/6 = 2; DM = 3/√(2/6); correction (6 + 1 - 4 + 2/6)/6 = 5/9
    result = diebold_mariano(np.array([1.0, 2, 4, 3, 5, 3]), overlap=1)
    assert result.statistic == pytest.approx(3 / math.sqrt(1 / 3) * math.sqrt(5 / 9))


def test_a_negative_long_run_variance_falls_back_to_bartlett_weights() -> None:
    difference = np.array([1.0, -1, 1, -1, 1, -1, 1, -1]) + 0.1
    result = diebold_mariano(difference, overlap=1)
    assert math.isfinite(result.statistic)
    # γ₀ = 1, γ₁ = -7/8: rectangular 1 - 14/8 < 0; Bartlett 1 - 7/8 = 1/8; correction (8 + 1 - 4 + 2/8)/8
    assert result.statistic == pytest.approx(0.1 / math.sqrt(1 / 8 / 8) * math.sqrt(5.25 / 8))


def test_identical_and_constantly_different_losses() -> None:
    assert diebold_mariano(np.zeros(6)).p_value == 1.0
    assert diebold_mariano(np.full(6, 0.3)).p_value == 0.0


@pytest.mark.parametrize(("origins", "overlap"), [(5, 0), (20, 0), (40, 2)])
def test_under_the_null_p_values_are_uniform(origins: int, overlap: int) -> None:
    rng = np.random.default_rng(3)
    noise = rng.standard_normal((3000, origins + overlap))
    moving = np.stack([noise[:, k : k + origins] for k in range(overlap + 1)]).sum(axis=0)
    p_values = np.array([diebold_mariano(row, overlap=overlap).p_value for row in moving])
    for level in (0.05, 0.1, 0.5):
        assert np.mean(p_values < level) == pytest.approx(level, abs=0.035)


def test_sign_flips_under_the_null_and_under_a_real_difference() -> None:
    rng = np.random.default_rng(4)
    p_values = np.array([sign_flip(rng.standard_normal(25), draws=499).p_value for _ in range(400)])
    assert np.mean(p_values < 0.1) == pytest.approx(0.1, abs=0.05)
    assert sign_flip(rng.standard_normal(50) + 1).p_value < 0.001
    assert sign_flip(rng.standard_normal(5000) + 0.2).p_value < 0.001


def test_sign_flips_of_equal_differences_are_counted_exactly() -> None:
    # all of 20 alike: only all plus or all minus is as extreme, 2/2²⁰; of 9,999 draws hardly one
    assert sign_flip(np.ones(20)).p_value == pytest.approx(1e-4)
    assert sign_flip(np.zeros(20)).p_value == 1.0


def test_normal_limit_agrees_with_the_permutation() -> None:
    difference = np.random.default_rng(5).standard_normal(1900) + 0.04
    few, many = sign_flip(difference), sign_flip(np.concatenate([difference, np.zeros(200)]))
    assert few.p_value == pytest.approx(many.p_value, abs=0.015)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    adjusted = holm([0.5, math.nan, 0.6])
    assert adjusted[0] == 1.0
    assert math.isnan(adjusted[1])


@pytest.mark.parametrize(
    ("series", "origins", "name"),
    [
        (1, 3, "none"),
        (1, 5, "Diebold–Mariano over origins"),
        (5, 3, "none"),
        (30, 3, "sign-flip permutation over series"),
        (30, 25, "Diebold–Mariano over origins"),
    ],
)
def test_which_test_is_taken(series: int, origins: int, name: str) -> None:
    rng = np.random.default_rng(6)
    result = compare(rng.random((series, origins)), rng.random((series, origins)))
    assert result.name == name
    assert math.isnan(result.p_value) == (name == "none")


def test_missing_losses_are_skipped() -> None:
    loss = np.arange(12.0).reshape(2, 6)
    other = loss + np.array([[1.0, 2, 1, 2, 1, 2]])
    other[1] = np.nan
    assert compare(loss, other).statistic == pytest.approx(compare(loss[:1], other[:1]).statistic)
