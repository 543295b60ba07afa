"""Dropout and zoneout, with masks drawn once for a sequence or once for a step."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gatecast.nn.draws import dropout, generator
from gatecast.nn.options import CellOptions
from gatecast.ops import LSTMMasks
from gatecast.ops.masks import NO_MASKS


def dropped(
    x: Float[Tensor, "time batch *feature"], p: float, *, training: bool, variational: bool
) -> Float[Tensor, "time batch *feature"]:
    """``x`` with entries set to 0 and the others scaled by ``1 / (1 - p)``.

    Args:
        x: output of a layer, or the input.
        p: probability of dropping an entry.
        training: False: nothing is dropped.
        variational: one mask for all steps (Gal & Ghahramani 2016); else one for each step.
    """
    if not training or p == 0:
        return x
    return x * keep_mask(x[:1], p) if variational else dropout(x, p)


def draw_masks(
    x: Float[Tensor, "time batch *feature"],
    steps: Bool[Tensor, "time batch"] | None,
    options: CellOptions,
    widths: tuple[int, ...],
    *,
    training: bool,
    space: tuple[int, ...] = (),
) -> LSTMMasks:
    """Masks of one layer and direction for one call.

    Args:
        x: input of the layer, for shape, dtype and device.
        steps: True where a step counts.
        options: ``recurrent_dropout`` and ``zoneout``.
        widths: of h, and of c where the cell has one.
        space: further sizes of the state.
        training: False: nothing is dropped and zoneout is its expectation (Krueger et al. 2017).
    """
    if not options.masked(training=training):
        return NO_MASKS if steps is None else LSTMMasks(steps)
    time, batch = x.shape[:2]
    recurrent = None
    if training and options.recurrent_dropout > 0:
        recurrent = keep_mask(x.new_ones(1, batch, widths[0], *space), options.recurrent_dropout)
        recurrent = recurrent.expand(time, *recurrent.shape[1:])
    shares = zip(options.zoneouts, widths, strict=False)
    zones = [_zone(x, p, (width, *space), training=training) for p, width in shares]
    return LSTMMasks(steps, recurrent, *zones)


def weights_dropped(weight: Tensor, p: float, *, training: bool) -> Tensor:
    """Drop entries of ``W_hh`` for a whole call (Wan et al. 2013; Merity, Keskar & Socher 2018)."""
    return dropout(weight, p, training)


def keep_mask(x: Tensor, p: float) -> Tensor:
    """A mask of the shape of ``x``: 0 where an entry is dropped, and ``1 / (1 - p)`` where it is kept."""
    return dropout(torch.ones_like(x), p)


def _zone(x: Tensor, p: float, shape: tuple[int, ...], *, training: bool) -> Tensor | None:
    """Share of the old value for every step and unit; None without zoneout."""
    if p == 0:
        return None
    share = x.new_full([1] * (2 + len(shape)), p).expand(x.shape[0], x.shape[1], *shape)
    return torch.bernoulli(share, generator=generator(x.device)) if training else share
