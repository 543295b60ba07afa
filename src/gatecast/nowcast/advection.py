"""Semi-Lagrangian advection: where the rain of a pixel ahead is now, and fields moved there. Differentiable.

The velocity stays constant along time. The displacement D of l steps follows backwards the path that ends in pixel p:

    D_0 = 0,   D_l = D_{l-1} + v(p - D_{l-1} - v/2)        (midpoint rule, two iterations)

and the moved field at p is the field at p - D_l, interpolated linearly (Germann & Zawadzki 2002, Mon. Wea. Rev.
130:2859).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

_ITERATIONS = 2


def pixels(height: int, width: int) -> Float[Tensor, "2 y x"]:
    """The position of each pixel: x, then y."""
    y, x = torch.meshgrid(torch.arange(height).float(), torch.arange(width).float(), indexing="ij")
    return torch.stack([x, y])


def displacements(velocity: Float[Tensor, "2 y x"], steps: int) -> Float[Tensor, "steps 2 y x"]:
    """How far the rain of each pixel has come, in pixels, after 1 … ``steps`` steps.

    Args:
        velocity: along x and along y, pixels a step.
        steps: how many.
    """
    here, total, found = pixels(*velocity.shape[1:]), torch.zeros_like(velocity), []
    for _ in range(steps):
        middle = velocity
        for _ in range(_ITERATIONS):
            middle = sample(velocity, here - total - middle / 2, border=True)
        total = total + middle
        found.append(total)
    return torch.stack(found)


def sample(
    fields: Float[Tensor, "channels y x"], places: Float[Tensor, 2 * points], *, border: bool = False
) -> Float[Tensor, channels * points]:
    """The fields at places between pixels, interpolated linearly.

    Args:
        fields: to read.
        places: x and y in pixels; the first pixel is 0.
        border: outside, the nearest pixel instead of 0.
    """
    height, width = fields.shape[-2:]
    scaled = torch.stack([(places[0] + 0.5) * 2 / width - 1, (places[1] + 0.5) * 2 / height - 1], -1)
    found = F.grid_sample(
        fields[None],
        scaled.reshape(1, 1, -1, 2),
        mode="bilinear",
        padding_mode="border" if border else "zeros",
        align_corners=False,
    )
    return found[0, :, 0].reshape(-1, *places.shape[1:])


def moved(
    field: Float[Tensor, "y x"], velocity: Float[Tensor, "2 y x"], steps: int
) -> tuple[Float[Tensor, "steps y x"], Float[Tensor, "steps y x"]]:
    """The field moved 1 … ``steps`` steps along the velocity, and the share of each pixel that comes from inside.

    Args:
        field: 0 where missing.
        velocity: pixels a step.
        steps: how many.
    """
    both = torch.stack([field, torch.ones_like(field)])
    paths = displacements(velocity, steps)
    found = torch.stack([sample(both, pixels(*field.shape) - path) for path in paths])
    return found[:, 0], found[:, 1]
