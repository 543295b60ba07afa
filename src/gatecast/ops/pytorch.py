"""The cells that PyTorch has too: on its own operators, which lack most options, else on the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from gatecast.ops.masks import LSTMMasks
from gatecast.ops.scan import ScanOutput, ScanSpec

Operator = Callable[..., tuple[Tensor, Tensor]]  # torch.gru, torch.rnn_tanh or torch.rnn_relu


@runtime_checkable
class Weights(Protocol):
    """Weights of one layer and direction."""

    @property
    def w_hh(self) -> Tensor: ...

    def operands(self) -> list[Tensor]:
        """The weights as PyTorch's operator takes them."""


def run_cell(
    x: Float[Tensor, "time batch input"],
    weights: Weights,
    h: Float[Tensor, "batch hidden"] | None,
    spec: ScanSpec,
    masks: LSTMMasks,
    operator: Operator | None,
    reference: Callable[[Tensor, Any, Tensor, Any, LSTMMasks], ScanOutput],
) -> ScanOutput:
    """Run the cell over the time axis: PyTorch's operator for PyTorch's cell, the reference for any other.

    Args:
        x: input of every step.
        weights: of the layer.
        h: state before the first step; None: zeros.
        spec: options of the cell.
        masks: of steps, recurrent dropout and zoneout (Hinton et al. 2012; Krueger et al. 2017).
        operator: of PyTorch, which computes the cell with these options; None: PyTorch has no such operator.
        reference: the definition of the cell.
    """
    h = x.new_zeros(x.shape[1], weights.w_hh.shape[1]) if h is None else h
    if operator is None or spec.gradient_clip is not None or not _operator_runs(x, masks):
        return reference(x, weights, h, spec, masks)
    operands = weights.operands()
    x = x.flip(0) if spec.reverse else x
    y, last = operator(x, h[None].contiguous(), operands, len(operands) == 4, 1, 0.0, False, False, False)
    return ScanOutput(y.flip(0) if spec.reverse else y, last[0])


def _operator_runs(x: Tensor, masks: LSTMMasks) -> bool:
    """Whether PyTorch's own operator of the plain cell can run: on a CPU it is about twice as fast as the loop.

    It has no rule for vmap and rejects empty sequences.
    """
    if any(mask is not None for mask in masks) or x.device.type != "cpu" or x.shape[0] == 0:
        return False
    return torch.compiler.is_compiling() or not torch._C._are_functorch_transforms_active()
