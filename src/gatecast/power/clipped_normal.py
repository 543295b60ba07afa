"""A normal distribution clipped to 0 and 1: power stands still at both ends, where the distribution has mass."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

LEVELS = (torch.arange(20) + 0.5) / 20  # of the loss


def quantile(mean: Tensor, spread: Tensor, probability: float) -> Tensor:
    """Quantile of ``min(max(X, 0), 1)`` for X normal."""
    z = torch.special.ndtri(torch.tensor(probability, dtype=torch.float64)).to(mean.dtype)
    return (mean + spread * z).clamp(0, 1)


def expected(mean: Tensor, spread: Tensor) -> Tensor:
    """Mean of the clipped variable: m (Φ(b) − Φ(a)) + s (φ(a) − φ(b)) + 1 − Φ(b), a = −m/s, b = (1 − m)/s."""
    low, high = -mean / spread, (1 - mean) / spread
    inside = torch.special.ndtr(high) - torch.special.ndtr(low)
    return mean * inside + spread * (_density(low) - _density(high)) + 1 - torch.special.ndtr(high)


def crps(mean: Tensor, spread: Tensor, observed: Tensor) -> Float[Tensor, " *shape"]:
    """CRPS as the mean of twice the pinball loss over 20 quantiles (Gneiting & Raftery 2007, equation 39)."""
    z = torch.special.ndtri(LEVELS.double()).to(mean)
    quantiles = (mean[..., None] + spread[..., None] * z).clamp(0, 1)
    error = observed[..., None] - quantiles
    levels = LEVELS.to(mean)
    return 2 * torch.maximum(levels * error, (levels - 1) * error).mean(-1)


def _density(z: Tensor) -> Tensor:
    return torch.exp(-0.5 * z * z) / (2 * torch.pi) ** 0.5
