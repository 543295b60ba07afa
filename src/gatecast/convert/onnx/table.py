"""The LSTM operator as an ONNX node, for ``torch.onnx.export`` of a whole model.

A traced model calls ``torch.ops.gatecast.lstm_forward`` for each layer and direction. Each call becomes one LSTM node;
the graph reorders the gates of its weights, which is constant-folded when the model is written or loaded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from gatecast.base.errors import SettingError, require
from gatecast.convert.gates import ONNX, ONNX_PEEPHOLES, PEEPHOLES, TORCH
from gatecast.convert.onnx.activations import check_symmetric, write_activation
from gatecast.ops.lstm_cell.operators import ACTIVATIONS, FORWARD, Call

Value = Any  # a tensor of the graph
LABEL = "gatecast's LSTM"
INT32, BOOL = 6, 9  # ONNX's type numbers


class Outputs(tuple[Value, ...]):
    """y, h and c; ONNX's operator lacks the other outputs."""

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int) and index >= len(self):
            raise refused("return_cells=True")
        return super().__getitem__(index)


def onnx_table() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Translation table for ``torch.onnx.export``: an LSTM becomes an ONNX node for each layer and direction.

    For a float32 model in evaluation mode. Masked steps must come last, as with lengths: a sequence whose mask has a
    gap, or that is read from its padding (``go_backwards``), gives NaN.

    Returns:
        The argument of ``torch.onnx.export(..., dynamo=True, custom_translation_table=onnx_table())``.

    Raises:
        MissingExtraError: onnxscript is not installed.

    Example:
        >>> from gatecast.convert import onnx_table
        >>> torch.onnx.export(model, (x,), "model.onnx", dynamo=True,
        ...                   custom_translation_table=onnx_table())  # doctest: +SKIP
    """
    op = require("onnxscript", extra="onnx", purpose="torch.onnx.export").opset18

    def lstm_forward(*arguments: Any) -> Outputs:
        return translated(Call(*arguments), op)

    return {FORWARD: lstm_forward}


def translated(call: Call, op: Any) -> Outputs:
    """The nodes of one layer and direction.

    Raises:
        SettingError: an option that ONNX's operator lacks.
    """
    check(call)
    lengths = None if call.steps is None else steps_of(call.steps, op)
    y, h, c = op.LSTM(*inputs(call, lengths, op), hidden_size=hidden_of(call), **attributes(call))
    first = op.Constant(value_ints=[0])
    found = op.Squeeze(y, op.Constant(value_ints=[1])), op.Squeeze(h, first), op.Squeeze(c, first)
    return Outputs(found if lengths is None else masked(found, call, lengths, op))


def masked(found: tuple[Value, Value, Value], call: Call, lengths: Value, op: Any) -> Iterator[Value]:
    """y, h and c with a mask."""
    second = op.Constant(value_ints=[1])
    right, nan = op.Unsqueeze(has_no_gap(call.steps, lengths, op), second), op.Constant(value_float=math.nan)
    some = op.Unsqueeze(op.Cast(lengths, to=BOOL), second)
    for part, start in zip(found, (None, call.h0, call.c0), strict=True):
        # for a sequence without steps, onnxruntime gives 0 as the state
        part = part if start is None else op.Where(some, part, start)
        yield op.Where(right, part, nan)


def hidden_of(call: Call) -> int:
    """Units of the cell; without a projection, which ONNX lacks, the width of h."""
    return int(call.w_hh.shape[-1])


def check(call: Call) -> None:
    """Raise SettingError for an option that ONNX's operator lacks."""
    lacking = {
        "layer_norm=True": call.norm_x is not None or call.norm_h is not None or call.norm_c is not None,
        f"proj_size={hidden_of(call)}": call.w_proj is not None,
        "recurrent_dropout in training": call.recurrent is not None,
        "zoneout": call.zone_h is not None or call.zone_c is not None,
        f"cell_clip={call.cell_clip}": bool(call.cell_clip),
        "zero_output_for_mask=False": call.steps is not None and not call.options.zero_output,
    }
    for option, there in lacking.items():
        if there:
            raise refused(option)


