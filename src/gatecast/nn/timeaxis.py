"""The time axis of the layers beside ``LSTM``: where it lies, and which of its steps count."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from gatecast.errors import SettingError
from gatecast.nn.sequences import within


def swapped(x: Tensor, *, batch_first: bool) -> Tensor:
    """``x`` with time and batch exchanged where the batch comes first; the same function leads back."""
    return x.transpose(0, 1) if batch_first else x


def steps_of(
    x: Shaped[Tensor, "time batch *feature"],
    lengths: Tensor | Sequence[int] | None,
    mask: Tensor | None,
    *,
    batch_first: bool,
) -> Bool[Tensor, "time batch"] | None:
    """True where a step counts; None where all do.

    Args:
        x: input, time first.
        lengths: steps of each sequence, in any order; the rest of it is padding.
        mask: True where a step counts, with the axes of the layer's input; together with ``lengths``, both must hold.
        batch_first: the mask is ``(batch, time)``, else ``(time, batch)``.

    Raises:
        SettingError: lengths or mask do not fit ``x``.
    """
    steps = None if mask is None else swapped(_checked(mask, x, batch_first=batch_first), batch_first=batch_first)
    if lengths is None:
        return steps
    known = within(lengths, x)
    return known if steps is None else known & steps


def _checked(mask: Tensor, x: Tensor, *, batch_first: bool) -> Tensor:
    names, shape = ("(batch, time)", (x.shape[1], x.shape[0])) if batch_first else ("(time, batch)", tuple(x.shape[:2]))
    if mask.dtype != torch.bool or tuple(mask.shape) != shape:
        raise SettingError(
            f"mask must be a bool tensor {names} = {shape}, True where a step counts; got {mask.dtype} "
            f"{tuple(mask.shape)}{'; use mask.bool()' if mask.dtype != torch.bool else ''}"
        )
    return mask
