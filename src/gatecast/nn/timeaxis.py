"""The time axis of the layers beside ``LSTM``: where it lies, which of its steps count, and both ways of reading it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from gatecast.errors import SettingError


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
    long = _long(lengths, x)
    within = torch.arange(x.shape[0], device=x.device)[:, None] < long
    return within if steps is None else within & steps


def cleaned(x: Shaped[Tensor, "time batch *feature"], steps: Bool[Tensor, "time batch"] | None) -> Tensor:
    """``x`` with 0 in the steps that do not count: NaN in padding must not reach a weight's gradient as 0 · NaN."""
    return x if steps is None else torch.where(steps.reshape(*steps.shape, *[1] * (x.dim() - 2)), x, 0.0)


def keep_mask(like: Tensor, p: float) -> Tensor:
    """A mask for all steps of a call: 0 where an entry is dropped, and ``1 / (1 - p)`` where it is kept."""
    return torch.nn.functional.dropout(torch.ones_like(like), p)


def merged(ways: Sequence[Tensor], mode: str | None, axis: int) -> Tensor:
    """Outputs of all directions as one tensor; None concatenates, as the layer above a tuple of both reads it."""
    if len(ways) == 1:
        return ways[0]
    if mode in ("concat", None):
        return torch.cat(list(ways), axis)
    return {"sum": ways[0] + ways[1], "mul": ways[0] * ways[1], "ave": (ways[0] + ways[1]) / 2}[str(mode)]


def _checked(mask: Tensor, x: Tensor, *, batch_first: bool) -> Tensor:
    names, shape = ("(batch, time)", (x.shape[1], x.shape[0])) if batch_first else ("(time, batch)", tuple(x.shape[:2]))
    if mask.dtype != torch.bool or tuple(mask.shape) != shape:
        raise SettingError(
            f"mask must be a bool tensor {names} = {shape}, True where a step counts; got {mask.dtype} "
            f"{tuple(mask.shape)}{'; use mask.bool()' if mask.dtype != torch.bool else ''}"
        )
    return mask


def _long(lengths: Tensor | Sequence[int], x: Tensor) -> Tensor:
    long = torch.as_tensor(lengths)
    time, batch = x.shape[:2]
    if long.is_floating_point() or long.dtype == torch.bool or tuple(long.shape) != (batch,):
        raise SettingError(
            f"lengths must be whole numbers (batch,) = ({batch},), got {long.dtype} {tuple(long.shape)}; "
            "give the number of steps of each sequence"
        )
    known = (
        long.device.type == "cpu" and not torch.compiler.is_compiling()
    )  # elsewhere the look would wait for a device
    if known and bool(((long < 0) | (long > time)).any()):
        raise SettingError(f"lengths must lie in 0..{time}, the steps of x; got {long.tolist()}")
    return long.to(x.device)
