"""The plain recurrent network on PyTorch's own operators, which lack most options, else on the reference."""

from __future__ import annotations

import torch
from torch import Tensor

from gatecast.ops.masks import NO_MASKS, LSTMMasks
from gatecast.ops.pytorch import Operator, run_cell
from gatecast.ops.rnn_cell import reference
from gatecast.ops.rnn_cell.spec import DEFAULT, RNNSpec, RNNWeights
from gatecast.ops.scan import ScanOutput

OPERATORS: dict[object, Operator] = {"tanh": torch.rnn_tanh, "relu": torch.rnn_relu}


def rnn(
    x: Tensor, weights: RNNWeights, h: Tensor | None = None, *, spec: RNNSpec = DEFAULT, masks: LSTMMasks = NO_MASKS
) -> ScanOutput:
    """Run the cell over the time axis; :func:`gatecast.ops.pytorch.run_cell` describes the arguments."""
    return run_cell(x, weights, h, spec, masks, OPERATORS.get(spec.activation), _reference)


def _reference(x: Tensor, weights: RNNWeights, h: Tensor, spec: RNNSpec, masks: LSTMMasks) -> ScanOutput:
    """The reference in the dtype that PyTorch's operator returns under autocast."""
    out, kind = reference.rnn(x, weights, h, spec, masks), x.device.type
    if x.dtype == torch.float64 or kind == "meta" or not torch.is_autocast_enabled(kind):
        return out
    dtype = torch.get_autocast_dtype(kind)
    return ScanOutput(out.y.to(dtype), out.h.to(dtype))
