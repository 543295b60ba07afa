"""Eight simple forecasts at every patch, and how well each of them did before: the network mixes them.

They are the seasonal naive forecast, the mean of four seasons with the present level, both again for the second season,
the last value, the weighted mean, the seasonal mean with a slope, and the seasonal mean with the level of 16 values or
more. The past error of a forecast counts once all its steps are known.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from gatecast.models.zeroshot.history import History, Series, decay, seen_until, squash
from gatecast.models.zeroshot.sizes import BASES, EXTREME, NEAR, PATCH, STEPS

FORGET = 0.94  # of the past errors, a patch


@dataclass(frozen=True, eq=False)
class Bases:
    """Simple forecasts in units, and what the head of the network is given with them.

    Args:
        forecasts: ``(batch, patches, 64, 8)`` in units from the location.
        spread: ``(batch, patches, 64)`` smallest past error of a base, in units: the scale of the residuals.
        hints: ``(batch, patches, hints)``.
    """

    forecasts: Tensor
    spread: Tensor
    hints: Tensor

    def at(self, positions: Tensor) -> Bases:
        """Those of some patches."""
        return Bases(self.forecasts[:, positions], self.spread[:, positions], self.hints[:, positions])


def _take(y: Tensor, index: Tensor) -> Tensor:
    """``(batch, patches, n)`` values at the indices."""
    return y.gather(1, index.flatten(1)).view(index.shape)


class _Levels:
    """Means over windows of any length."""

    def __init__(self, series: Series):
        self.sums = F.pad(torch.cumsum(series.values * series.valid, 1), (1, 0))

    def __call__(self, last: Tensor, count: Tensor) -> Tensor:
        """The mean of ``count`` values up to index ``last``."""
        low = (last + 1 - count[..., None]).clamp(min=0)
        return (_take(self.sums, last + 1) - _take(self.sums, low)) / count[..., None]


def simple_forecasts(series: Series, history: History) -> Bases:
    """The bases at every patch of a batch."""
    y, patches = series.values, series.patches
    batch = len(y)
    have = seen_until(series)
    level = _Levels(series)
    ahead = torch.arange(1, STEPS + 1)
    last = ((torch.arange(patches) + 1) * PATCH - 1)[None, :, None].expand(batch, patches, 1)
    known = (series.season[:, None] > 0) & (have >= series.season[:, None])
    m = torch.where(known, series.season[:, None], torch.ones((), dtype=torch.long))
    cycles = (ahead + m[..., None] - 1) // m[..., None]
    index = last + ahead - m[..., None] * cycles
    naive, flat, now = _take(y, index), _take(y, last), level(last, m)
    mean = _seasonal_mean(y, naive, index, last, m, have, level)
    two = ((series.second[:, None] > 0) & (have >= series.second[:, None]))[..., None]
    m2 = series.second[:, None].expand(batch, patches).clamp(min=1)
    index2 = torch.where(two, last + ahead - m2[..., None] * ((ahead + m2[..., None] - 1) // m2[..., None]), index)
    naive2 = _take(y, index2)
    mean2 = torch.where(two, naive2 + now - level((last - m2[..., None]).clamp(min=0), m), mean)
    window = m * ((PATCH + m - 1) // m)
    wide = level(last, torch.minimum(window, have.clamp(min=1)))
    twice = (have >= 2 * window)[..., None].float()
    slope = twice * (wide - level((last - window[..., None]).clamp(min=0), window)) / window[..., None]
    location, unit = history.location[..., None], history.unit[..., None]
    all_of = (naive, mean, naive2, mean2, flat, location, mean + slope * (m[..., None] * cycles), mean - now + wide)
    scaled = torch.stack([((one - location) / unit).expand(batch, patches, STEPS) for one in all_of], -1)
    forecasts = scaled.clamp(-EXTREME, EXTREME)
    shapes = [naive - location, mean - naive, naive2 - naive, mean2 - mean, flat - location, flat - now, wide - now]
    hints = [squash(one / unit) for one in (*shapes, slope * 16)]
    hints += [two.float(), (m[..., None] > 1).float(), history.scalars]
    errors, spread = _past_errors(series, history, forecasts)
    return Bases(forecasts, spread, torch.cat([*hints, *errors], -1).clamp(-8, 8))


def _seasonal_mean(
    y: Tensor, naive: Tensor, index: Tensor, last: Tensor, m: Tensor, have: Tensor, level: _Levels
) -> Tensor:
    """Mean of up to four seasons, each without its level, on the level of the latest."""
    now = level(last, m)
    total, count = naive - now, torch.ones(())
    for back in (1, 2, 3):
        weight = (have >= (back + 1) * m)[..., None].float() * 0.8**back
        shift = (back * m)[..., None]
        season = _take(y, (index - shift).clamp(min=0)) - level((last - shift).clamp(min=0), m)
        total, count = total + weight * season, count + weight
    return total / count + now


def _past_errors(series: Series, history: History, forecasts: Tensor) -> tuple[list[Tensor], Tensor]:
    """What the head is given of the past errors, and ``(batch, patches, 64)`` the smallest mean absolute error."""
    unit = history.unit[..., None]
    future = F.pad(series.values, (0, STEPS)).unfold(1, STEPS, PATCH)[:, 1:]
    known = F.pad(series.valid & series.observed, (0, STEPS)).unfold(1, STEPS, PATCH)[:, 1:]
    known = known & (seen_until(series) >= PATCH)[..., None]
    truth = ((future - history.location[..., None]) / unit).clamp(-EXTREME, EXTREME)
    error = (truth[..., None] - forecasts) * known[..., None]
    given, spreads = [], []
    has = torch.zeros(())
    for low, high, lag in ((0, NEAR, NEAR // PATCH), (NEAR, STEPS, STEPS // PATCH)):
        kernel = decay(series.patches, FORGET, lag)
        count = (known[..., low:high].float().sum(-1) @ kernel.T)[..., None]
        part = error[:, :, low:high]
        sums = torch.cat([part.abs().sum(2), part.sum(2)], -1) * unit
        averages = torch.einsum("pq,bqc->bpc", kernel, sums) / (count.clamp(min=1e-3) * unit)
        has = (count > 4).float()
        size, bias = averages[..., :BASES], averages[..., BASES:]
        given += [has * torch.log(size.clamp(min=0.03)), has * squash(bias), has]
        best = size.amin(-1, keepdim=True).clamp(0.15, 40)
        spreads.append(torch.where(has > 0, best, torch.ones(())))
    far = torch.where(has > 0, spreads[1], torch.maximum(spreads[0], torch.ones(())))
    shape = (*known.shape[:2], -1)
    return given, torch.cat([spreads[0].expand(*shape[:2], NEAR), far.expand(*shape[:2], STEPS - NEAR)], -1)
