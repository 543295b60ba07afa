"""The LSTM operator: one door to the reference and the kernels."""

from __future__ import annotations

from torch import Tensor

from gatecast.ops.lstm_cell import kernel, reference
from gatecast.ops.lstm_cell.checks import DEFAULT, NO_MASKS, State, check_lstm
from gatecast.ops.lstm_cell.spec import CellSpec, LSTMMasks, LSTMOutput, LSTMWeights
from gatecast.ops.select import announce, kernel_for


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
        cells: give the cell state of every step as well.

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
