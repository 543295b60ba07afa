"""The Tweedie distribution: its density sums to one, follows its draws, and is the sum that it stands for."""

from __future__ import annotations

import math

import pytest
import torch

from gatecast.nn.tweedie_distribution import TweedieDistribution

POWERS = [1.1, 1.5, 1.9]


def distribution(mean: float, dispersion: float, power: float, size: int = 1) -> TweedieDistribution:
    """The same for ``size`` cells."""
    numbers = torch.full((size,), mean, dtype=torch.float64), torch.full((size,), dispersion, dtype=torch.float64)
    return TweedieDistribution(*numbers, power)


@pytest.mark.parametrize("dispersion", [0.002, 0.05, 0.5, 3.0])
@pytest.mark.parametrize("power", POWERS)
def test_probabilities_mean_and_variance(power: float, dispersion: float) -> None:
    mean = 7.0
    grid = torch.logspace(-30, 3.2, 6_000, dtype=torch.float64)
    at = distribution(mean, dispersion, power, len(grid))
    density, zero = at.log_prob(grid).exp(), float(at.log_prob(torch.zeros_like(grid))[0].exp())
    assert zero + float(torch.trapezoid(density, grid)) == pytest.approx(1, abs=2e-3)
    assert float(torch.trapezoid(density * grid, grid)) == pytest.approx(mean, rel=1e-3)
    spread = float(torch.trapezoid(density * (grid - mean) ** 2, grid)) + zero * mean**2
    assert spread == pytest.approx(float(at.variance[0]), rel=1e-2)
    assert zero == pytest.approx(math.exp(-1 / (dispersion * (2 - power))), rel=1e-6)


@pytest.mark.parametrize(("power", "dispersion", "value"), [(1.5, 0.5, 3.0), (1.5, 0.001, 7.1), (1.9, 0.01, 20.0)])
def test_the_density_is_the_sum_over_the_number_of_amounts(power: float, dispersion: float, value: float) -> None:
    mean, shape = 7.0, (2 - power) / (power - 1)
    rate, scale = 1 / (dispersion * (2 - power)), dispersion * (power - 1) * mean
    n = torch.arange(1, 20_000, dtype=torch.float64)
    poisson = n * math.log(rate) - rate - (n + 1).lgamma()
    amounts = torch.distributions.Gamma(n * shape, torch.tensor(1 / scale, dtype=n.dtype)).log_prob(
        torch.tensor(value, dtype=n.dtype)
    )
    got = distribution(mean, dispersion, power).log_prob(torch.tensor([value], dtype=torch.float64))
    assert float(got) == pytest.approx(float((poisson + amounts).logsumexp(0)), abs=1e-6)


@pytest.mark.parametrize("power", [1.2, 1.5, 1.8])
def test_draws_are_its_own(power: float) -> None:
    torch.manual_seed(0)
    at = distribution(4.0, 0.8, power)
    draws = at.sample(torch.Size([100_000]))
    assert draws.shape == (100_000, 1)
    assert float(draws.mean()) == pytest.approx(4, rel=0.02)
    assert float(draws.var()) == pytest.approx(0.8 * 16, rel=0.05)
    zero = float(at.log_prob(torch.zeros(1).double()).exp())
    assert float((draws == 0).double().mean()) == pytest.approx(zero, abs=0.01)
    assert float(at.mean) == 4


def test_gradients_and_units() -> None:
    mean, dispersion = torch.tensor([0.5, 3.0]).double(), torch.tensor([0.4, 2.0]).double()
    value = torch.tensor([0.0, 2.0]).double()
    inputs = mean.requires_grad_(), dispersion.requires_grad_()
    assert torch.autograd.gradcheck(lambda m, d: TweedieDistribution(m, d, 1.6).log_prob(value), inputs)
    whole = TweedieDistribution(mean, dispersion, 1.6).log_prob(value).detach()
    cents = TweedieDistribution(100 * mean, dispersion, 1.6).log_prob(100 * value).detach()
    torch.testing.assert_close(cents, whole - torch.tensor([0.0, math.log(100)]).double())
    single = TweedieDistribution(mean.float(), dispersion.float(), 1.6).log_prob(value.float()).detach()
    torch.testing.assert_close(single, whole.float())
