"""Validation of a layer's arguments and inputs, before any kernel runs: what was expected, what came, the remedy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.options import Bounds, check_value

Lengths = Tensor | np.ndarray | Sequence[int] | int  # a tensor, or what torch.tensor takes
Mask = Tensor | np.ndarray | Sequence[Any]


AT_LEAST_0, AT_LEAST_1, SHARE = Bounds(least=0), Bounds(least=1), Bounds(least=0, below=1)
RULES: Mapping[str, tuple[str, Bounds]] = {  # type and bounds of the arguments of layers and cells that are not options
    **dict.fromkeys(("input_size", "hidden_size", "hidden_channels", "num_layers"), ("int", AT_LEAST_1)),
    **dict.fromkeys(("blocks", "block_size"), ("int", AT_LEAST_1)),
    **dict.fromkeys(("proj_size", "in_channels"), ("int", AT_LEAST_0)),
    **dict.fromkeys(("bias", "batch_first", "bidirectional"), ("bool", Bounds())),
    "dropout": ("float", SHARE),
    "init_range": ("float", Bounds(least=0, below=math.inf)),
}


def check_arguments(given: Mapping[str, Any], rules: Mapping[str, tuple[str, Bounds]] = RULES) -> None:
    """Validate arguments by name; those without a rule are not checked."""
    for name, value in given.items():
        if name in rules:
            check_value(Arg(name), value, *rules[name])


def one_of(choices: Sequence[Any], **named: Any) -> Any:
    """The value, which must be among the choices: ``one_of(MERGE_MODES, merge_mode="sum")``."""
    ((name, value),) = named.items()
    check_value(Arg(name), value, "", Bounds(one_of=tuple(choices)))
    return value


def check_tensor(**named: Any) -> None:
    """Validate that the value is a tensor."""
    for name, given in named.items():
        if not isinstance(given, Tensor):
            raise SettingError(Arg(name) + f" must be a tensor, got {type(given).__name__}", "use torch.as_tensor(...)")


def check_dtype(dtype: torch.dtype | None) -> None:
    """Validate the dtype of weights."""
    if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise SettingError(Arg("dtype") + f" must be a floating-point type such as torch.float32, got {dtype!r}")


def checked_input(x: Tensor, size: int, weight: Tensor, *, dims: tuple[int, int], axes: str) -> Tensor:
    """Validate axes, features, dtype and device of an input.

    Args:
        x: the input.
        size: features that the layer reads.
        weight: any weight of the layer.
        dims: numbers of axes that are accepted: unbatched and batched.
        axes: names of the batched axes.
    """
    if not isinstance(x, Tensor):
        check_tensor(input=x)
    if x.dim() in dims and x.shape[-1] == size and x.dtype == weight.dtype and x.device == weight.device:
        return x
    if x.dim() not in dims:
        raise SettingError(
            Arg("input") + f" must be ({axes}), or the same without batch: {dims[1]} or {dims[0]} axes, got {x.dim()} "
            f"axes, shape {tuple(x.shape)}",
            "one feature still needs its axis: x[..., None]",
        )
    if x.shape[-1] != size:
        raise SettingError(
            Arg("input") + f" must have input_size = {size} features on its last axis, got {x.shape[-1]} in shape "
            f"{tuple(x.shape)} ({axes})"
        )
    return same_kind("input", x, weight)


def same_kind(name: str, x: Tensor, weight: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Validate device and dtype (None: that of the weights); under autocast the dtype is cast."""
    if x.device != weight.device:
        raise SettingError(
            Arg(name) + f" must be on the device of the weights, {weight.device}, got {x.device}",
            "move one with .to(...)",
        )
    wanted = weight.dtype if dtype is None else dtype
    if x.dtype == wanted:
        return x
    if x.is_floating_point() and x.device.type != "meta" and torch.is_autocast_enabled(x.device.type):
        return x.to(wanted)
    if wanted != weight.dtype:
        raise SettingError(
            Arg(name) + f" must be {wanted} with weights of {weight.dtype}, got {x.dtype}", f"use .to({wanted})"
        )
    remedy = f"use x.to({weight.dtype})" + f" or layer.to({x.dtype})" * x.is_floating_point()
    raise SettingError(Arg(name) + f" must have the dtype of the weights, {weight.dtype}, got {x.dtype}", remedy)


def checked_state(hx: Any, names: Sequence[str]) -> tuple[Tensor, ...]:
    """A given state of several tensors as a tuple."""
    if not isinstance(hx, tuple | list):
        expected = ", ".join(f"{name}0" for name in names)
        raise SettingError(f"the state must be a tensor or the tuple ({expected}), got {type(hx).__name__}")
    for name, part in zip(names, hx, strict=False):
        if not isinstance(part, Tensor):
            check_tensor(**{f"{name}0": part})
    return tuple(hx)


