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
_STATE = "Tensor? h0, Tensor? c0, Tensor? peephole"
_MASKS = "Tensor? steps, Tensor? recurrent, Tensor? zone_h, Tensor? zone_c"
_CHOICES = "int[] choices, float cell_clip, float gradient_clip"
_OUTPUT = "(Tensor y, Tensor h, Tensor c, Tensor cells, Tensor gates, Tensor states)"
_GRADS = "(Tensor x, Tensor w_ih, Tensor w_hh, Tensor bias, Tensor h0, Tensor c0, Tensor peephole)"

_OPERATORS = torch.library.Library("gatecast", "DEF")
_OPERATORS.define(
    f"lstm_forward(Tensor x, Tensor w_ih, Tensor w_hh, Tensor? bias, {_STATE}, {_MASKS}, {_CHOICES}, int keep)"
    f" -> {_OUTPUT}"
)
_OPERATORS.define(
    "lstm_backward(Tensor? grad_y, Tensor? grad_h, Tensor? grad_c, Tensor? grad_cells, Tensor x, Tensor w_ih,"
    f" Tensor w_hh, {_STATE}, {_MASKS}, Tensor states, Tensor cells, Tensor gates, {_CHOICES},"
    f" bool want_x, bool want_h0, bool want_c0) -> {_GRADS}"
)
_OPERATORS.define(
    f"lstm_layers(Tensor x, Tensor[] weights, Tensor? h0, Tensor? c0, Tensor? steps, int directions, {_CHOICES})"
    " -> (Tensor y, Tensor h, Tensor c)"
)
_FORWARD, _BACKWARD = torch.ops.gatecast.lstm_forward.default, torch.ops.gatecast.lstm_backward.default
_LAYERS = torch.ops.gatecast.lstm_layers.default

CELLS, GRADIENT = 1, 2  # what the forward operator keeps besides y, h and c
PER_RUN = 5  # tensors of a run of the cell in `lstm_layers`: w_ih, w_hh, two biases, peephole; empty ones for none
_NONE = torch.empty(0)


@torch.library.register_fake("gatecast::lstm_forward", lib=_OPERATORS)
def _forward_shapes(
    x: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Any, h0: Any, c0: Any, peephole: Any, steps: Any, *rest: Any
) -> tuple[Tensor, ...]:
    *_, choices, _cell_clip, _gradient_clip, keep = rest
    (time, batch, _), hidden, lanes = x.shape, w_hh.shape[1], library().lanes
    sequence = (time, batch, hidden)
    gates = (time, (hidden + lanes - 1) // lanes, batch, 4 * lanes)
    states = keep == GRADIENT and steps is not None and choices[4]
    return (
        x.new_empty(sequence),
        x.new_empty(batch, hidden),
        x.new_empty(batch, hidden),
        x.new_empty(sequence if keep else 0),
        x.new_empty(gates if keep == GRADIENT else 0),
        x.new_empty(sequence if states else 0),
    )


@torch.library.register_fake("gatecast::lstm_backward", lib=_OPERATORS)
def _backward_shapes(*arguments: Any) -> tuple[Tensor, ...]:
    x, w_ih, w_hh, peephole = arguments[4], arguments[5], arguments[6], arguments[9]
    want_x, want_h0, want_c0 = arguments[-3:]
    state = (x.shape[1], w_hh.shape[1])
    return (
        x.new_empty(x.shape if want_x else 0),
        x.new_empty(w_ih.shape),
        x.new_empty(w_hh.shape),
        x.new_empty(w_ih.shape[0]),
        x.new_empty(state if want_h0 else 0),
        x.new_empty(state if want_c0 else 0),
        x.new_empty(peephole.shape if peephole is not None else 0),
    )


@torch.library.register_fake("gatecast::lstm_layers", lib=_OPERATORS)
def _layers_shapes(
    x: Tensor, weights: list[Tensor], h0: Any, c0: Any, steps: Any, directions: int, *rest: Any
) -> tuple[Tensor, ...]:
    (time, batch, _), hidden, runs = x.shape, weights[1].shape[1], len(weights) // PER_RUN
    state = (runs, batch, hidden)
    return x.new_empty(time, batch, directions * hidden), x.new_empty(state), x.new_empty(state)


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
    tensors = (x, weights.w_ih, weights.w_hh, weights.bias, h0, c0, weights.peephole)
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors):
        y, h, c, every = _LSTM.apply(*tensors, *masks, spec, cells)
    else:
        y, h, c, every, *_ = _FORWARD(*_ready(tensors, masks), *_choices(spec), int(cells))
    return LSTMOutput(y, h, c, every if cells else None)


def lstm_layers(
    x: Float[Tensor, "time batch input"],
    weights: Sequence[Sequence[Tensor | None]],
    state: Sequence[Tensor] | None,
    spec: CellSpec,
    steps: Tensor | None,
    directions: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Run checked layers in one call: :func:`gatecast.ops.layers.lstm_layers`."""
    h0, c0 = (None, None) if state is None else (state[0].contiguous(), state[1].contiguous())
    flat = [_NONE if t is None else t for run in weights for t in run]
    y, h, c = _LAYERS(_even(x), flat, h0, c0, steps, directions, *_choices(spec))
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
        ready = _ready(tuple(tensors[:7]), tuple(tensors[7:]))
        y, h, c, every, gates, states = _FORWARD(*ready, *_choices(spec), GRADIENT)
        ctx.spec, ctx.cells, ctx.extra_states = spec, cells, states.numel() > 0
        ctx.save_for_backward(*tensors, states if ctx.extra_states else y, every, gates)
        ctx.set_materialize_grads(False)
        return y, h, c, every

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        *tensors, states, every, gates = ctx.saved_tensors
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            return _reference_gradient(ctx, tensors, grads)
        x, w_ih, w_hh, _, *rest = _ready(tuple(tensors[:7]), tuple(tensors[7:]))
        needs = ctx.needs_input_grad
        found = _BACKWARD(
            *_ready_gradients(grads), x, w_ih, w_hh, *rest, states, every, gates,
            *_choices(ctx.spec), needs[0], needs[4], needs[5],
        )  # fmt: skip
        return *(g if need else None for g, need in zip(found, needs, strict=False)), None, None, None, None, None, None


def _ready_gradients(grads: tuple[Tensor | None, ...]) -> list[Tensor | None]:
    grad_y, *others = grads
    return [_even(grad_y), *(None if g is None else g.contiguous() for g in others)]


def _reference_gradient(ctx: Any, tensors: list[Any], grads: tuple[Tensor | None, ...]) -> tuple[Any, ...]:
    """The same gradient through the reference, so that it can be differentiated again."""
    x, w_ih, w_hh, bias, h0, c0, peephole, *masks = tensors
    state = None if h0 is None or c0 is None else (h0, c0)
    weights = LSTMWeights(w_ih, w_hh, bias, peephole)
    output = reference.lstm(x, weights, state, spec=ctx.spec, masks=LSTMMasks(*masks), cells=True)
    pairs = [(out, grad) for out, grad in zip(output, grads, strict=True) if out is not None and grad is not None]
    wanted = [k for k, need in enumerate(ctx.needs_input_grad[:7]) if need]
    found = torch.autograd.grad(
        [out for out, _ in pairs], [tensors[k] for k in wanted], [g for _, g in pairs], create_graph=True,
        allow_unused=True,
    )  # fmt: skip
    by_place = dict(zip(wanted, found, strict=True))
    return *(by_place.get(k) for k in range(7)), None, None, None, None, None, None
