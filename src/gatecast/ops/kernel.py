"""The LSTM operator of the CPU kernels: schema, shapes for tracing, and the gradient.

The operators are ``torch.ops.gatecast.lstm_forward`` and ``lstm_backward``, implemented in ``csrc/bind.cpp``. The
gradient is an ``autograd.Function`` outside of them: a cheaper call than a gradient registered with the operator.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gatecast.ops import reference
from gatecast.ops.library import library
from gatecast.ops.spec import CellSpec, LSTMMasks, LSTMOutput, LSTMWeights

ACTIVATIONS = ("tanh", "sigmoid", "relu", "hard_sigmoid", "softsign", "linear", "hard_tanh")  # order of csrc/lstm.h
_STATE = "Tensor? h0, Tensor? c0"
_WEIGHTS = "Tensor? peephole, Tensor? norm_x, Tensor? norm_h, Tensor? norm_c, Tensor? w_proj"
_MASKS = "Tensor? steps, Tensor? recurrent, Tensor? zone_h, Tensor? zone_c"
_CHOICES = "int[] choices, float cell_clip, float gradient_clip"
_OUTPUT = "Tensor y, Tensor h, Tensor c, Tensor cells, Tensor gates, Tensor states, Tensor norms, Tensor moments"
_GRADS = "Tensor x, Tensor w_ih, Tensor w_hh, Tensor bias, Tensor h0, Tensor c0"
_GRADS += ", Tensor peephole, Tensor norm_x, Tensor norm_h, Tensor norm_c, Tensor w_proj"

_OPERATORS = torch.library.Library("gatecast", "DEF")
_OPERATORS.define(
    f"lstm_forward(Tensor x, Tensor w_ih, Tensor w_hh, Tensor? bias, {_STATE}, {_WEIGHTS}, {_MASKS}, {_CHOICES},"
    f" int keep) -> ({_OUTPUT})"
)
_OPERATORS.define(
    "lstm_backward(Tensor? grad_y, Tensor? grad_h, Tensor? grad_c, Tensor? grad_cells, Tensor x, Tensor w_ih,"
    f" Tensor w_hh, Tensor? bias, {_STATE}, {_WEIGHTS}, {_MASKS}, Tensor states, Tensor cells, Tensor gates,"
    f" Tensor norms, Tensor moments, {_CHOICES}, bool want_x, bool want_h0, bool want_c0) -> ({_GRADS})"
)
_OPERATORS.define(
    f"lstm_layers(Tensor x, Tensor[] weights, Tensor? h0, Tensor? c0, Tensor? steps, int layers, int directions,"
    f" {_CHOICES})"
    " -> (Tensor y, Tensor h, Tensor c)"
)
_OPERATORS.impl("lstm_layers", torch.library.fallthrough_kernel, "AutogradCPU")  # it has no gradient
_FORWARD, _BACKWARD = torch.ops.gatecast.lstm_forward.default, torch.ops.gatecast.lstm_backward.default
_LAYERS = torch.ops.gatecast.lstm_layers.default

CELLS, GRADIENT, RECOMPUTE = 1, 2, 3  # what the forward operator keeps besides y, h and c
INPUTS = 6 + 5  # tensors that may have gradients: x, w_ih, w_hh, bias, h0, c0 and the other weights


@torch.library.register_fake("gatecast::lstm_forward", lib=_OPERATORS)
def _forward_shapes(x: Tensor, w_ih: Tensor, w_hh: Tensor, *rest: Any) -> tuple[Tensor, ...]:
    norm_x, norm_h, norm_c, steps, choices, keep = (rest[k] for k in (4, 5, 6, 8, 12, -1))
    (time, batch, _), output, lanes = x.shape, w_hh.shape[1], library().lanes
    hidden = w_hh.shape[0] // (3 if choices[2] else 4)
    blocks, all_kept = (hidden + lanes - 1) // lanes, keep >= GRADIENT
    normed = norm_x is not None or norm_h is not None
    return (
        x.new_empty(time, batch, output),
        x.new_empty(batch, output),
        x.new_empty(batch, hidden),
        x.new_empty((time, batch, hidden) if keep else 0),
        x.new_empty((time, blocks, batch, 4 * lanes) if keep == GRADIENT else 0),
        x.new_empty((time, batch, output) if all_kept and steps is not None and choices[4] else 0),
        x.new_empty((2 * time, blocks, batch, 4 * lanes) if all_kept and normed else 0),
        x.new_empty((time, batch, 4) if all_kept and (normed or norm_c is not None) else 0),
    )


@torch.library.register_fake("gatecast::lstm_backward", lib=_OPERATORS)
def _backward_shapes(*arguments: Any) -> tuple[Tensor, ...]:
    x, w_ih, w_hh = arguments[4:7]
    rare, cells, (want_x, want_h0, want_c0) = arguments[10:15], arguments[20], arguments[-3:]
    return (
        x.new_empty(x.shape if want_x else 0),
        x.new_empty(w_ih.shape),
        x.new_empty(w_hh.shape),
        x.new_empty(w_ih.shape[0]),
        x.new_empty((x.shape[1], w_hh.shape[1]) if want_h0 else 0),
        x.new_empty(cells.shape[1:] if want_c0 else 0),
        *(x.new_empty(0 if t is None else t.shape) for t in rare),
    )


@torch.library.register_fake("gatecast::lstm_layers", lib=_OPERATORS)
def _layers_shapes(
    x: Tensor, weights: list[Tensor], h0: Any, c0: Any, steps: Any, layers: int, directions: int, *rest: Any
) -> tuple[Tensor, ...]:
    (*time, batch, _), (gates, output), runs = x.shape, weights[1].shape, layers * directions
    hidden = gates // (3 if rest[0][2] else 4)
    y, h, c = (*time, batch, directions * output), (runs, batch, output), (runs, batch, hidden)
    return x.new_empty(y), x.new_empty(h), x.new_empty(c)


def lstm(
    x: Float[Tensor, "time batch input"],
    weights: LSTMWeights,
    state: tuple[Tensor, Tensor] | None,
    spec: CellSpec,
    masks: LSTMMasks,
    cells: bool,
) -> LSTMOutput:
    """Run the kernel; :func:`gatecast.ops.select.kernel_for` has said that it can."""
    h0, c0 = state if state is not None else (None, None)
    tensors = (x, *weights[:3], h0, c0, *weights[3:])
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors):
        y, h, c, every = _LSTM.apply(*tensors, *masks, spec, cells)
    else:
        y, h, c, every, *_ = _FORWARD(*_ready(tensors, masks), *_choices(spec), int(cells))
    return LSTMOutput(y, h, c, every if cells else None)


def lstm_layers(
    x: Float[Tensor, "*time batch input"],
    weights: list[Tensor],
    state: Sequence[Tensor] | None,
    spec: CellSpec,
    steps: Tensor | None,
    layers: int,
    directions: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Run checked layers in one call: :func:`gatecast.ops.layers.lstm_layers`."""
    h0, c0 = (None, None) if state is None else (state[0].contiguous(), state[1].contiguous())
    y, h, c = _LAYERS(x if x.is_contiguous() else _even(x), weights, h0, c0, steps, layers, directions, *_choices(spec))
    return y, h, c


