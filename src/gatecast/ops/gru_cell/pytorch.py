"""The GRU on PyTorch's own operator, which lacks most options, else on the reference."""

from __future__ import annotations

import torch
from torch import Tensor

from gatecast.ops.gru_cell import reference
from gatecast.ops.gru_cell.spec import DEFAULT, GRUSpec, GRUWeights
from gatecast.ops.masks import NO_MASKS, LSTMMasks
from gatecast.ops.pytorch import run_cell
from gatecast.ops.scan import ScanOutput


def gru(
    x: Tensor, weights: GRUWeights, h: Tensor | None = None, *, spec: GRUSpec = DEFAULT, masks: LSTMMasks = NO_MASKS
) -> ScanOutput:
    """Run the cell over the time axis; :func:`gatecast.ops.pytorch.run_cell` describes the arguments."""
    cell = (spec.activation, spec.recurrent_activation, spec.reset_after)
    operator = torch.gru if cell == ("tanh", "sigmoid", True) else None
    return run_cell(x, weights, h, spec, masks, operator, reference.gru)
