"""Sizes and choices of the layers over space, checked where the user gives them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from gatecast.base.errors import SettingError
from gatecast.nn.checks import check_tensor, one_of

AXES = {1: "width", 2: "height, width", 3: "depth, height, width"}

Sizes = int | Sequence[int]


def sizes(rank: int, least: int = 1, **named: Sizes) -> tuple[int, ...]:
    """One number for each axis of space, from one for all or one for each.

    Raises:
        SettingError: ``kernel_size must be 1 number or 2 (height, width), each 1 or more; got (3, 3, 3)``.
    """
    ((name, value),) = named.items()
    each = tuple(value) if isinstance(value, Sequence) else (value,) * rank
    if len(each) != rank or not all(isinstance(one, int) and one >= least for one in each):
        one_or_each = "1 number" if rank == 1 else f"1 number or {rank}"
        raise SettingError(f"{name} must be {one_or_each} ({AXES[rank]}), each {least} or more; got {value!r}")
    return each


def padding_of(padding: str | Sizes, rank: int) -> str | tuple[int, ...]:
    """``"same"``, or zeros on both sides of each axis; ``"valid"`` has none.

    Raises:
        SettingError: it is another word, or a negative number.
    """
    if isinstance(padding, str):
        return "same" if one_of(("same", "valid"), padding=padding) == "same" else (0,) * rank
    return sizes(rank, 0, padding=padding)


def space_of(space: Sizes | None, peephole: str, rank: int) -> tuple[int, ...]:
    """Size of the state for a peephole of each pixel; empty for the others.

    Raises:
        SettingError: the size is missing, or given where it would not be used.
    """
    if (space is not None) != (peephole == "pixel"):
        raise SettingError(
            f'space=({AXES[rank]}) of the state and peephole="pixel" need each other; '
            f"got space={space}, peephole={peephole!r}"
        )
    return () if space is None else sizes(rank, space=space)


def check_input(x: Tensor, rank: int, channels: int, *, axes: tuple[str, ...]) -> None:
    """The input has the axes of the layer and its channels.

    Args:
        x: the input.
        rank: axes of space.
        channels: that the layer reads.
        axes: words for the axes before them; that of the batch may be left out.

    Raises:
        SettingError: it has not.
    """
    check_tensor(input=x)
    most = rank + 1 + len(axes)
    least = most - ("batch" in axes)
    if least <= x.dim() <= most and x.shape[-1 - rank] == channels:
        return
    optional = ", or the same without batch," if least < most else ""
    raise SettingError(
        f"input must be ({', '.join(axes)}, channels, {AXES[rank]}){optional} with {channels} channels; "
        f"got {tuple(x.shape)}"
    )