def _choices(spec: CellSpec) -> tuple[list[int], float, float]:
    kinds = [ACTIVATIONS.index(spec.activation), ACTIVATIONS.index(spec.recurrent_activation)]
    return [*kinds, spec.coupled, spec.reverse, spec.zero_output], spec.cell_clip or 0.0, spec.gradient_clip or 0.0


def _ready(tensors: tuple[Tensor | None, ...], masks: tuple[Tensor | None, ...]) -> list[Tensor | None]:
    """What the kernel reads without gaps is made so; strides of time and batch stay as they are."""
    x, *others = tensors
    steps, *factors = masks
    ready = [others_t if others_t is None else others_t.contiguous() for others_t in others]
    return [_even(x), *ready, steps, *(_even(t, expanded=True) for t in factors)]


def _even(t: Tensor | None, expanded: bool = False) -> Tensor | None:
    """The last axis without gaps (or expanded)."""
    if t is None or t.stride(-1) == 1 or (expanded and t.stride(-1) == 0):
        return t
    return t.contiguous()


class _LSTM(torch.autograd.Function):
    """The operator with its gradient. A gradient of the gradient runs the reference."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, ...]:
        *tensors, spec, cells = arguments
        ready = _ready(tuple(tensors[:INPUTS]), tuple(tensors[INPUTS:]))
        y, h, c, every, gates, states, norms, moments = _FORWARD(*ready, *_choices(spec), _kept(spec, tensors))
        ctx.spec, ctx.cells = spec, cells
        ctx.save_for_backward(*tensors, states if states.numel() else y, every, gates, norms, moments)
        ctx.set_materialize_grads(False)
        return y, h, c, every

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        tensors, kept = ctx.saved_tensors[: INPUTS + 4], ctx.saved_tensors[INPUTS + 4 :]
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            return _reference_gradient(ctx, tensors, grads)
        ready = _ready(tensors[:INPUTS], tensors[INPUTS:])
        needs = ctx.needs_input_grad
        found = _BACKWARD(
            *_ready_gradients(grads), *ready, *kept,
            *_choices(ctx.spec), needs[0], needs[4], needs[5],
        )  # fmt: skip
        return *(g if need else None for g, need in zip(found, needs, strict=False)), *[None] * 6


def _kept(spec: CellSpec, tensors: list[Tensor | None]) -> int:
    """What the gradient needs: normalised gates are kept in any case."""
    norm_x, norm_h = tensors[7:9]
    return RECOMPUTE if spec.recompute and norm_x is None and norm_h is None else GRADIENT


def _ready_gradients(grads: tuple[Tensor | None, ...]) -> list[Tensor | None]:
    grad_y, *others = grads
    return [_even(grad_y), *(None if g is None else g.contiguous() for g in others)]


def _reference_gradient(ctx: Any, tensors: tuple[Any, ...], grads: tuple[Tensor | None, ...]) -> tuple[Any, ...]:
    """The same gradient through the reference, so that it can be differentiated again."""
    x, w_ih, w_hh, bias, h0, c0, *rest = tensors
    rare, masks = rest[:5], rest[5:]
    state = None if h0 is None or c0 is None else (h0, c0)
    weights = LSTMWeights(w_ih, w_hh, bias, *rare)
    output = reference.lstm(x, weights, state, spec=ctx.spec, masks=LSTMMasks(*masks), cells=True)
    pairs = [(out, grad) for out, grad in zip(output, grads, strict=True) if out is not None and grad is not None]
    wanted = [k for k, need in enumerate(ctx.needs_input_grad[:INPUTS]) if need]
    found = torch.autograd.grad(
        [out for out, _ in pairs], [tensors[k] for k in wanted], [g for _, g in pairs], create_graph=True,
        allow_unused=True,
    )  # fmt: skip
    by_place = dict(zip(wanted, found, strict=True))
    return *(by_place.get(k) for k in range(INPUTS)), *[None] * 6
