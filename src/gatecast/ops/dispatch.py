"""The LSTM operator: checks a call and runs it on the implementation that :mod:`gatecast.ops.select` chooses."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gatecast.ops.lstm_cell import kernel, reference, transforms
from gatecast.ops.lstm_cell.checks import State, check_layers, check_lstm
from gatecast.ops.lstm_cell.spec import DEFAULT, CellSpec, LSTMOutput, LSTMWeights
from gatecast.ops.masks import NO_MASKS, LSTMMasks
from gatecast.ops.select import announce, kernel_for

NONE = torch.empty(0)  # stands for a missing weight


def lstm(
    x: Tensor,
    weights: LSTMWeights,
    state: State | None = None,
    *,
    spec: CellSpec | None = None,
    masks: LSTMMasks | None = None,
    cells: bool = False,
) -> LSTMOutput:
    """Run an LSTM cell over the time axis; :mod:`gatecast.ops.lstm_cell.reference` defines what it computes.

    Args:
        x: input ``(time, batch, input)``, any strides: a batch-first tensor goes in as ``x.transpose(0, 1)``.
        weights: of the layer.
        state: h ``(batch, output)`` and c ``(batch, hidden)`` before the first step; None: zeros.
        spec: options of the cell.
        masks: of steps, recurrent dropout and zoneout.
        cells: return the cell state of every step as well.

    Raises:
        SettingError: a size, dtype or device does not fit.

    Example:
        >>> import torch
        >>> from gatecast import ops
        >>> weights = ops.LSTMWeights(torch.randn(4 * 8, 3), torch.randn(4 * 8, 8), torch.zeros(4 * 8))
        >>> ops.lstm(torch.randn(5, 2, 3), weights).y.shape
        torch.Size([5, 2, 8])
    """
    spec = DEFAULT if spec is None else spec
    masks = NO_MASKS if masks is None else masks
    check_lstm(x, weights, state, spec, masks)
    choice = kernel_for(x, weights.w_hh, spec, masks)
    if choice.kernel:
        return kernel.lstm(x, weights, state, choice.spec(spec), masks, cells)
    announce(choice)
    return reference.lstm(x, weights, state, spec=spec, masks=masks, cells=cells)


def lstm_layers(
    x: Tensor,
    weights: list[Tensor],
    state: Sequence[Tensor] | None,
    spec: CellSpec,
    steps: Tensor | None,
    layers: int,
    directions: int,
) -> tuple[Tensor, Tensor, Tensor] | None:
    """Run stacked layers in one call, without a gradient: y of the last layer, h and c of all.

    A step of a stream costs little but its calls; this is one. Returns None where no kernel runs.

    Args:
        x: checked input of the first layer ``(time, batch, input)``, or a single step ``(batch, input)``; y likewise.
        weights: of each layer and direction in turn, in the order of ``operators.LAYER_WEIGHTS``, with ``NONE`` for a
            missing one; trailing weights that no layer has are left out.
        state: checked h and c before the first step, ``(layers*directions, batch, hidden)`` each; None: zeros.
        spec: options of the cell; each layer's second direction reads from the end.
        steps: True where a step counts ``(time, batch)``; None: everywhere.
        layers: how many.
        directions: 1 or 2; two are concatenated in the output.

    Raises:
        SettingError: a weight does not fit.
    """
    if torch.compiler.is_compiling() or transforms.active():  # both need the operator of one layer
        return None
    choice = kernel_for(x, weights[1], spec, NO_MASKS if steps is None else LSTMMasks(steps))
    if not choice.kernel:
        return None
    if x.dtype != torch.float32:  # before the cast to float32 hides a weight of another dtype
        _check(x, weights, spec, layers, directions)
    try:
        return kernel.lstm_layers(x, weights, state, choice.spec(spec), steps, layers, directions)
    except RuntimeError:  # the kernel checks faster; this check produces the message
        _check(x, weights, spec, layers, directions)
        raise


def _check(x: Tensor, weights: list[Tensor], spec: CellSpec, layers: int, directions: int) -> None:
    check_layers(x, [None if t is NONE else t for t in weights], spec, layers, directions)
