"""Averages of fields over blocks and Gaussian neighbourhoods, in which missing pixels do not count."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

_REACH = 3  # standard deviations of a kernel
_COARSE = 4.0  # from this standard deviation on, blocks of half of it are averaged first
_LEAST = 1e-3  # weight below which a pixel has no known neighbour


def blocks(fields: Float[Tensor, "fields y x"], size: int) -> Float[Tensor, "fields rows columns"]:
    """Means over blocks of ``size`` × ``size`` pixels."""
    return fields if size == 1 else F.avg_pool2d(fields[:, None], size)[:, 0]


def smoothed(
    fields: Float[Tensor, "fields y x"], seen: Float[Tensor, "y x"], deviation: float
) -> Float[Tensor, "fields y x"]:
    """Gaussian means of the known pixels.

    Args:
        fields: 0 where missing.
        seen: weight of each pixel, 0 where missing.
        deviation: standard deviation of the kernel in pixels; 0 changes nothing.
    """
    if deviation == 0:
        return fields
    weighted, block = torch.cat([fields * seen, seen[None]]), 1
    if deviation >= _COARSE:
        block = int(deviation // 2)
        weighted = F.avg_pool2d(weighted[:, None], block, ceil_mode=True)[:, 0]
    total = _gaussian(weighted, deviation / block)
    mean = total[:-1] / total[-1:].clamp_min(_LEAST)
    return mean if block == 1 else _spread(mean, block, *fields.shape[-2:])


def _gaussian(fields: Float[Tensor, "fields y x"], deviation: float) -> Float[Tensor, "fields y x"]:
    reach = max(1, round(_REACH * deviation))
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / deviation) ** 2)
    kernel = (kernel / kernel.sum()).to(fields.dtype)
    columns = F.conv2d(fields[:, None], kernel.view(1, 1, -1, 1), padding=(reach, 0))
    return F.conv2d(columns, kernel.view(1, 1, 1, -1), padding=(0, reach))[:, 0]


def _spread(fields: Tensor, block: int, height: int, width: int) -> Tensor:
    """Blocks back to pixels, linearly."""
    finer = F.interpolate(fields[:, None], scale_factor=block, mode="bilinear", align_corners=False)
    return finer[:, 0, :height, :width]
