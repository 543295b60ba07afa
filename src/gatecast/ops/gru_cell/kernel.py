"""The GRU on PyTorch's own operator, which lacks most options, else on the reference."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gatecast.ops.gru_cell import reference
from gatecast.ops.gru_cell.spec import GRUSpec, GRUWeights
from gatecast.ops.masks import LSTMMasks
from gatecast.ops.scan import ScanOutput, pytorch_runs, run_pytorch


def gru(
    x: Float[Tensor, "time batch input"],
    weights: GRUWeights,
    h: Float[Tensor, "batch hidden"] | None = None,
    *,
    spec: GRUSpec | None = None,
    masks: LSTMMasks | None = None,
) -> ScanOutput:
    """Run the cell over the time axis: PyTorch's operator for PyTorch's cell, the reference for any other.

    Args:
        x: input of every step.
        weights: of the layer.
        h: state before the first step; None: zeros.
        spec: options of the cell.
        masks: of steps, recurrent dropout and zoneout.
    """
    spec, masks = spec or GRUSpec(), masks or LSTMMasks()
    h = x.new_zeros(x.shape[1], weights.w_hh.shape[1]) if h is None else h
    cell = (spec.activation, spec.recurrent_activation, spec.reset_after, spec.gradient_clip)
    if cell == ("tanh", "sigmoid", True, None) and pytorch_runs(x, masks):
        return run_pytorch(torch.gru, x, h, [weight for weight in weights if weight is not None], reverse=spec.reverse)
    return reference.gru(x, weights, h, spec, masks)
