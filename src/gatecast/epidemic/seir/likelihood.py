"""Distribution of reported counts around the curve: the negative binomial, or normal errors of the logarithm.

The squared residuals sum to the deviance (twice the loss of log-likelihood), so that least squares on them is maximum
likelihood for a given dispersion.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

_TINY = 1e-9


class Likelihood(ABC):
    """A distribution of counts that can be fitted."""

    first: ClassVar[float]  # dispersion at the start of the search

    @abstractmethod
    def residuals(self, counts: np.ndarray, mean: np.ndarray, dispersion: float) -> np.ndarray:
        """Signed roots of the deviance; 0 where the count is missing."""

    @abstractmethod
    def dispersion(self, counts: np.ndarray, mean: np.ndarray, fitted: int) -> float:
        """Dispersion of counts around a curve with ``fitted`` parameters."""

    @abstractmethod
    def sample(self, mean: np.ndarray, dispersion: float, rng: np.random.Generator) -> np.ndarray:
        """Random counts with this mean."""


@dataclass(frozen=True)
class NegativeBinomial(Likelihood):
    """Counts with variance μ + α μ²; the dispersion is α, and α → 0 is the Poisson distribution."""

    first: ClassVar[float] = 0.1

    def residuals(self, counts: np.ndarray, mean: np.ndarray, dispersion: float) -> np.ndarray:
        seen = np.isfinite(counts)
        y, mu = np.where(seen, counts, 0.0), np.maximum(mean, _TINY)
        alpha = max(dispersion, _TINY)
        own = np.where(y > 0, y * np.log(np.maximum(y, _TINY) / mu), 0.0)
        deviance = 2 * (own - (y + 1 / alpha) * np.log((1 + alpha * y) / (1 + alpha * mu)))
        return np.where(seen, np.sign(y - mu) * np.sqrt(np.maximum(deviance, 0.0)), 0.0)

    def dispersion(self, counts: np.ndarray, mean: np.ndarray, fitted: int) -> float:
        """The α at which Pearson's χ² equals its expectation: the number of counts minus that of parameters."""
        seen = np.isfinite(counts) & (mean > _TINY)
        y, mu = counts[seen], mean[seen]
        wanted = max(len(y) - fitted, 1)
        low, high = 0.0, 10.0
        if ((y - mu) ** 2 / mu).sum() <= wanted:
            return 0.0
        for _ in range(60):
            alpha = (low + high) / 2
            low, high = (alpha, high) if ((y - mu) ** 2 / (mu + alpha * mu**2)).sum() > wanted else (low, alpha)
        return (low + high) / 2

    def sample(self, mean: np.ndarray, dispersion: float, rng: np.random.Generator) -> np.ndarray:
        mu = np.clip(mean, 0.0, 1e15)
        if dispersion > _TINY:
            mu = mu * rng.gamma(1 / dispersion, dispersion, mu.shape)
        return rng.poisson(np.minimum(mu, 1e15)).astype(np.float64)


@dataclass(frozen=True)
class LogNormal(Likelihood):
    """log(1 + y) is normal about log(1 + μ); the dispersion is its standard deviation."""

    first: ClassVar[float] = 1.0

    def residuals(self, counts: np.ndarray, mean: np.ndarray, dispersion: float) -> np.ndarray:
        error = (np.log1p(counts) - np.log1p(np.maximum(mean, 0.0))) / dispersion
        return np.where(np.isfinite(error), error, 0.0)

    def dispersion(self, counts: np.ndarray, mean: np.ndarray, fitted: int) -> float:
        seen = np.isfinite(counts)
        error = np.log1p(counts[seen]) - np.log1p(np.maximum(mean[seen], 0.0))
        return float(max(np.sqrt((error**2).sum() / max(len(error) - fitted, 1)), 1e-4))

    def sample(self, mean: np.ndarray, dispersion: float, rng: np.random.Generator) -> np.ndarray:
        noise = dispersion * rng.standard_normal(mean.shape)
        return np.maximum(np.rint(np.expm1(np.log1p(np.maximum(mean, 0.0)) + noise)), 0.0)


LIKELIHOODS: dict[str, Any] = {"negative_binomial": NegativeBinomial, "log": LogNormal}
