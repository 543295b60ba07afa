"""Checks of what enters a recurrent layer, before any kernel sees it: each names what was expected and what came."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatecast.base.errors import SettingError
from gatecast.ops.lstm_cell.checks import is_number

Lengths = Tensor | np.ndarray | Sequence[int] | int  # a tensor, or what torch.tensor takes
Mask = Tensor | np.ndarray | Sequence[Any]


def check_sizes(least: int = 1, **sizes: int) -> None:
    """Widths and counts are whole numbers of at least 1, or another number."""
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < least:
            hint = "; convert it with int(...)" if isinstance(size, np.integer) and size >= least else ""
            raise SettingError(f"{name} must be a whole number of at least {least}, got {size!r}{hint}")


def check_tensor(**named: Any) -> None:
    """What is given is a tensor."""
    for name, given in named.items():
        if not isinstance(given, Tensor):
            raise SettingError(f"{name} must be a tensor, got {type(given).__name__}; use torch.as_tensor(...)")


def check_switches(**switches: bool) -> None:
    """What is on or off is a bool: any other value, such as ``"False"``, would count as on."""
    for name, value in switches.items():
        if not isinstance(value, bool):
            raise SettingError(f"{name} must be True or False, got {value!r}")


def check_dtype(dtype: torch.dtype | None) -> None:
    """Weights are floating-point numbers."""
    if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise SettingError(f"dtype must be a floating-point type such as torch.float32, got {dtype!r}")


def check_numbers(least: float = -math.inf, **numbers: float) -> None:
    """Finite numbers, or finite numbers of at least a bound."""
    for name, value in numbers.items():
        if not is_number(value) or not math.isfinite(value) or value < least:
            bound = "" if math.isinf(least) else f" of at least {least:g}"
            raise SettingError(f"{name} must be a finite number{bound}, got {value!r}")


def check_probability(**probabilities: float) -> None:
    """Every probability lies in [0, 1)."""
    for name, p in probabilities.items():
        if not is_number(p) or not 0 <= p < 1:
            raise SettingError(f"{name} is a probability in [0, 1), got {p!r}")


def one_of(choices: Sequence[Any], **named: Any) -> Any:
    """The value, which must be among the choices: ``one_of(MERGE_MODES, merge_mode="sum")``."""
    ((name, value),) = named.items()
    if value not in choices:
        raise SettingError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}")
    return value


def check_projection(proj_size: int, hidden_size: int) -> None:
    """A projection is narrower than the state."""
    check_sizes(0, proj_size=proj_size)
    if not proj_size < hidden_size:
        raise SettingError(f"proj_size must be in [0, hidden_size) = [0, {hidden_size}), got {proj_size}; 0 for none")


def checked_input(x: Tensor, size: int, weight: Tensor, *, dims: tuple[int, int], axes: str) -> Tensor:
    """An input whose axes, features, dtype and device fit.

    Args:
        x: the input.
        size: features that the layer reads.
        weight: any weight of the layer.
        dims: numbers of axes that go: unbatched and batched.
        axes: the words for the batched axes.
    """
    if not isinstance(x, Tensor):
        check_tensor(input=x)
    if x.dim() in dims and x.shape[-1] == size and x.dtype == weight.dtype and x.device == weight.device:
        return x
    if x.dim() not in dims:
        raise SettingError(
            f"input must be ({axes}), or the same without batch: {dims[1]} or {dims[0]} axes; got {x.dim()} axes, "
            f"shape {tuple(x.shape)}; one feature still needs its axis: x[..., None]"
        )
    if x.shape[-1] != size:
        raise SettingError(
            f"input must have input_size = {size} features on its last axis, got {x.shape[-1]} in shape "
            f"{tuple(x.shape)} ({axes})"
        )
    return same_kind("input", x, weight)


def same_kind(name: str, x: Tensor, weight: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """A tensor of the weights' device and of their dtype, or another one; a dtype that autocast chose is changed."""
    if x.device != weight.device:
        raise SettingError(
            f"{name} must be on the device of the weights, {weight.device}, got {x.device}; move one with .to(...)"
        )
    wanted = weight.dtype if dtype is None else dtype
    if x.dtype == wanted:
        return x
    if x.is_floating_point() and torch.is_autocast_enabled(x.device.type):
        return x.to(wanted)
    if wanted != weight.dtype:
        raise SettingError(
            f"{name} must be {wanted} beside weights of {weight.dtype}, got {x.dtype}; use .to({wanted})"
        )
    remedy = f"use x.to({weight.dtype})" + f" or layer.to({x.dtype})" * x.is_floating_point()
    raise SettingError(f"{name} must have the dtype of the weights, {weight.dtype}, got {x.dtype}; {remedy}")


