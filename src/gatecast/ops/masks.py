"""Masks of a recurrent layer: of time steps, of recurrent dropout and of zoneout."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor


class LSTMMasks(NamedTuple):
    """Masks of one layer, drawn or given once for a call. Axes may be expanded (stride 0).

    A masked step leaves the state unchanged. ``zone_h`` and ``zone_c`` hold the share of the *old* value that is kept:
    drawn zeros and ones in training, the probability itself otherwise (Krueger et al. 2017).
    """

    steps: Bool[Tensor, "time batch"] | None = None  # True where the step counts
    recurrent: Float[Tensor, "time batch output"] | None = None  # multiplies h before W_hh (Gal & Ghahramani 2016)
    zone_h: Float[Tensor, "time batch output"] | None = None
    zone_c: Float[Tensor, "time batch hidden"] | None = None


NO_MASKS = LSTMMasks()


def without_masked(
    x: Float[Tensor, "time batch *feature"], steps: Bool[Tensor, "time batch"] | None
) -> Float[Tensor, "time batch *feature"]:
    """``x`` with zeros at masked steps: NaN there, times a gradient of zero, would reach the weights' gradients."""
    return x if steps is None else torch.where(steps[(..., *[None] * (x.dim() - 2))], x, 0.0)