def refused(option: str) -> SettingError:
    """The error for an option that ONNX lacks."""
    return SettingError(
        f"ONNX has no counterpart of {option}",
        "make the layer without it, or export in a process started with GATECAST_ISA=reference, which writes a fixed "
        "number of steps as plain operators",
        place=LABEL,
    )


def inputs(call: Call, lengths: Value | None, op: Any) -> list[Value | None]:
    """X, W, R, B, sequence_lens, initial_h, initial_c and P."""
    axis = op.Constant(value_ints=[0])
    w, r = (op.Unsqueeze(rows(matrix, call, op), axis) for matrix in (call.w_ih, call.w_hh))
    b = None if call.bias is None else op.Unsqueeze(both_biases(call, op), axis)
    h0, c0 = (None if start is None else op.Unsqueeze(start, axis) for start in (call.h0, call.c0))
    found = [call.x, w, r, b, lengths, h0, c0, peepholes(call, op)]
    while found[-1] is None:
        found.pop()
    return found


def rows(matrix: Value, call: Call, op: Any) -> Value:
    """Rows of the gates in ONNX's order."""
    return in_order(matrix, TORCH["LSTM"], ONNX["LSTM"], hidden_of(call), call, op)


def in_order(matrix: Value, have: str, want: str, size: int, call: Call, op: Any) -> Value:
    """Blocks along the first axis in another order; with coupled gates i is -f, and ONNX ignores f."""
    have = have.replace("i", "") if call.options.coupled else have
    axis = op.Constant(value_ints=[0])
    blocks = {}
    for k, gate in enumerate(have):
        ends = (op.Constant(value_ints=[at * size]) for at in (k, k + 1))
        blocks[gate] = op.Slice(matrix, *ends, axis)
    if call.options.coupled:
        blocks["i"] = op.Neg(blocks["f"])
    return op.Concat(*(blocks[gate] for gate in want), axis=0)


def both_biases(call: Call, op: Any) -> Value:
    """The bias, and zeros as the second one."""
    bias = rows(call.bias, call, op)
    return op.Concat(bias, op.Sub(bias, bias), axis=0)


def peepholes(call: Call, op: Any) -> Value | None:
    """Peepholes of i, o and f, concatenated."""
    if call.peephole is None:
        return None
    ordered = in_order(call.peephole, PEEPHOLES, ONNX_PEEPHOLES, 1, call, op)
    return op.Reshape(ordered, op.Constant(value_ints=[1, -1]))


def steps_of(mask: Value, op: Any) -> Value:
    """Number of unmasked steps of each sequence."""
    return op.ReduceSum(op.Cast(mask, to=INT32), op.Constant(value_ints=[0]), keepdims=0)


def has_no_gap(mask: Value, lengths: Value, op: Any) -> Value:
    """Whether the unmasked steps come first: then the last one is as far from the start as there are such steps.

    The mask is known only when the model runs, which cannot raise errors.
    """
    steps = op.Cast(mask, to=INT32)
    ones = op.Add(op.Sub(steps, steps), op.Cast(op.Constant(value_int=1), to=INT32))
    places = op.Mul(steps, op.CumSum(ones, op.Constant(value_int=0)))
    return op.Equal(op.ReduceMax(places, op.Constant(value_ints=[0]), keepdims=0), lengths)


def attributes(call: Call) -> dict[str, Any]:
    """Activations, direction and coupling."""
    activation, gate = (write_activation(ACTIVATIONS[kind], LABEL) for kind in call.options[:2])
    functions = [gate, activation, activation]
    found: dict[str, Any] = {"activations": [f.name for f in functions]}
    for k, name in enumerate(("activation_alpha", "activation_beta")):
        if values := [f.parameters[k] for f in functions if len(f.parameters) > k]:
            found[name] = values
    if call.options.coupled:
        check_symmetric(ACTIVATIONS[call.options.recurrent_activation], LABEL)
        found["input_forget"] = 1
    return found | ({"direction": "reverse"} if call.options.reverse else {})
