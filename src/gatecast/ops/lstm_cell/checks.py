"""Validation of a call of the LSTM operator, before any kernel runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.ops.lstm_cell.operators import LAYER_WEIGHTS
from gatecast.ops.lstm_cell.spec import CellSpec, LSTMWeights
from gatecast.ops.masks import NO_MASKS, LSTMMasks

State = tuple[Tensor, Tensor]


def check_lstm(x: Tensor, weights: LSTMWeights, state: State | None, spec: CellSpec, masks: LSTMMasks) -> None:
    """Validate sizes, dtypes and devices.

    Raises:
        SettingError: something does not fit: the argument, what was expected and what came.
    """
    _check_input(x)
    _check_kinds(weights, state)
    time, batch, features = x.shape
    if weights.w_hh.ndim != 2 or weights.w_hh.shape[0] % spec.gates:
        raise SettingError(
            Arg("w_hh") + f" must be ({spec.gates} * hidden, output), got {tuple(weights.w_hh.shape)}",
            "coupled gates have the rows of f, g, o" if spec.coupled else "its rows are those of the gates i, f, g, o",
        )
    gates, output = weights.w_hh.shape
    hidden = gates // spec.gates
    if hidden == 0:
        raise SettingError(Arg("w_hh") + " has no rows: hidden must be at least 1")
    if weights.w_proj is None and output != hidden:
        raise SettingError(
            Arg("w_hh")
            + f" must be ({spec.gates} * hidden, hidden) without a projection, got {tuple(weights.w_hh.shape)}"
        )
    _fits("w_ih", weights.w_ih, (gates, features), x)
    _fits("w_hh", weights.w_hh, (gates, output), x)
    _fits("bias", weights.bias, (gates,), x)
    _check_rare(weights, spec, gates, hidden, output, x)
    if state is not None:
        _fits("h", state[0], (batch, output), x)
        _fits("c", state[1], (batch, hidden), x)
    if masks is not NO_MASKS:
        _check_masks(masks, (time, batch), output, hidden, x)


def check_layers(x: Tensor, weights: Sequence[Tensor | None], spec: CellSpec, layers: int, directions: int) -> None:
    """Validate the weights of stacked layers, for an input and options that were checked.

    Args:
        x: input of the first layer.
        weights: of each layer and direction in turn, in the order of ``LAYER_WEIGHTS``.
        spec: options of the cell.
        layers: how many.
        directions: 1 or 2.

    Raises:
        SettingError: a weight does not fit; names it with its layer.
    """
    first = weights[LAYER_WEIGHTS.index("w_hh")]
    assert first is not None
    hidden, output = first.shape[0] // spec.gates, first.shape[-1]
    gates, width = spec.gates * hidden, x.shape[-1]
    rare = ((spec.gates - 1, hidden), (gates,), (gates,), (2, hidden), (output, hidden))
    each = len(weights) // (layers * directions)
    for run in range(layers * directions):
        given, layer = dict(zip(LAYER_WEIGHTS, weights[run * each : (run + 1) * each], strict=False)), run // directions
        width = directions * output if layer else width
        shapes = ((gates, width), (gates, output), (gates,), (gates,), *rare)
        for name, shape in zip(LAYER_WEIGHTS, shapes, strict=True):
            _fits(f"{name} of layer {layer}", given.get(name), shape, x)
        if given.get("w_proj") is None and output != hidden:
            _fits(f"w_hh of layer {layer}", given["w_hh"], (gates, hidden), x)


def _check_input(x: Any) -> None:
    if not isinstance(x, Tensor):
        raise SettingError(Arg("x") + f" must be a tensor (time, batch, input), got {type(x).__name__}")
    if x.ndim != 3:
        raise SettingError(
            Arg("x") + f" must be (time, batch, input), got {tuple(x.shape)}", "one sequence needs x[:, None]"
        )
    if not x.is_floating_point():
        raise SettingError(Arg("x") + f" must be of a floating-point type, got {x.dtype}", "convert it with x.float()")


def _check_kinds(weights: Any, state: Any) -> None:
    """Validate the types of weights and state."""
    if not isinstance(weights, LSTMWeights):
        raise SettingError(
            Arg("weights") + f" must be gatecast.ops.LSTMWeights(w_ih, w_hh, ...), got {type(weights).__name__}"
        )
    pair = isinstance(state, tuple) and len(state) == 2 and all(isinstance(part, Tensor) for part in state)
    if state is not None and not pair:
        raise SettingError(Arg("state") + " must be a tuple of two tensors, h and c, or None for zeros")


def _check_rare(weights: LSTMWeights, spec: CellSpec, gates: int, hidden: int, output: int, x: Tensor) -> None:
    """Validate the weights that most layers lack."""
    if weights[3:] == (None,) * 5:
        return
    _fits("peephole", weights.peephole, (spec.gates - 1, hidden), x)
    _fits("norm_x", weights.norm_x, (gates,), x)
    _fits("norm_h", weights.norm_h, (gates,), x)
    _fits("norm_c", weights.norm_c, (2, hidden), x)
    _fits("w_proj", weights.w_proj, (output, hidden), x)


def _check_masks(masks: LSTMMasks, steps: tuple[int, int], output: int, hidden: int, x: Tensor) -> None:
    if masks.steps is not None:
        if masks.steps.dtype != torch.bool:
            raise SettingError(
                Arg("masks.steps") + f" must be of dtype bool, True where a step counts, got {masks.steps.dtype}"
            )
        _fits("masks.steps", masks.steps, steps, x, dtype=False)
    _fits("masks.recurrent", masks.recurrent, (*steps, output), x)
    _fits("masks.zone_h", masks.zone_h, (*steps, output), x)
    _fits("masks.zone_c", masks.zone_c, (*steps, hidden), x)


def _fits(name: str, t: Tensor | None, shape: tuple[int, ...], x: Tensor, *, dtype: bool = True) -> None:
    if t is None:
        return
    if t.shape != shape:
        raise SettingError(
            Arg(name) + f" must be of shape {shape} for x of shape {tuple(x.shape)}, got {tuple(t.shape)}"
        )
    if dtype and t.dtype != x.dtype:
        raise SettingError(
            Arg(name) + f" must be of the dtype of x, {x.dtype}, got {t.dtype}", "convert one of the two"
        )
    if t.device != x.device:
        raise SettingError(
            Arg(name) + f" must be on the device of x, {x.device}, got {t.device}", "move it with .to(x.device)"
        )
