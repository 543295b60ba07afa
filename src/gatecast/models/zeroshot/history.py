"""What the network reads of a series' past: causal statistics and one token for every patch of 16 values.

Everything at a patch is computed from values up to its end. Values are measured from an exponentially weighted mean,
in units of the weighted mean absolute seasonal difference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gatecast.models.zeroshot.sizes import EXTREME, PATCH

HALF_LIFE = 10.0  # patches
FLOOR = 0.005  # of the standard deviation: the least unit


@dataclass(frozen=True, eq=False)
class Series:
    """A batch of series as the network takes them.

    Args:
        values: ``(batch, time)`` float32 around 0, of standard deviation near 1, holes filled; time in whole patches.
        observed: ``(batch, time)`` bool.
        start: ``(batch,)`` first value, within the first patch.
        season, second: ``(batch,)`` periods in steps; 0: none.
        offset: ``(batch, 1)`` what was subtracted from the values: zero lies at ``-offset``.
    """

    values: Tensor
    observed: Tensor
    start: Tensor
    season: Tensor
    second: Tensor
    offset: Tensor

    @property
    def patches(self) -> int:
        return self.values.shape[1] // PATCH

    @property
    def valid(self) -> Tensor:
        """``(batch, time)`` from the first value on."""
        return torch.arange(self.values.shape[1]) >= self.start[:, None]


@dataclass(frozen=True, eq=False)
class History:
    """Statistics at the end of every patch.

    Args:
        tokens: ``(batch, patches, 83)``.
        scalars: ``(batch, patches, 19)``, part of the tokens.
        location, unit: ``(batch, patches)`` in the scale of the values.
    """

    tokens: Tensor
    scalars: Tensor
    location: Tensor
    unit: Tensor


def squash(x: Tensor) -> Tensor:
    """``sign(x) log(1 + |x|)``."""
    return torch.copysign(torch.log1p(x.abs()), x)


def log(x: Tensor) -> Tensor:
    return torch.log(x.clamp(min=1e-6))


def decay(patches: int, rate: float, lag: int = 0) -> Tensor:
    """``(patches, patches)`` weights ``rate^(k - lag - q)`` of patch q at patch k; 0 for later ones."""
    age = torch.arange(patches)[:, None] - torch.arange(patches) - lag
    return torch.where(age >= 0, rate ** age.clamp(min=0).float(), torch.zeros(()))


def read_history(series: Series) -> History:
    """The tokens and statistics of a batch."""
    y, patches = series.values, series.patches
    batch = len(y)
    valid = series.valid
    weights = _weights(series, valid)
    kernel = decay(patches, 0.5 ** (1 / HALF_LIFE))
    count = (weights.sum(-1) @ kernel.T).clamp(min=1e-3)

    def average(x: Tensor) -> Tensor:
        return ((x.view(batch, patches, PATCH) * weights).sum(-1) @ kernel.T) / count

    location = average(y)
    scale = (average(y * y) - location * location).clamp(min=0).sqrt()
    step, first, second = _differences(series)
    tiny = 1e-5 * y.abs().amax(1, keepdim=True) + 1e-8
    sizes = [average(one.abs()) for one in (step, first, second)]
    unit = torch.maximum(torch.minimum(sizes[1], 3 * scale + tiny), FLOOR * scale + tiny)
    scalars = torch.cat(
        [
            torch.stack([log(unit / (scale + tiny)), log((sizes[0] + tiny) / unit), log((sizes[2] + tiny) / unit)], -1),
            torch.stack(_moves(location, unit), -1),
            _clock(series),
            _zero(series, valid, location, unit),
            _amounts(series, weights),
        ],
        -1,
    )
    patch = y.view(batch, patches, PATCH)
    parts = [
        squash((patch - location[..., None]) / unit[..., None]),
        series.observed.view(batch, patches, PATCH).float(),
        *(squash(one.view(batch, patches, PATCH) / unit[..., None]) for one in (first, second)),
    ]
    return History(torch.cat([*parts, scalars], -1).clamp(-12, 12), scalars, location, unit)


def _weights(series: Series, valid: Tensor) -> Tensor:
    """``(batch, patches, 16)`` weights of the values; filled ones count only where a patch has no others."""
    shape = (len(valid), series.patches, PATCH)
    seen = (valid & series.observed).float().view(shape)
    return torch.where(seen.sum(-1, keepdim=True) > 0, seen, 0.2 * valid.view(shape))


def _differences(series: Series) -> tuple[Tensor, Tensor, Tensor]:
    """``(batch, time)`` differences to the value before, and to those one season before (both seasons)."""
    y = series.values
    times = torch.arange(y.shape[1])[None]
    age = times - series.start[:, None]
    before = torch.where(age >= 1, y.gather(1, (times - 1).clamp(min=0).expand_as(y)), y)

    def earlier(period: Tensor) -> Tensor:
        there = (period[:, None] > 0) & (age >= period[:, None])
        index = torch.where(there, times - period[:, None], torch.zeros((), dtype=torch.long))
        return torch.where(there, y.gather(1, index), before)

    first = y - earlier(series.season)
    second = torch.where(series.second[:, None] > 0, y - earlier(series.second), first)
    return y - before, first, second


def _moves(location: Tensor, unit: Tensor) -> list[Tensor]:
    """How mean and unit have moved since the patch before."""
    old = torch.cat([location[:, :1], location[:, :-1]], 1)
    old_unit = torch.cat([unit[:, :1], unit[:, :-1]], 1)
    return [squash((location - old) / unit), log(unit / old_unit).clamp(-5, 5)]


def seen_until(series: Series) -> Tensor:
    """``(batch, patches)`` number of values up to the end of each patch."""
    return (torch.arange(series.patches) + 1) * PATCH - series.start[:, None]


def _clock(series: Series) -> Tensor:
    """``(batch, patches, 8)``: length of the seasons, whether each was seen once, and its phase."""
    ends = (torch.arange(series.patches) + 1) * PATCH
    have = seen_until(series).clamp(min=1)
    lengths, seen, phases = [], [], []
    for period in (series.season, series.second):
        there = ((period[:, None] > 0) & (have >= period[:, None])).float()
        angle = 2 * math.pi * ends / period[:, None].float().clamp(min=1)
        lengths.append((torch.log1p(period[:, None].float()) / 3).expand_as(there))
        seen.append(there)
        phases += [there * angle.sin(), there * angle.cos()]
    return torch.stack([*lengths, *seen, *phases], -1)


def _zero(series: Series, valid: Tensor, location: Tensor, unit: Tensor) -> Tensor:
    """``(batch, patches, 3)``: where zero lies, share of zeros, and whether no value was negative so far.

    The first two are 0 after a negative value: such a series is forecast alike whatever is added to it.
    """
    shape = (len(valid), series.patches, PATCH)
    raw = series.values + series.offset
    lowest = torch.cummin(torch.where(valid, raw, torch.full((), 1e9)), 1)[0].view(shape)[..., -1]
    positive = (lowest >= -1e-6).float()
    zeros = (raw.abs() < 1e-6).float().view(shape).mean(-1)
    place = squash(-(location + series.offset) / unit) / 3
    return torch.stack([positive * place.clamp(-EXTREME, EXTREME), positive * zeros, positive], -1)


def _amounts(series: Series, weights: Tensor) -> Tensor:
    """``(batch, patches, 3)``: number of values, number of seasons, share observed."""
    have = seen_until(series).clamp(min=1).float()
    seasons = (have / series.season[:, None].float().clamp(min=1)).clamp(max=8) / 4
    return torch.stack([have.log() / 5, seasons, weights.mean(-1)], -1)
