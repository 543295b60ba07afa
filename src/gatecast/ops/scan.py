"""The loop over time that the cells beside the LSTM share, with its masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from gatecast.ops.lstm_cell.spec import LSTMMasks

State = tuple[Tensor, ...]  # the first is the output h; the second, where there is one, the cell c
# Gates of the input, h on its way to W_hh (perhaps dropped; None: zeros), state → new state
Step = Callable[[Tensor, Any, State], State]
Zone = Callable[[State, State, LSTMMasks, int], State]  # new state, old state, masks, t → what is kept of both


class ScanOutput(NamedTuple):
    """Outputs of every step and the last state."""

    y: Float[Tensor, "time batch hidden"]
    h: Float[Tensor, "batch hidden"]


def zoned(new: State, old: State, masks: LSTMMasks, t: int) -> State:
    """The new state, of h and of c with their shares of the old one (Krueger et al. 2017)."""
    if masks.zone_h is None and masks.zone_c is None:
        return new
    kept = list(new)
    for part, share in enumerate((masks.zone_h, masks.zone_c)):
        if share is not None and part < len(new):
            kept[part] = old[part] * share[t] + new[part] * (1 - share[t])
    return tuple(kept)


def scan(
    gates_x: Sequence[Tensor],
    state: State,
    step: Step,
    masks: LSTMMasks,
    *,
    reverse: bool,
    zero_output: bool,
    zone: Zone = zoned,
    batch_axis: int = 0,
    fresh: bool = False,
) -> tuple[Float[Tensor, time * output], State]:
    """Run ``step`` over the time axis: outputs of every step, and the last state.

    Args:
        gates_x: the input's share of the gates, a tensor for each step.
        state: before the first step.
        step: one step of the cell.
        masks: of steps, recurrent dropout and zoneout.
        reverse: read the time axis from its end; outputs stay at their own time.
        zero_output: outputs at masked steps are 0; else they repeat the last one.
        zone: how the old state and the new one are joined.
        batch_axis: of the tensors of the state.
        fresh: h is all zeros before the first step, which gets None for it: nothing to multiply.
    """
    length = len(gates_x)
    behind = [1] * (state[0].dim() - batch_axis - 1)
    outputs: list[Tensor] = [state[0]] * length
    for t in range(length - 1, -1, -1) if reverse else range(length):
        h = None if fresh else state[0] if masks.recurrent is None else state[0] * masks.recurrent[t]
        fresh = False
        new = zone(step(gates_x[t], h, state), state, masks, t)
        on = None if masks.steps is None else masks.steps[t].reshape(-1, *behind)
        outputs[t], state = _masked(new, state, on, zero_output=zero_output)
    return (torch.stack(outputs) if outputs else state[0].new_zeros(0, *state[0].shape)), state


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


def _masked(new: State, old: State, on: Tensor | None, *, zero_output: bool) -> tuple[Tensor, State]:
    """Output and state where the step counts; else nothing, or the last output, and the state as it was."""
    if on is None:
        return new[0], new
    kept = tuple(torch.where(on, a, b) for a, b in zip(new, old, strict=True))
    return (torch.where(on, new[0], 0.0) if zero_output else kept[0]), kept
