"""The kernels under ``torch.func``: vmap runs all its members in one call, gradients pass through every level.

Members that share their weights become rows of one larger batch. Members with separate weights become a group: every
tensor gets a first axis of members, expanded where they share it, and one call of the operator runs them all.

The two classes are the operators in the form that PyTorch's transforms need. The gradient is itself a differentiable
function, since transforms always build gradients of gradients; that second gradient runs the reference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._C import _functorch as inner

from gatecast.ops.lstm_cell import reference
from gatecast.ops.lstm_cell.operators import (
    BACKWARD,
    FORWARD,
    GRADS,
    INPUTS,
    OPERATORS,
    PLACES,
    TENSORS,
    even,
    kept,
    operands_of,
    options_of,
    ready,
    ready_gradients,
    wants,
)
from gatecast.ops.lstm_cell.spec import CellSpec, LSTMWeights

Operator = Callable[..., Any]
Given = Sequence[Any]  # tensors, None for those that are missing
_GRADS, _INPUTS, _TENSORS = len(GRADS), len(INPUTS), len(TENSORS)
_STEPS = PLACES["steps"]  # batch is the last axis of this mask, and the last but one of all other tensors
_WEIGHTS = tuple(PLACES[name] for name in LSTMWeights._fields)
active = torch._C._are_functorch_transforms_active  # whether a transform of torch.func is active


def supported() -> bool:
    """Whether only vmap and grad (also vjp, jacrev) are active."""
    return _levels() <= {inner.TransformType.Vmap, inner.TransformType.Grad}


def _levels() -> set[Any]:
    """Kinds of the active transforms."""
    return {level.key() for level in inner.get_interpreter_stack() or ()}


def in_vmap() -> bool:
    """Whether a vmap is active; while a graph is traced, whether any transform is."""
    if not active():
        return False
    return torch.compiler.is_compiling() or inner.TransformType.Vmap in _levels()


def plain(t: Tensor) -> Tensor:
    """The tensor inside the wrappers of the active transforms."""
    while inner.is_functorch_wrapped_tensor(t):
        t = inner.get_unwrapped(t)
    return t


def needs_gradient(t: Tensor | None) -> bool:
    """Whether a gradient is needed at any level; a tensor wrapped by vmap hides it."""
    if t is None:
        return False
    while active() and not torch.compiler.is_compiling() and inner.is_functorch_wrapped_tensor(t):
        if t.requires_grad:
            return True
        t = inner.get_unwrapped(t)
    return t.requires_grad


def lstm(tensors: Given, masks: Given, spec: CellSpec, cells: bool) -> tuple[Tensor, ...]:
    """y, h, c and the cells (empty without ``cells``) inside a transform."""
    wanted = torch.is_grad_enabled() or inner.TransformType.Grad in _levels()
    keep = kept(spec, tensors) if wanted and any(map(needs_gradient, tensors)) else int(cells)
    return Forward.apply(*tensors, *masks, spec, keep)[:4]


class Forward(torch.autograd.Function):
    """The forward operator of ``TENSORS``, the options and what to keep."""

    @staticmethod
    def forward(*arguments: Any) -> tuple[Tensor, ...]:
        *tensors, spec, keep = arguments
        return FORWARD(*_ready(tensors), *options_of(spec), keep)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        *tensors, ctx.spec, _ = inputs
        y, _, _, cells, gates, states, norms, moments = output
        ctx.save_for_backward(*tensors, states if states.numel() else y, cells, gates, norms, moments)
        ctx.mark_non_differentiable(gates, states, norms, moments)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        return gradient(grads[:_GRADS], ctx.saved_tensors, ctx.spec, ctx.needs_input_grad)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[Any, Any]:
        return _forward_of_members(Forward.apply, info.batch_size, in_dims, arguments)


def _forward_of_members(call: Operator, size: int, in_dims: Given, arguments: Given) -> tuple[Any, Any]:
    """Run all members as rows of one batch, or as a group."""
    if any(in_dims[place] is not None for place in _WEIGHTS):
        return _in_group(call, size, in_dims, arguments, 0, _TENSORS)
    rows = list(arguments)
    for place in range(_TENSORS):
        if place not in _WEIGHTS and rows[place] is not None:
            rows[place] = _merged(rows[place], in_dims[place], -1 if place == _STEPS else -2, size)
    found = call(*rows)
    return _apart(found, -2, size), tuple(None if _missing(t) else t.dim() - 2 for t in found)


def _operator_of_members(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[Any, Any]:
    """The vmap rule of the plain operator in a compiled graph."""

    def call(*given: Any) -> Any:
        return FORWARD(*_ready(given[:_TENSORS]), *given[_TENSORS:])

    return _forward_of_members(call, info.batch_size, in_dims, arguments)


torch.library.register_vmap("gatecast::lstm_forward", _operator_of_members, lib=OPERATORS)


def gradient(grads: Given, saved: Given, spec: CellSpec, needs: Given) -> tuple[Any, ...]:
    """Differentiable gradients of the arguments of :class:`Forward`."""
    found = Gradient.apply(*grads, *saved, spec, *wants(needs))
    return *(g if need else None for g, need in zip(found, needs, strict=False)), *[None] * (len(needs) - _INPUTS)


class Gradient(torch.autograd.Function):
    """The backward operator of the gradients of ``GRADS``, ``TENSORS`` and what forward kept."""

    @staticmethod
    def forward(*arguments: Any) -> tuple[Tensor, ...]:
        *tensors, spec, want_x, want_h0, want_c0 = arguments
        grads, given, found = _split(tensors)
        if _grouped(given):
            grads, found = [even(grads[0]), *map(_gapless, grads[1:])], [*map(_gapless, found)]
        else:
            grads = ready_gradients(grads)
        return BACKWARD(*grads, *_ready(given), *found, *options_of(spec), want_x, want_h0, want_c0)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        grads, given, _ = _split(inputs[:-4])
        ctx.save_for_backward(*grads, *given)
        ctx.spec = inputs[-4]
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *seconds: Tensor | None) -> tuple[Any, ...]:
        found = second_gradient(ctx.saved_tensors, seconds, ctx.spec)
        return *found, *[None] * (len(ctx.needs_input_grad) - len(found))

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *arguments: Any) -> tuple[Any, Any]:
        return _in_group(Gradient.apply, info.batch_size, in_dims, arguments, _GRADS, len(arguments) - 4)


def second_gradient(tensors: Given, seconds: Given, spec: CellSpec) -> tuple[Any, ...]:
    """Gradients of the arguments of :class:`Gradient`, except of what was kept, through the reference.

    Args:
        tensors: gradients of y, h, c and the cells, then forward's tensors.
        seconds: gradients of the gradients.
        spec: options of the cell.
    """
    floats = [place for place, t in enumerate(tensors[: _GRADS + _INPUTS]) if t is not None]
    masks = [place for place in range(_GRADS + _INPUTS, _GRADS + _TENSORS) if tensors[place] is not None]
    places = [
        place for place, second in enumerate(seconds) if second is not None and tensors[_GRADS + place] is not None
    ]

    def first(*given: Tensor) -> tuple[Tensor, ...]:
        by_place = dict(zip([*floats, *masks], given, strict=True))
        return _first_gradient([by_place.get(place) for place in range(len(tensors))], places, spec)

    call: Operator = torch.func.vmap(first) if _grouped(tensors[_GRADS:]) else first
    fixed = [tensors[place] for place in masks]
    pull = torch.func.vjp(lambda *given: call(*given, *fixed), *(tensors[place] for place in floats))[1]
    by_place = dict(zip(floats, pull(tuple(seconds[place] for place in places)), strict=True))
    return tuple(by_place.get(place) for place in range(len(tensors)))


def _first_gradient(tensors: Given, places: Sequence[int], spec: CellSpec) -> tuple[Tensor, ...]:
    """What :class:`Gradient` computes for the inputs at ``places``, through the reference."""
    grads, given = tensors[:_GRADS], list(tensors[_GRADS:])
    given_grads = [place for place, grad in enumerate(grads) if grad is not None]

    def run(*inputs: Tensor) -> tuple[Tensor, ...]:
        for place, t in zip(places, inputs, strict=True):
            given[place] = t
        x, weights, state, masks = operands_of(given)
        output = reference.lstm(x, weights, state, spec=spec, masks=masks, cells=True)
        return tuple(output[place] for place in given_grads)  # type: ignore[misc]

    pull = torch.func.vjp(run, *(given[place] for place in places))[1]
    return pull(tuple(grads[place] for place in given_grads))


# ── members as a group ───────────────────────────────────────────────────────────────────────────────────────────────
def _in_group(
    call: Operator, size: int, in_dims: Given, arguments: Given, x: int, tensors: int
) -> tuple[tuple[Tensor, ...], tuple[int | None, ...]]:
    """Call once for all members.

    Args:
        call: the operator.
        size: members.
        in_dims: axis of the members in each argument; None: shared.
        arguments: of the operator.
        x: place of x among them.
        tensors: how many of them are tensors, in front.
    """
    nested = arguments[x].dim() - (in_dims[x] is not None) > 3
    members = [_member_first(t, dim, size) for t, dim in zip(arguments[:tensors], in_dims, strict=False)]
    if nested:  # members of a group: all on one axis
        members = [t if t is None or _missing(t) else t.flatten(0, 1) for t in members]
    found = call(*members, *arguments[tensors:])
    return _apart(found, 0, size) if nested else tuple(found), tuple(None if _missing(t) else 0 for t in found)


def _member_first(t: Tensor | None, dim: int | None, size: int) -> Tensor | None:
    """Move the axis of members to the front, or expand a shared tensor."""
    if t is None or (dim is None and _missing(t)):
        return t
    return t.expand(size, *t.shape) if dim is None else t.movedim(dim, 0)


def _merged(t: Tensor, dim: int | None, axis: int, size: int) -> Tensor:
    """Merge the members into the batch, the axis ``axis`` counted from the end."""
    if dim is None:
        t = t.unsqueeze(axis - 1)
        t = t.expand(*t.shape[: axis - 1], size, *t.shape[axis:])
    else:
        t = t.movedim(dim, axis - 1)
    return t.flatten(axis - 1, axis)


def _apart(found: Sequence[Tensor], axis: int, size: int) -> tuple[Tensor, ...]:
    """Split the merged axis into members and their rows."""
    return tuple(t if _missing(t) else t.unflatten(axis, (size, t.shape[axis] // size)) for t in found)


def _missing(t: Tensor) -> bool:
    """Whether it is the empty tensor that an operator returns for an unwanted output."""
    return t.shape == (0,)


def _grouped(given: Given) -> bool:
    return given[0].dim() > 3


def _split(tensors: Given) -> tuple[list[Any], list[Any], list[Any]]:
    """Gradients, ``TENSORS``, and what forward kept."""
    end = _GRADS + _TENSORS
    return list(tensors[:_GRADS]), list(tensors[_GRADS:end]), list(tensors[end:])


def _ready(tensors: Given) -> list[Any]:
    """Tensors as the kernels read them."""
    if not _grouped(tensors):
        return ready(tensors[:_INPUTS], tensors[_INPUTS:])
    x, *others = tensors[:_INPUTS]
    steps, *factors = tensors[_INPUTS:]
    return [even(x), *map(_gapless, others), steps, *(even(t, expanded=True) for t in factors)]


def _gapless(t: Tensor | None) -> Tensor | None:
    """Make each member contiguous; a shared tensor stays shared."""
    if t is None or _missing(t) or t.shape[0] == 0:
        return t
    if t.stride(0) == 0:
        return t[0].contiguous().expand(t.shape)
    return t if t[0].is_contiguous() else t.contiguous()