def wrong_number(state: Sequence[Tensor], names: Sequence[str]) -> SettingError:
    """The error for a state with too few or too many tensors."""
    expected = ", ".join(f"{name}0" for name in names)
    return SettingError(f"the state must be ({expected}): {len(names)} tensors, got {len(state)}")


def checked_part(
    name: str, part: Tensor, shape: tuple[int, ...], dtype: torch.dtype, weight: Tensor, axes: Sequence[str]
) -> Tensor:
    """Validate shape, dtype and device of a tensor of a given state.

    Args:
        name: of the tensor.
        part: the tensor.
        shape: ``(layers*directions, batch, width)``, the same without batch, or that of a cell.
        dtype: that it must have.
        weight: any weight of the layer.
        axes: names of the axes.
    """
    if part.shape != shape:
        lacks_first = shape[0] == 1 and part.shape == shape[1:]
        raise SettingError(
            Arg(name) + f" must be ({', '.join(axes)}) = {shape}, got {tuple(part.shape)}",
            f"add the first axis with {name}[None]" if lacks_first else "",
        )
    return same_kind(name, part, weight, dtype)


def check_static(static: Tensor | None, size: int, batch: int, *, batched: bool, state_given: bool) -> None:
    """Require a static context where the layer reads one, unless a state replaces it."""
    if static is None:
        if size and not state_given:
            raise SettingError(
                Arg("static") + f" must be (batch, static_size) = ({batch}, {size}), got None",
                "give " + Arg("static", ...) + ", or a state that was computed with it",
            )
        return
    check_tensor(static=static)
    if not size:
        raise SettingError(
            Arg("static") + " was given, but the layer has " + Arg("static_size", 0),
            "make it with " + Arg("static_size", static.shape[-1] if static.dim() else 1),
        )
    if state_given:
        raise SettingError(
            Arg("static") + " makes the initial state, and a state was given as well", "give one of them"
        )
    if tuple(static.shape) != ((batch, size) if batched else (size,)):
        expected = f"(batch, static_size) = ({batch}, {size})" if batched else f"(static_size,) = ({size},)"
        raise SettingError(Arg("static") + f" must be {expected}, got {tuple(static.shape)}")


def as_tensor(name: str, given: Any, expected: str) -> Tensor:
    """A tensor from an array, a list or a number."""
    if isinstance(given, Tensor):
        return given
    try:
        found = torch.tensor(given)  # a copy: as_tensor warns about read-only arrays
        return found if found.numel() or found.dim() != 1 else found.to(torch.int64)  # [] has no dtype of its own
    except (TypeError, ValueError, RuntimeError):
        raise SettingError(Arg(name) + f" must be {expected}, got {given!r}") from None


def checked_lengths(lengths: Tensor, batch: int, time: int, device: torch.device) -> Tensor:
    """Validate lengths and move them to the device.

    Values are checked where that neither waits for an accelerator nor breaks a compiled graph: on the CPU, outside
    ``torch.compile``. Unchecked lengths beyond the sequence count as the whole sequence.

    Raises:
        SettingError: their number, dtype or values do not fit.
    """
    if lengths.is_floating_point() or lengths.dtype is torch.bool or tuple(lengths.shape) != (batch,):
        raise SettingError(
            Arg("lengths") + f" must be whole numbers of shape (batch,) = ({batch},), got {lengths.dtype} of shape "
            f"{tuple(lengths.shape)}"
        )
    if batch and lengths.device.type == "cpu" and not torch.compiler.is_compiling():
        least, most = int(lengths.min()), int(lengths.max())
        if least < 0 or most > time:
            raise SettingError(
                Arg("lengths") + f" must be in [0, {time}], the steps of the input, got {least} to {most}",
                "clip them with lengths.clamp(0, x.shape[time])",
            )
    return lengths.to(device)


def check_mask(mask: Tensor, batch: int, time: int) -> None:
    """Validate that a mask is boolean, batch before time."""
    if mask.dtype is not torch.bool:
        raise SettingError(
            Arg("mask") + f" must be boolean, True where a step counts, got {mask.dtype}",
            "use mask.bool(), or mask.astype(bool) of an array",
        )
    if tuple(mask.shape) != (batch, time):
        turned = tuple(mask.shape) == (time, batch)
        raise SettingError(
            Arg("mask") + f" must be (batch, time) = ({batch}, {time}), got {tuple(mask.shape)}",
            "use mask.T" if turned else "",
        )
