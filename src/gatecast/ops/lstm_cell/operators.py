"""The LSTM operators of the CPU kernels: their arguments, schemas, and shapes for tracing.

They are ``torch.ops.gatecast.lstm_forward``, ``lstm_backward`` and ``lstm_layers``, implemented in ``csrc/bind.cpp``.
:class:`Call` is the one table of arguments: schemas, shape functions, callers and the export to ONNX read it.

Forward and backward also take a group of members: every tensor then has a first axis of members, expanded (stride 0)
where the members share it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, get_type_hints

import torch
from torch import Tensor

from gatecast.ops.library import library
from gatecast.ops.lstm_cell.spec import CellSpec, LSTMWeights
from gatecast.ops.masks import LSTMMasks

ACTIVATIONS = ("tanh", "sigmoid", "relu", "hard_sigmoid", "softsign", "linear", "hard_tanh")  # order of csrc/lstm.h
NOTHING, CELLS, GRADIENT, RECOMPUTE = range(4)  # values of `keep`: what is returned besides y, h and c


class Flags(NamedTuple):
    """Options of the cell as whole numbers; the activations are places in ``ACTIVATIONS``."""

    activation: int
    recurrent_activation: int
    coupled: int
    reverse: int
    zero_output: int
    bfloat16_products: int


class Call(NamedTuple):
    """Arguments of ``lstm_forward`` in order: tensors that may have gradients, masks, options, what is kept."""

    x: Tensor
    w_ih: Tensor
    w_hh: Tensor
    bias: Tensor | None
    h0: Tensor | None
    c0: Tensor | None
    peephole: Tensor | None
    norm_x: Tensor | None
    norm_h: Tensor | None
    norm_c: Tensor | None
    w_proj: Tensor | None
    steps: Tensor | None
    recurrent: Tensor | None
    zone_h: Tensor | None
    zone_c: Tensor | None
    flags: list[int]
    cell_clip: float  # 0: none
    gradient_clip: float
    keep: int

    @property
    def options(self) -> Flags:
        """The flags by name."""
        return Flags(*self.flags)


_TYPES: dict[Any, str] = {
    Tensor: "Tensor",
    Tensor | None: "Tensor?",
    list[int]: "int[]",
    float: "float",
    int: "int",
}
ARGUMENTS = {name: _TYPES[kind] for name, kind in get_type_hints(Call).items()}  # in PyTorch's schema language
MASKS = LSTMMasks._fields
INPUTS = tuple(name for name, kind in ARGUMENTS.items() if kind.startswith("Tensor") and name not in MASKS)
TENSORS = (*INPUTS, *MASKS)
PLACES = {name: place for place, name in enumerate(ARGUMENTS)}
LAYER_WEIGHTS = ("w_ih", "w_hh", "bias", "bias_hh", "peephole", "norm_x", "norm_h", "norm_c", "w_proj")
OUTPUTS = ("y", "h", "c", "cells", "gates", "states", "norms", "moments")
GRADS = OUTPUTS[:4]  # outputs that have gradients
KEPT = ("states", "cells", "gates", "norms", "moments")  # outputs of forward that backward reads
WANTED = ("x", "h0", "c0")  # inputs whose gradients cost extra and are computed on demand
_WANTED = tuple(map(PLACES.__getitem__, WANTED))
_NORM_X, _NORM_H = PLACES["norm_x"], PLACES["norm_h"]


def _these(names: Iterable[str]) -> dict[str, str]:
    return {name: ARGUMENTS[name] for name in names}


_OPTIONS = _these(("flags", "cell_clip", "gradient_clip"))
BACKWARD_ARGUMENTS = {
    **{f"grad_{name}": "Tensor?" for name in GRADS},
    **_these(TENSORS),
    **dict.fromkeys(KEPT, "Tensor"),
    **_OPTIONS,
    **{f"want_{name}": "bool" for name in WANTED},
}
LAYERS_ARGUMENTS = {
    "x": "Tensor",
    "weights": "Tensor[]",
    **_these(("h0", "c0", "steps")),
    "layers": "int",
    "directions": "int",
    **_OPTIONS,
}

OPERATORS = torch.library.Library("gatecast", "DEF")


def _define(name: str, arguments: Mapping[str, str], outputs: Iterable[str]) -> Any:
    """Declare an operator."""
    takes = ", ".join(f"{kind} {argument}" for argument, kind in arguments.items())
    OPERATORS.define(f"{name}({takes}) -> ({', '.join(f'Tensor {output}' for output in outputs)})")
    return getattr(torch.ops.gatecast, name).default


FORWARD = _define("lstm_forward", ARGUMENTS, OUTPUTS)
BACKWARD = _define("lstm_backward", BACKWARD_ARGUMENTS, INPUTS)
LAYERS = _define("lstm_layers", LAYERS_ARGUMENTS, OUTPUTS[:3])
OPERATORS.impl("lstm_layers", torch.library.fallthrough_kernel, "AutogradCPU")  # it has no gradient


@torch.library.register_fake("gatecast::lstm_forward", lib=OPERATORS)
def _forward_shapes(*arguments: Any) -> tuple[Tensor, ...]:
    call = Call(*arguments)
    options, keep, lanes = call.options, call.keep, library().lanes
    (*group, time, batch, _), output = call.x.shape, call.w_hh.shape[-1]
    hidden = call.w_hh.shape[-2] // (3 if options.coupled else 4)
    blocks, all_kept = (hidden + lanes - 1) // lanes, keep >= GRADIENT
    normed = call.norm_x is not None or call.norm_h is not None
    shapes = {
        "y": (time, batch, output),
        "h": (batch, output),
        "c": (batch, hidden),
        "cells": (time, batch, hidden) if keep else None,
        "gates": (time, blocks, batch, 4 * lanes) if keep == GRADIENT else None,
        "states": (time, batch, output) if all_kept and call.steps is not None and options.zero_output else None,
        "norms": (2 * time, blocks, batch, 4 * lanes) if all_kept and normed else None,
        "moments": (time, batch, 4) if all_kept and (normed or call.norm_c is not None) else None,
    }
    return tuple(call.x.new_empty(0 if (shape := shapes[name]) is None else (*group, *shape)) for name in OUTPUTS)


@torch.library.register_fake("gatecast::lstm_backward", lib=OPERATORS)
def _backward_shapes(*arguments: Any) -> tuple[Tensor, ...]:
    given = dict(zip(BACKWARD_ARGUMENTS, arguments, strict=True))
    x, w_ih, w_hh = given["x"], given["w_ih"], given["w_hh"]
    (*group, _, batch, _), output, hidden = x.shape, w_hh.shape[-1], given["cells"].shape[-1]
    shapes = {
        **{name: t.shape for name in INPUTS if (t := given[name]) is not None},
        "bias": w_ih.shape[:-1],  # computed in any case
        "h0": (*group, batch, output),
        "c0": (*group, batch, hidden),
    }
    for name in WANTED:
        if not given[f"want_{name}"]:
            del shapes[name]
    return tuple(x.new_empty(shapes.get(name, 0)) for name in INPUTS)


@torch.library.register_fake("gatecast::lstm_layers", lib=OPERATORS)
def _layers_shapes(*arguments: Any) -> tuple[Tensor, ...]:
    given = dict(zip(LAYERS_ARGUMENTS, arguments, strict=True))
    x, directions, w_hh = given["x"], given["directions"], given["weights"][LAYER_WEIGHTS.index("w_hh")]
    (*time, batch, _), (gates, output), runs = x.shape, w_hh.shape, given["layers"] * directions
    hidden = gates // (3 if Flags(*given["flags"]).coupled else 4)
    y, h, c = (*time, batch, directions * output), (runs, batch, output), (runs, batch, hidden)
    return x.new_empty(y), x.new_empty(h), x.new_empty(c)


def options_of(spec: CellSpec) -> tuple[list[int], float, float]:
    """``flags`` (in the order of :class:`Flags`; a list costs 1 µs less), ``cell_clip`` and ``gradient_clip``."""
    kinds = [ACTIVATIONS.index(spec.activation), ACTIVATIONS.index(spec.recurrent_activation)]
    flags = [*kinds, spec.coupled, spec.reverse, spec.zero_output, spec.bfloat16_products is True]
    return flags, spec.cell_clip or 0.0, spec.gradient_clip or 0.0


def tensors_of(x: Tensor, weights: LSTMWeights, state: Sequence[Tensor] | None) -> tuple[Tensor | None, ...]:
    """The tensors of a call in the order of ``INPUTS``."""
    w_ih, w_hh, bias, *others = weights
    h0, c0 = (None, None) if state is None else state
    return (x, w_ih, w_hh, bias, h0, c0, *others)


def operands_of(tensors: Sequence[Any]) -> tuple[Tensor, LSTMWeights, tuple[Tensor, Tensor] | None, LSTMMasks]:
    """Input, weights, state and masks of the reference, from tensors in the order of ``TENSORS``."""
    given = dict(zip(TENSORS, tensors, strict=True))
    weights = LSTMWeights(*(given[name] for name in LSTMWeights._fields))
    state = None if given["h0"] is None or given["c0"] is None else (given["h0"], given["c0"])
    return given["x"], weights, state, LSTMMasks(*(given[name] for name in MASKS))


def wants(needs: Sequence[bool]) -> list[bool]:
    """Which of ``WANTED`` are needed, from a flag for each of ``INPUTS``."""
    return [needs[place] for place in _WANTED]


def kept(spec: CellSpec, tensors: Sequence[Tensor | None]) -> int:
    """What to keep for the gradient; normalised gates are always kept."""
    normed = tensors[_NORM_X] is not None or tensors[_NORM_H] is not None
    return RECOMPUTE if spec.recompute and not normed else GRADIENT


def ready(tensors: Sequence[Tensor | None], masks: Sequence[Tensor | None]) -> list[Tensor | None]:
    """Make contiguous what the kernel reads without gaps; strides of time and batch stay as they are."""
    x, *others = tensors
    steps, *factors = masks
    gapless = [t if t is None else t.contiguous() for t in others]
    return [even(x), *gapless, steps, *(even(t, expanded=True) for t in factors)]


def ready_gradients(grads: Sequence[Tensor | None]) -> list[Tensor | None]:
    """:func:`ready` for the gradients of y, h, c and cells."""
    grad_y, *others = grads
    return [even(grad_y), *(None if g is None else g.contiguous() for g in others)]


def even(t: Tensor | None, expanded: bool = False) -> Tensor | None:
    """Make the last axis contiguous; with ``expanded`` it may have stride 0."""
    if t is None or t.stride(-1) == 1 or (expanded and t.stride(-1) == 0):
        return t
    return t.contiguous()
