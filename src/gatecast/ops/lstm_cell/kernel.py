"""The LSTM on the CPU kernels: one layer with its gradient, or stacked layers without.

The gradient is an ``autograd.Function`` outside the operators: a call costs less than with a registered gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gatecast.ops.lstm_cell import transforms
from gatecast.ops.lstm_cell.operators import (
    BACKWARD,
    FORWARD,
    INPUTS,
    LAYERS,
    TENSORS,
    even,
    kept,
    options_of,
    ready,
    ready_gradients,
    tensors_of,
    wants,
)
from gatecast.ops.lstm_cell.spec import CellSpec, LSTMOutput, LSTMWeights
from gatecast.ops.masks import LSTMMasks

_INPUTS, _TENSORS = len(INPUTS), len(TENSORS)


def lstm(
    x: Float[Tensor, "time batch input"],
    weights: LSTMWeights,
    state: tuple[Tensor, Tensor] | None,
    spec: CellSpec,
    masks: LSTMMasks,
    cells: bool,
) -> LSTMOutput:
    """Run a checked call on the kernel that :func:`gatecast.ops.select.kernel_for` chose."""
    if x.dtype != torch.float32:
        start = None if state is None else (_wide(state[0]), _wide(state[1]))
        wide = LSTMMasks(masks.steps, *map(_wide, masks[1:]))
        output = lstm(_wide(x), LSTMWeights(*map(_wide, weights)), start, spec, wide, cells)
        return LSTMOutput(*(t if t is None else t.to(x.dtype) for t in output))  # type: ignore[arg-type]
    tensors = tensors_of(x, weights, state)
    if transforms.active() and not torch.compiler.is_compiling():
        y, h, c, every = transforms.lstm(tensors, masks, spec, cells)
    elif _differentiable(tensors):
        y, h, c, every = _LSTM.apply(*tensors, *masks, spec)
    else:
        y, h, c, every, *_ = FORWARD(*ready(tensors, masks), *options_of(spec), int(cells))
    return LSTMOutput(y, h, c, every if cells else None)


def _differentiable(tensors: Sequence[Tensor | None]) -> bool:
    """Whether gradients may be wanted: a trace is made once and holds with and without them."""
    wanted = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors)
    return wanted or torch.jit.is_tracing()


def lstm_layers(
    x: Float[Tensor, "*time batch input"],
    weights: list[Tensor],
    state: Sequence[Tensor] | None,
    spec: CellSpec,
    steps: Tensor | None,
    layers: int,
    directions: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Run checked layers in one call; see :func:`gatecast.ops.dispatch.lstm_layers`."""
    if x.dtype != torch.float32:
        start = None if state is None else [*map(_wide, state)]
        wide = [_wide(t) for t in weights]
        y, h, c = lstm_layers(_wide(x), wide, start, spec, steps, layers, directions)
        return y.to(x.dtype), h.to(x.dtype), c.to(x.dtype)
    h0, c0 = (None, None) if state is None else (state[0].contiguous(), state[1].contiguous())
    y, h, c = LAYERS(x if x.is_contiguous() else even(x), weights, h0, c0, steps, layers, directions, *options_of(spec))
    return y, h, c


def _wide(t: Tensor | None) -> Any:
    """Cast half precision to float32, which is exact; expanded axes stay expanded."""
    if t is None:
        return None
    once = t[tuple(slice(1) if stride == 0 else slice(None) for stride in t.stride())] if 0 in t.stride() else t
    return once.float().expand(t.shape)


class _LSTM(torch.autograd.Function):
    """The operator with its gradient; second gradients run the reference."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, ...]:
        *tensors, spec = arguments
        given = ready(tensors[:_INPUTS], tensors[_INPUTS:])
        y, h, c, every, gates, states, norms, moments = FORWARD(*given, *options_of(spec), kept(spec, tensors))
        ctx.spec = spec
        ctx.save_for_backward(*tensors, states if states.numel() else y, every, gates, norms, moments)
        ctx.set_materialize_grads(False)
        return y, h, c, every

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        saved, needs = ctx.saved_tensors, ctx.needs_input_grad
        if transforms.active() or (torch.is_grad_enabled() and not torch.compiler.is_compiling()):
            return transforms.gradient(grads, saved, ctx.spec, needs)
        given = ready(saved[:_INPUTS], saved[_INPUTS:_TENSORS])
        found = BACKWARD(*ready_gradients(grads), *given, *saved[_TENSORS:], *options_of(ctx.spec), *wants(needs))
        none = [None] * (len(needs) - _INPUTS)  # for masks and options
        return *(g if need else None for g, need in zip(found, needs, strict=False)), *none
