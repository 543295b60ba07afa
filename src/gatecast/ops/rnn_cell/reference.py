"""The plain recurrent network (Elman 1990) in plain PyTorch::

h = act(W_ih x_t + W_hh (m * h) + b)
"""

from __future__ import annotations

from torch import Tensor

from gatecast.ops.activations import activation_of
from gatecast.ops.masks import LSTMMasks
from gatecast.ops.rnn_cell.spec import RNNSpec, RNNWeights
from gatecast.ops.scan import ScanOutput, State, Step, clip_gradient, scan_rows


def rnn(x: Tensor, weights: RNNWeights, h: Tensor, spec: RNNSpec, masks: LSTMMasks) -> ScanOutput:
    """Run the cell over the time axis, with every option."""
    return scan_rows(x, weights.w_ih, weights.bias, h, _step_of(weights, spec), masks, spec)


def _step_of(weights: RNNWeights, spec: RNNSpec) -> Step:
    act = activation_of(spec.activation)

    def step(gates_x: Tensor, before: Tensor, state: State) -> State:
        if spec.gradient_clip is not None:
            before = clip_gradient(before, spec.gradient_clip)
        return (act(gates_x + before @ weights.w_hh.T),)

    return step
