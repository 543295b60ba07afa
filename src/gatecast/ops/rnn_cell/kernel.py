"""The plain recurrent network on PyTorch's own operators, which lack most options, else on the reference."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gatecast.ops.masks import LSTMMasks
from gatecast.ops.rnn_cell import reference
from gatecast.ops.rnn_cell.spec import RNNSpec, RNNWeights
from gatecast.ops.scan import ScanOutput, pytorch_runs, run_pytorch

OPERATORS = {"tanh": torch.rnn_tanh, "relu": torch.rnn_relu}


def rnn(
    x: Float[Tensor, "time batch input"],
    weights: RNNWeights,
    h: Float[Tensor, "batch hidden"] | None = None,
    *,
    spec: RNNSpec | None = None,
    masks: LSTMMasks | None = None,
) -> ScanOutput:
    """Run the cell over the time axis: PyTorch's operators for PyTorch's cells, the reference for any other.

    Args:
        x: input of every step.
        weights: of the layer.
        h: state before the first step; None: zeros.
        spec: options of the cell.
        masks: of steps, recurrent dropout and zoneout (Hinton et al. 2012; Krueger et al. 2017).
    """
    spec, masks = spec or RNNSpec(), masks or LSTMMasks()
    h = x.new_zeros(x.shape[1], weights.w_hh.shape[1]) if h is None else h
    if spec.activation in OPERATORS and spec.gradient_clip is None and pytorch_runs(x, masks):
        biases = [] if weights.bias is None else [weights.bias, torch.zeros_like(weights.bias)]
        operands = [weights.w_ih, weights.w_hh, *biases]
        return run_pytorch(OPERATORS[spec.activation], x, h, operands, reverse=spec.reverse)
    return _cast(reference.rnn(x, weights, h, spec, masks), x)


def _cast(out: ScanOutput, x: Tensor) -> ScanOutput:
    """Cast the reference's output to the dtype that PyTorch's operator returns under autocast."""
    kind = x.device.type
    if x.dtype == torch.float64 or not torch.is_autocast_enabled(kind):
        return out
    dtype = torch.get_autocast_dtype(kind)
    return ScanOutput(out.y.to(dtype), out.h.to(dtype))
