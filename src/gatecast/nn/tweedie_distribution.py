"""The Tweedie distribution between Poisson and gamma: exactly zero with some probability, else any positive amount."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Gamma

TERMS = 64  # of the series; 16 standard deviations of its terms are spread over them


class TweedieDistribution(Distribution):
    """A Poisson number of gamma amounts, added (Jørgensen 1987; Dunn & Smyth 2005).

    With power ``k`` the variance is in proportion to ``mean ** k``; here the squared coefficient of variation takes
    the place of that factor, since it has no unit: ``variance = dispersion * mean²``.

    Args:
        mean: greater than 0.
        dispersion: greater than 0.
        power: between 1 and 2.
    """

    def __init__(self, mean: Float[Tensor, "*cells"], dispersion: Float[Tensor, "*cells"], power: float) -> None:
        self.average, self.dispersion = mean, dispersion
        self.power, self.shape = power, (2 - power) / (power - 1)  # of each amount
        super().__init__(mean.shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.average

    @property
    def variance(self) -> Tensor:
        return self.dispersion * self.average**2

    @torch.no_grad()
    def sample(self, sample_shape: torch.Size | list[int] | tuple[int, ...] = ()) -> Tensor:
        """Random amounts by torch's global generator."""
        rate, scale = self._amounts(self.average, self.dispersion)
        count = torch.poisson(rate.expand(*sample_shape, *rate.shape))
        amount = Gamma((count * self.shape).clamp(min=1e-3), 1 / scale, validate_args=False).sample()
        return torch.where(count > 0, amount, 0.0)

    def log_prob(self, value: Float[Tensor, "*cells"]) -> Float[Tensor, "*cells"]:
        """Log of the probability at zero, and of the density elsewhere.

        Above zero the density is a sum over the number ``n`` of amounts. Its terms rise and fall like a normal density
        about ``rate (y / mean)^(2 - power)``, and are smooth in ``n``: where they spread over more than 64 numbers,
        only every k-th is computed.
        """
        y, mean = torch.where(value > 0, value, 1.0).double(), self.average.double()
        rate, scale = self._amounts(mean, self.dispersion.double())
        with torch.no_grad():  # float64: the terms are differences of large logarithms
            middle = rate * (y / mean) ** (2 - self.power)
            spread = (middle / (1 + self.shape)).sqrt()
            stride = (16 / TERMS * spread).clamp(min=1.0)
            first = (middle.round() - TERMS // 2 * stride).clamp(min=1.0)
            n = first[..., None] + stride[..., None] * torch.arange(TERMS, dtype=y.dtype, device=y.device)
            constant = stride.log()[..., None] - (n + 1).lgamma() - (n * self.shape).lgamma()
        one_more = rate.log() + self.shape * (y / scale).log()
        density = (constant + n * one_more[..., None]).logsumexp(-1) - rate - y / scale - y.log()
        return torch.where(value > 0, density, -rate).to(value.dtype)

    def _amounts(self, mean: Tensor, dispersion: Tensor) -> tuple[Tensor, Tensor]:
        """Mean number of amounts, and the scale of the gamma distribution of each."""
        return 1 / (dispersion * (2 - self.power)), dispersion * (self.power - 1) * mean
