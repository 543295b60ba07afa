"""The LSTM operators of the CPU kernels: schema, shapes for tracing, and what they are called with.

They are ``torch.ops.gatecast.lstm_forward``, ``lstm_backward`` and ``lstm_layers``, implemented in ``csrc/bind.cpp``.
Forward and backward also take a group of members: then every tensor has a first axis for them, expanded (stride 0)
where they share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gatecast.ops.library import library
from gatecast.ops.lstm_cell.spec import CellSpec

ACTIVATIONS = ("tanh", "sigmoid", "relu", "hard_sigmoid", "softsign", "linear", "hard_tanh")  # order of csrc/lstm.h
_STATE = "Tensor? h0, Tensor? c0"
_WEIGHTS = "Tensor? peephole, Tensor? norm_x, Tensor? norm_h, Tensor? norm_c, Tensor? w_proj"
_MASKS = "Tensor? steps, Tensor? recurrent, Tensor? zone_h, Tensor? zone_c"
_CHOICES = "int[] choices, float cell_clip, float gradient_clip"
_OUTPUT = "Tensor y, Tensor h, Tensor c, Tensor cells, Tensor gates, Tensor states, Tensor norms, Tensor moments"
_GRADS = "Tensor x, Tensor w_ih, Tensor w_hh, Tensor bias, Tensor h0, Tensor c0"
_GRADS += ", Tensor peephole, Tensor norm_x, Tensor norm_h, Tensor norm_c, Tensor w_proj"

OPERATORS = torch.library.Library("gatecast", "DEF")
OPERATORS.define(
    f"lstm_forward(Tensor x, Tensor w_ih, Tensor w_hh, Tensor? bias, {_STATE}, {_WEIGHTS}, {_MASKS}, {_CHOICES},"
    f" int keep) -> ({_OUTPUT})"
)
OPERATORS.define(
    "lstm_backward(Tensor? grad_y, Tensor? grad_h, Tensor? grad_c, Tensor? grad_cells, Tensor x, Tensor w_ih,"
    f" Tensor w_hh, Tensor? bias, {_STATE}, {_WEIGHTS}, {_MASKS}, Tensor states, Tensor cells, Tensor gates,"
    f" Tensor norms, Tensor moments, {_CHOICES}, bool want_x, bool want_h0, bool want_c0) -> ({_GRADS})"
)
OPERATORS.define(
    f"lstm_layers(Tensor x, Tensor[] weights, Tensor? h0, Tensor? c0, Tensor? steps, int layers, int directions,"
    f" {_CHOICES})"
    " -> (Tensor y, Tensor h, Tensor c)"
)
FORWARD, BACKWARD = torch.ops.gatecast.lstm_forward.default, torch.ops.gatecast.lstm_backward.default
LAYERS = torch.ops.gatecast.lstm_layers.default
OPERATORS.impl("lstm_layers", torch.library.fallthrough_kernel, "AutogradCPU")  # it has no gradient

CELLS, GRADIENT, RECOMPUTE = 1, 2, 3  # what the forward operator keeps besides y, h and c
INPUTS = 6 + 5  # tensors that may have gradients: x, w_ih, w_hh, bias, h0, c0 and the other weights
MASKS = 4


@torch.library.register_fake("gatecast::lstm_forward", lib=OPERATORS)
def _forward_shapes(x: Tensor, w_ih: Tensor, w_hh: Tensor, *rest: Any) -> tuple[Tensor, ...]:
    norm_x, norm_h, norm_c, steps, choices, keep = (rest[k] for k in (4, 5, 6, 8, 12, -1))
    (*group, time, batch, _), output, lanes = x.shape, w_hh.shape[-1], library().lanes
    hidden = w_hh.shape[-2] // (3 if choices[2] else 4)
    blocks, all_kept = (hidden + lanes - 1) // lanes, keep >= GRADIENT
    normed = norm_x is not None or norm_h is not None

    def made(wanted: bool, *sizes: int) -> Tensor:
        return x.new_empty((*group, *sizes) if wanted else 0)

    return (
        made(True, time, batch, output),
        made(True, batch, output),
        made(True, batch, hidden),
        made(keep > 0, time, batch, hidden),
        made(keep == GRADIENT, time, blocks, batch, 4 * lanes),
        made(all_kept and steps is not None and bool(choices[4]), time, batch, output),
        made(all_kept and normed, 2 * time, blocks, batch, 4 * lanes),
        made(all_kept and (normed or norm_c is not None), time, batch, 4),
    )


@torch.library.register_fake("gatecast::lstm_backward", lib=OPERATORS)
def _backward_shapes(*arguments: Any) -> tuple[Tensor, ...]:
    x, w_ih, w_hh = arguments[4:7]
    rare, cells, (want_x, want_h0, want_c0) = arguments[10:15], arguments[20], arguments[-3:]
    (*group, _, batch, _), output, hidden = x.shape, w_hh.shape[-1], cells.shape[-1]
    return (
        x.new_empty(x.shape if want_x else 0),
        x.new_empty(w_ih.shape),
        x.new_empty(w_hh.shape),
        x.new_empty(w_ih.shape[:-1]),
        x.new_empty((*group, batch, output) if want_h0 else 0),
        x.new_empty((*group, batch, hidden) if want_c0 else 0),
        *(x.new_empty(0 if t is None else t.shape) for t in rare),
    )


@torch.library.register_fake("gatecast::lstm_layers", lib=OPERATORS)
def _layers_shapes(
    x: Tensor, weights: list[Tensor], h0: Any, c0: Any, steps: Any, layers: int, directions: int, *rest: Any
) -> tuple[Tensor, ...]:
    (*time, batch, _), (gates, output), runs = x.shape, weights[1].shape, layers * directions
    hidden = gates // (3 if rest[0][2] else 4)
    y, h, c = (*time, batch, directions * output), (runs, batch, output), (runs, batch, hidden)
    return x.new_empty(y), x.new_empty(h), x.new_empty(c)


def choices(spec: CellSpec) -> tuple[list[int], float, float]:
    """The options as the operators take them."""
    kinds = [ACTIVATIONS.index(spec.activation), ACTIVATIONS.index(spec.recurrent_activation)]
    return (
        [*kinds, spec.coupled, spec.reverse, spec.zero_output, spec.bfloat16_products is True],
        spec.cell_clip or 0.0,
        spec.gradient_clip or 0.0,
    )


def kept(spec: CellSpec, tensors: Sequence[Tensor | None]) -> int:
    """What the gradient needs: normalised gates are kept in any case."""
    norm_x, norm_h = tensors[7:9]
    return RECOMPUTE if spec.recompute and norm_x is None and norm_h is None else GRADIENT


def ready(tensors: Sequence[Tensor | None], masks: Sequence[Tensor | None]) -> list[Tensor | None]:
    """What the kernel reads without gaps is made so; strides of time and batch stay as they are."""
    x, *others = tensors
    steps, *factors = masks
    gapless = [t if t is None else t.contiguous() for t in others]
    return [even(x), *gapless, steps, *(even(t, expanded=True) for t in factors)]


def ready_gradients(grads: Sequence[Tensor | None]) -> list[Tensor | None]:
    """The same for the gradients of y, h, c and cells."""
    grad_y, *others = grads
    return [even(grad_y), *(None if g is None else g.contiguous() for g in others)]


def even(t: Tensor | None, expanded: bool = False) -> Tensor | None:
    """The last axis without gaps (or expanded)."""
    if t is None or t.stride(-1) == 1 or (expanded and t.stride(-1) == 0):
        return t
    return t.contiguous()
