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

import torch
from torch import Tensor

from gatecast.ops.activations import activation_of
from gatecast.ops.gru_cell.spec import GRUSpec, GRUWeights
from gatecast.ops.masks import LSTMMasks
from gatecast.ops.scan import ScanOutput, State, Step, clip_gradient, scan_rows

Function = Callable[[Tensor], Tensor]
Gates = tuple[Tensor, Tensor]  # z, and n before its activation


def gru(x: Tensor, weights: GRUWeights, h: Tensor, spec: GRUSpec, masks: LSTMMasks) -> ScanOutput:
    """Run the cell over the time axis, with every option."""
    return scan_rows(x, weights.w_ih, weights.bias_ih, h, _step_of(weights, spec), masks, spec)


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
