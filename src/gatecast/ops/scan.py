"""The loop over time of cells whose state is ``h`` alone: the plain RNN and the GRU."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from gatecast.ops.spec import LSTMMasks

Step = Callable[[Tensor, Tensor, Tensor], Tensor]  # gates of the input, h before W_hh (perhaps dropped), h → new h


class ScanOutput(NamedTuple):
    """Outputs of every step and the last state."""

    y: Float[Tensor, "time batch hidden"]
    h: Float[Tensor, "batch hidden"]


def scan(
    gates_x: Float[Tensor, "time batch gates"],
    h: Float[Tensor, "batch hidden"],
    step: Step,
    masks: LSTMMasks,
    *,
    reverse: bool,
    zero_output: bool,
) -> ScanOutput:
    """Run ``step`` over the time axis.

    Args:
        gates_x: the input's share of the gates at every step.
        h: state before the first step.
        step: one step of the cell.
        masks: of steps, recurrent dropout and zoneout; ``zone_c`` is not used.
        reverse: read the time axis from its end; outputs stay at their own time.
        zero_output: outputs at masked steps are 0; else they repeat the last one.
    """
    length, each = gates_x.shape[0], gates_x.unbind(0)  # gates_x[t]: the gradient would be a tensor of all steps
    outputs: list[Tensor] = [h] * length
    for t in range(length - 1, -1, -1) if reverse else range(length):
        new = step(each[t], h if masks.recurrent is None else h * masks.recurrent[t], h)
        if masks.zone_h is not None:
            new = h * masks.zone_h[t] + new * (1 - masks.zone_h[t])
        outputs[t], h = _masked(new, h, None if masks.steps is None else masks.steps[t], zero_output=zero_output)
    return ScanOutput(torch.stack(outputs) if outputs else h.new_zeros(0, *h.shape), h)


def pytorch_runs(x: Tensor, masks: LSTMMasks) -> bool:
    """PyTorch's own operator of the plain cell can take the call: on a CPU it is about twice as fast as the loop.

    It has no rule for vmap and refuses an empty sequence.
    """
    if any(mask is not None for mask in masks) or x.device.type != "cpu" or x.shape[0] == 0:
        return False
    return torch.compiler.is_compiling() or not torch._C._are_functorch_transforms_active()


def run_pytorch(
    operator: Callable[..., tuple[Tensor, Tensor]], x: Tensor, h: Tensor, weights: list[Tensor], *, reverse: bool
) -> ScanOutput:
    """One layer and direction by ``torch.gru``, ``torch.rnn_tanh`` or ``torch.rnn_relu``."""
    x = x.flip(0) if reverse else x
    y, last = operator(x, h[None].contiguous(), weights, len(weights) == 4, 1, 0.0, False, False, False)
    return ScanOutput(y.flip(0) if reverse else y, last[0])


def _masked(new: Tensor, old: Tensor, on: Tensor | None, *, zero_output: bool) -> tuple[Tensor, Tensor]:
    """Output and state where the step counts; else nothing, or the last output, and the state as it was."""
    if on is None:
        return new, new
    kept = torch.where(on[:, None], new, old)
    return (torch.where(on[:, None], new, 0.0) if zero_output else kept), kept
