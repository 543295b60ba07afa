"""What the network reads: the latest fields as exceeded thresholds on its own pixels, with the motion of the rain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor
from torch.nn import functional as F

from gatecast.data.grid.grid import Grid
from gatecast.nowcast.smoothing import blocks

CONTEXT = 6  # fields
_LOG_SCALE, _LOG_SIZE = 5.0, 3.0  # log(1 + 5 R) / 3 is about 1 at 4 mm/h


@dataclass(frozen=True)
class Context:
    """The latest fields on the network's pixels.

    Args:
        exceeded: share of each pixel above each threshold.
        log_rain: mean of log(1 + 5 R) / 3.
        seen: share of each pixel that was observed.
        velocity: of the rain, pixels of the network a step, along x and y.
    """

    exceeded: Float[Tensor, "time thresholds y x"]
    log_rain: Float[Tensor, "time y x"]
    seen: Float[Tensor, "time y x"]
    velocity: Float[Tensor, "2 y x"]


def factor_of(grid: Grid, pixel_km: float) -> int:
    """Pixels of the grid along an edge of a pixel of the network."""
    return 1 if np.isnan(grid.pixel_km) else max(1, round(pixel_km / grid.pixel_km))


def context_of(
    values: Float32[np.ndarray, "time y x"],
    missing: Bool[np.ndarray, "time y x"],
    velocity: Float32[np.ndarray, "2 y x"],
    thresholds: Float[Tensor, " thresholds"],
    factor: int,
) -> Context:
    """The fields on pixels of ``factor`` × ``factor``; edges are padded with missing pixels to an even number of them.

    Args:
        values: mm/h, 0 where missing.
        missing: where they were not observed.
        velocity: pixels of the grid a step.
        thresholds: mm/h.
        factor: pixels of the grid along an edge of a pixel of the network.
    """
    rain, seen = padded(torch.from_numpy(values.copy()), factor), padded(torch.from_numpy(~missing).float(), factor)
    flow = F.pad(torch.from_numpy(velocity)[None], _padding(values.shape[1:], factor), mode="replicate")[0]
    known = blocks(seen, factor)
    return Context(
        torch.stack([exceeded_share(one, mask, thresholds, factor) for one, mask in zip(rain, seen, strict=True)]),
        blocks(torch.log1p(_LOG_SCALE * rain) * seen, factor) / known.clamp_min(1e-3) / _LOG_SIZE,
        known,
        blocks(flow, factor) / factor,
    )


def exceeded_share(
    rain: Float[Tensor, "y x"], seen: Float[Tensor, "y x"], thresholds: Float[Tensor, " thresholds"], factor: int
) -> Float[Tensor, "thresholds rows columns"]:
    """The share of each pixel of the network that lies at or above each threshold; 0 where nothing was observed."""
    above = (rain[None] >= thresholds[:, None, None]).float() * seen
    return blocks(above, factor) / blocks(seen[None], factor).clamp_min(1e-3)


def padded(fields: Float[Tensor, "fields y x"], factor: int) -> Float[Tensor, "fields rows columns"]:
    """Fields with zeros below and to the right, so that an even number of the network's pixels covers them."""
    return F.pad(fields, _padding(fields.shape[1:], factor))


def _padding(shape: tuple[int, ...] | torch.Size, factor: int) -> tuple[int, int, int, int]:
    height, width = shape
    return 0, -width % (2 * factor), 0, -height % (2 * factor)
