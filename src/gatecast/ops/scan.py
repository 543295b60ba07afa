"""The loop over time with its masks, which all cells except the LSTM share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from gatecast.ops.masks import LSTMMasks, without_masked

State = tuple[Tensor, ...]  # the output h first, then the cell c if there is one
# The input's part of the gates, h as W_hh reads it (after dropout; None: zeros), state → new state
Step = Callable[[Tensor, Any, State], State]
Zone = Callable[[State, State, LSTMMasks, int], State]  # new state, old state, masks, t → state after zoneout


@dataclass(frozen=True, kw_only=True)
class ScanSpec:
    """Options of every cell that are not tensors; each cell adds its own.

    Args:
        reverse: read the time axis from its end; outputs stay at their own time.
        gradient_clip: bound on each entry of the gradient that flows back through what is fed back; None: no bound.
        zero_output: outputs at masked steps are 0; else they repeat the last one.
    """

    reverse: bool = False
    gradient_clip: float | None = None
    zero_output: bool = True


class ScanOutput(NamedTuple):
    """Outputs of every step and the last state."""

    y: Float[Tensor, "time batch hidden"]
    h: Float[Tensor, "batch hidden"]


def zoned(new: State, old: State, masks: LSTMMasks, t: int) -> State:
    """Zoneout: h and c as means of old and new value, weighted by the masks (Krueger et al. 2017)."""
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
    spec: ScanSpec,
    *,
    zone: Zone = zoned,
    batch_axis: int = 0,
    fresh: bool = False,
) -> tuple[Float[Tensor, time * output], State]:
    """Run ``step`` over the time axis: outputs of every step, and the last state.

    Args:
        gates_x: the input's part of the gates, a tensor for each step.
        state: before the first step.
        step: one step of the cell.
        masks: of steps, recurrent dropout and zoneout.
        spec: options of the cell.
        zone: combines the old and the new state.
        batch_axis: of the tensors of the state.
        fresh: h is zero before the first step, which then receives None in its place and saves a product.
    """
    length = len(gates_x)
    behind = [1] * (state[0].dim() - batch_axis - 1)
    outputs: list[Tensor] = [state[0]] * length
    for t in range(length - 1, -1, -1) if spec.reverse else range(length):
        h = None if fresh else state[0] if masks.recurrent is None else state[0] * masks.recurrent[t]
        fresh = False
        new = zone(step(gates_x[t], h, state), state, masks, t)
        on = None if masks.steps is None else masks.steps[t].reshape(-1, *behind)
        outputs[t], state = _masked(new, state, on, zero_output=spec.zero_output)
    return (torch.stack(outputs) if outputs else state[0].new_zeros(0, *state[0].shape)), state


def scan_rows(
    x: Float[Tensor, "time batch input"],
    w_ih: Float[Tensor, "gates input"],
    bias: Float[Tensor, " gates"] | None,
    h: Float[Tensor, "batch hidden"],
    step: Step,
    masks: LSTMMasks,
    spec: ScanSpec,
) -> ScanOutput:
    """:func:`scan` for a cell whose state is h alone, from the input and its weights."""
    gates_x = without_masked(x, masks.steps) @ w_ih.T
    if bias is not None:
        gates_x = gates_x + bias
    # unbind, not gates_x[t]: the gradient of each index would be a tensor of all steps
    y, (h,) = scan(gates_x.unbind(0), (h,), step, masks, spec)
    return ScanOutput(y, h)


def _masked(new: State, old: State, on: Tensor | None, *, zero_output: bool) -> tuple[Tensor, State]:
    """Output and state after a step; where the step is masked: zeros or the last output, and the old state."""
    if on is None:
        return new[0], new
    kept = tuple(torch.where(on, a, b) for a, b in zip(new, old, strict=True))
    return (torch.where(on, new[0], 0.0) if zero_output else kept[0]), kept


def clip_gradient(x: Tensor, bound: float) -> Tensor:
    """Identity whose gradient is clipped to ``[-bound, bound]``, entry by entry."""
    return _ClippedGradient.apply(x, bound)


class _ClippedGradient(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, bound: float) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.bound = inputs[1]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return grads[0].clamp(-ctx.bound, ctx.bound), None
