"""The plain recurrent network (Elman 1990) in plain PyTorch::

h = act(W_ih x_t + W_hh (m * h) + b)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from gatecast.ops.activations import activation_of
from gatecast.ops.lstm_cell.reference import clip_gradient, without_masked
from gatecast.ops.lstm_cell.spec import Activation, LSTMMasks
from gatecast.ops.scan import ScanOutput, State, Step, pytorch_runs, run_pytorch, scan

OPERATORS = {"tanh": torch.rnn_tanh, "relu": torch.rnn_relu}


@dataclass(frozen=True)
class RNNSpec:
    """Options of the cell that are not tensors; as in :class:`gatecast.ops.lstm_cell.spec.CellSpec`."""

    activation: Activation = "tanh"
    reverse: bool = False
    gradient_clip: float | None = None
    zero_output: bool = True


class RNNWeights(NamedTuple):
    """Weights of one layer and direction."""

    w_ih: Float[Tensor, "hidden input"]
    w_hh: Float[Tensor, "hidden hidden"]
    bias: Float[Tensor, " hidden"] | None = None


def rnn(
    x: Float[Tensor, "time batch input"],
    weights: RNNWeights,
    h: Float[Tensor, "batch hidden"] | None = None,
    *,
    spec: RNNSpec | None = None,
    masks: LSTMMasks | None = None,
) -> ScanOutput:
    """Run the cell over the time axis: by PyTorch's operator where the cell is its own, else by :func:`reference`.

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
    return _as_autocast_says(reference(x, weights, h, spec, masks), x)


def _as_autocast_says(out: ScanOutput, x: Tensor) -> ScanOutput:
    """In the dtype that PyTorch's operator gives under autocast, whichever of the two ran."""
    kind = x.device.type
    if x.dtype == torch.float64 or not torch.is_autocast_enabled(kind):
        return out
    dtype = torch.get_autocast_dtype(kind)
    return ScanOutput(out.y.to(dtype), out.h.to(dtype))


def reference(
    x: Float[Tensor, "time batch input"],
    weights: RNNWeights,
    h: Float[Tensor, "batch hidden"],
    spec: RNNSpec,
    masks: LSTMMasks,
) -> ScanOutput:
    """The definition: a loop over time with every option."""
    gates_x = without_masked(x, masks.steps) @ weights.w_ih.T
    if weights.bias is not None:
        gates_x = gates_x + weights.bias
    # unbind, not gates_x[t]: the gradient of each index would be a tensor of all steps
    each, step = gates_x.unbind(0), _step_of(weights, spec)
    y, (h,) = scan(each, (h,), step, masks, reverse=spec.reverse, zero_output=spec.zero_output)
    return ScanOutput(y, h)


def _step_of(weights: RNNWeights, spec: RNNSpec) -> Step:
    act = activation_of(spec.activation)

    def step(gates_x: Tensor, before: Tensor, state: State) -> State:
        if spec.gradient_clip is not None:
            before = clip_gradient(before, spec.gradient_clip)
        return (act(gates_x + before @ weights.w_hh.T),)

    return step