def checked_state(hx: Any, names: Sequence[str]) -> tuple[Tensor, ...]:
    """A state of several tensors as a tuple of them."""
    if not isinstance(hx, tuple | list):
        expected = ", ".join(f"{name}0" for name in names)
        raise SettingError(f"the state must be a tensor or the tuple ({expected}), got {type(hx).__name__}")
    for name, part in zip(names, hx, strict=False):
        if not isinstance(part, Tensor):
            check_tensor(**{f"{name}0": part})
    return tuple(hx)


def wrong_number(state: Sequence[Tensor], names: Sequence[str]) -> SettingError:
    """A given state lacks a tensor, or has one too many."""
    expected = ", ".join(f"{name}0" for name in names)
    return SettingError(f"the state must be ({expected}): {len(names)} tensors; got {len(state)}")


def checked_part(
    name: str, part: Tensor, shape: tuple[int, ...], dtype: torch.dtype, weight: Tensor, axes: Sequence[str]
) -> Tensor:
    """A tensor of a given state whose shape, dtype and device fit.

    Args:
        name: of the tensor.
        part: the tensor.
        shape: ``(layers*directions, batch, width)``, the same without batch, or that of a cell.
        dtype: that it must have.
        weight: any weight of the layer.
        axes: words for the axes.
    """
    if part.shape != shape:
        raise SettingError(
            f"{name} must be ({', '.join(axes)}) = {shape}, got {tuple(part.shape)}{_missing_axis(name, part, shape)}"
        )
    return same_kind(name, part, weight, dtype)


def _missing_axis(name: str, part: Tensor, shape: tuple[int, ...]) -> str:
    """The remedy, where only an axis of length 1 is missing."""
    return f"; add the first axis with {name}[None]" if shape[0] == 1 and part.shape == shape[1:] else ""


def check_static(static: Tensor | None, size: int, batch: int, *, batched: bool, state_given: bool) -> None:
    """A static context is given exactly where the layer reads one and no state replaces it."""
    if static is None:
        if size and not state_given:
            raise SettingError(
                f"static must be (batch, static_size) = ({batch}, {size}), got none; "
                "give static=, or a state that was made with it"
            )
        return
    check_tensor(static=static)
    if not size:
        raise SettingError(
            f"static was given, but the layer has static_size=0; make it with static_size={static.shape[-1]}"
        )
    if state_given:
        raise SettingError("static makes the initial state, and a state was given as well; give one of the two")
    if tuple(static.shape) != ((batch, size) if batched else (size,)):
        expected = f"(batch, static_size) = ({batch}, {size})" if batched else f"(static_size,) = ({size},)"
        raise SettingError(f"static must be {expected}, got {tuple(static.shape)}")


def as_tensor(name: str, given: Any, expected: str) -> Tensor:
    """A tensor from what ``torch.tensor`` takes: an array, a list, a number."""
    if isinstance(given, Tensor):
        return given
    try:
        return torch.tensor(given)  # a copy: as_tensor warns of an array that is read-only
    except (TypeError, ValueError, RuntimeError):
        raise SettingError(f"{name} must be {expected}, got {given!r}") from None


def checked_lengths(lengths: Tensor, batch: int, time: int, device: torch.device) -> Tensor:
    """Lengths on the device, checked.

    Values are checked where that costs no waiting for an accelerator and no break of a compiled graph: for lengths on
    the CPU, outside ``torch.compile``. Unchecked lengths beyond the sequence count as the whole sequence.

    Raises:
        SettingError: their number, dtype or values do not fit.
    """
    if lengths.is_floating_point() or lengths.dtype is torch.bool or tuple(lengths.shape) != (batch,):
        raise SettingError(
            f"lengths must be whole numbers of shape (batch,) = ({batch},), got {lengths.dtype} of shape "
            f"{tuple(lengths.shape)}"
        )
    if batch and lengths.device.type == "cpu" and not torch.compiler.is_compiling():
        least, most = int(lengths.min()), int(lengths.max())
        if least < 0 or most > time:
            raise SettingError(
                f"lengths must be in [0, {time}], the steps of the input; got {least} to {most}; "
                "cut them with lengths.clamp(0, x.shape[time])"
            )
    return lengths.to(device)


def check_mask(mask: Tensor, batch: int, time: int) -> None:
    """A mask is boolean, batch before time."""
    if mask.dtype is not torch.bool:
        raise SettingError(
            f"mask must be boolean, True where a step counts, got {mask.dtype}; "
            "use mask.bool(), or mask.astype(bool) of an array"
        )
    if tuple(mask.shape) != (batch, time):
        turned = tuple(mask.shape) == (time, batch)
        raise SettingError(
            f"mask must be (batch, time) = ({batch}, {time}), got {tuple(mask.shape)}" + "; use mask.T" * turned
        )
