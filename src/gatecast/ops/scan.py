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


def _masked(new: Tensor, old: Tensor, on: Tensor | None, *, zero_output: bool) -> tuple[Tensor, Tensor]:
    """Output and state where the step counts; else nothing, or the last output, and the state as it was."""
    if on is None:
        return new, new
    kept = torch.where(on[:, None], new, old)
    return (torch.where(on[:, None], new, 0.0) if zero_output else kept), kept
