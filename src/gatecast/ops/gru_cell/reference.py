"""The gated recurrent unit in plain PyTorch (Cho et al. 2014; the reset after the product: Chung et al. 2014, cuDNN).

::

    r = sigmoid(W_ir x_t + b_ir + W_hr h + b_hr)
    z = sigmoid(W_iz x_t + b_iz + W_hz h + b_hz)
    n = tanh(W_in x_t + b_in + r * (W_hn h + b_hn))      reset_after: PyTorch, and the default of Keras
    n = tanh(W_in x_t + b_in + W_hn (r * h) + b_hn)      otherwise: Cho et al. 2014, eq. 8
    h = (1 - z) * n + z * h
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from gatecast.ops.activations import activation_of
from gatecast.ops.lstm_cell.reference import clip_gradient, without_masked
from gatecast.ops.lstm_cell.spec import Activation, LSTMMasks
from gatecast.ops.scan import ScanOutput, State, Step, pytorch_runs, run_pytorch, scan

Function = Callable[[Tensor], Tensor]
Gates = tuple[Tensor, Tensor]  # z, and n before its activation


@dataclass(frozen=True)
class GRUSpec:
    """Options of the cell that are not tensors.

    Args:
        activation: of the candidate.
        recurrent_activation: of the gates.
        reset_after: the reset gate multiplies ``W_hn h + b_hn``; else it multiplies ``h``.
        reverse: read the time axis from its end; outputs stay at their own time.
        gradient_clip: bound on each entry of the gradient that flows back through the gates; None for none.
        zero_output: outputs at masked steps are 0; else they repeat the last one.
    """

    activation: Activation = "tanh"
    recurrent_activation: Activation = "sigmoid"
    reset_after: bool = True
    reverse: bool = False
    gradient_clip: float | None = None
    zero_output: bool = True


class GRUWeights(NamedTuple):
    """Weights of one layer and direction; rows of the gates in the order r, z, n."""

    w_ih: Float[Tensor, "gates input"]
    w_hh: Float[Tensor, "gates hidden"]
    bias_ih: Float[Tensor, " gates"] | None = None
    bias_hh: Float[Tensor, " gates"] | None = None


def gru(
    x: Float[Tensor, "time batch input"],
    weights: GRUWeights,
    h: Float[Tensor, "batch hidden"] | None = None,
    *,
    spec: GRUSpec | None = None,
    masks: LSTMMasks | None = None,
) -> ScanOutput:
    """Run the cell over the time axis: by PyTorch's operator where the cell is its own, else by :func:`reference`.

    Args:
        x: input of every step.
        weights: of the layer.
        h: state before the first step; None: zeros.
        spec: options of the cell.
        masks: of steps, recurrent dropout and zoneout.
    """
    spec, masks = spec or GRUSpec(), masks or LSTMMasks()
    h = x.new_zeros(x.shape[1], weights.w_hh.shape[1]) if h is None else h
    own = (spec.activation, spec.recurrent_activation, spec.reset_after, spec.gradient_clip)
    if own == ("tanh", "sigmoid", True, None) and pytorch_runs(x, masks):
        return run_pytorch(torch.gru, x, h, [weight for weight in weights if weight is not None], reverse=spec.reverse)
    return reference(x, weights, h, spec, masks)


def reference(
    x: Float[Tensor, "time batch input"],
    weights: GRUWeights,
    h: Float[Tensor, "batch hidden"],
    spec: GRUSpec,
    masks: LSTMMasks,
) -> ScanOutput:
    """The definition: a loop over time with every option."""
    gates_x = without_masked(x, masks.steps) @ weights.w_ih.T
    if weights.bias_ih is not None:
        gates_x = gates_x + weights.bias_ih
    # unbind, not gates_x[t]: the gradient of each index would be a tensor of all steps
    each, step = gates_x.unbind(0), _step_of(weights, spec)
    y, (h,) = scan(each, (h,), step, masks, reverse=spec.reverse, zero_output=spec.zero_output)
    return ScanOutput(y, h)


def _step_of(weights: GRUWeights, spec: GRUSpec) -> Step:
    act, gate = activation_of(spec.activation), activation_of(spec.recurrent_activation, "recurrent_activation")
    candidate = _reset_after if spec.reset_after else _reset_before

    def step(gates_x: Tensor, before: Tensor, state: State) -> State:
        if spec.gradient_clip is not None:
            before = clip_gradient(before, spec.gradient_clip)
        z, n = candidate(gates_x, before, weights, gate)
        return ((1 - z) * act(n) + z * state[0],)

    return step


def _reset_after(gates_x: Tensor, h: Tensor, weights: GRUWeights, gate: Function) -> Gates:
    x_r, x_z, x_n = gates_x.chunk(3, -1)
    h_r, h_z, h_n = torch.nn.functional.linear(h, weights.w_hh, weights.bias_hh).chunk(3, -1)
    r, z = gate(x_r + h_r), gate(x_z + h_z)
    return z, x_n + r * h_n


def _reset_before(gates_x: Tensor, h: Tensor, weights: GRUWeights, gate: Function) -> Gates:
    hidden = h.shape[-1]
    gates_x = gates_x if weights.bias_hh is None else gates_x + weights.bias_hh
    w_gates, w_n = weights.w_hh[: 2 * hidden], weights.w_hh[2 * hidden :]
    r, z = gate(gates_x[..., : 2 * hidden] + h @ w_gates.T).chunk(2, -1)
    return z, gates_x[..., 2 * hidden :] + (r * h) @ w_n.T
