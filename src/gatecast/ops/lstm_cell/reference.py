"""The LSTM in plain PyTorch: the definition that every kernel is tested against.

Any dtype, any device, every option; differentiable as often as one likes. One step (Hochreiter & Schmidhuber 1997; the
forget gate of Gers, Schmidhuber & Cummins 2000; peepholes of Gers, Schraudolph & Schmidhuber 2002)::

    i, f, g, o = (W_ih x_t + W_hh (m * h) + b).chunk(4)
    i, f = sigmoid(i + p_i c), sigmoid(f + p_f c)
    c = f c + i tanh(g)
    o = sigmoid(o + p_o c)
    h = W_proj (o tanh(c))
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gatecast.ops.activations import activation_of
from gatecast.ops.lstm_cell.spec import DEFAULT, CellSpec, LSTMOutput, LSTMWeights
from gatecast.ops.masks import NO_MASKS, LSTMMasks, without_masked
from gatecast.ops.scan import clip_gradient

NORM_EPSILON = 1e-5

State = tuple[Float[Tensor, "batch output"], Float[Tensor, "batch hidden"]]


def lstm(
    x: Float[Tensor, "time batch input"],
    weights: LSTMWeights,
    state: State | None = None,
    *,
    spec: CellSpec = DEFAULT,
    masks: LSTMMasks = NO_MASKS,
    cells: bool = False,
) -> LSTMOutput:
    """Run the cell over the time axis.

    Args:
        x: input of every step.
        weights: of the layer.
        state: h and c before the first step; None: zeros.
        spec: options of the cell.
        masks: of steps, recurrent dropout and zoneout.
        cells: give the cell state of every step as well.
    """
    h, c = state if state is not None else zero_state(x, weights)
    x = without_masked(x, masks.steps)
    gates_x = x @ weights.w_ih.T if weights.norm_x is None else _norm(x @ weights.w_ih.T, weights.norm_x)
    if weights.bias is not None:
        gates_x = gates_x + weights.bias
    each = gates_x.unbind(0)  # not gates_x[t]: the gradient of each index would be a tensor of all steps
    outputs: list[Any] = [None] * len(x)
    states: list[Any] = [None] * len(x)
    for t in range(len(x) - 1, -1, -1) if spec.reverse else range(len(x)):
        outputs[t], h, c = masked_step(each[t], h, c, weights, spec, masks, t)
        states[t] = c
    y = torch.stack(outputs) if outputs else x.new_zeros(0, *h.shape)
    every = (torch.stack(states) if states else x.new_zeros(0, *c.shape)) if cells else None
    return LSTMOutput(y, h, c, every)


def zero_state(x: Tensor, weights: LSTMWeights) -> State:
    """Zeros of the state's shape, in two tensors."""
    hidden = weights.w_hh.shape[1] if weights.w_proj is None else weights.w_proj.shape[1]
    return x.new_zeros(x.shape[1], weights.w_hh.shape[1]), x.new_zeros(x.shape[1], hidden)


def masked_step(
    gates_x: Tensor, h: Tensor, c: Tensor, weights: LSTMWeights, spec: CellSpec, masks: LSTMMasks, t: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Output and state of step ``t``, with the masks of that step."""
    before = h if masks.recurrent is None else h * masks.recurrent[t]
    new_h, new_c = step(gates_x, before, c, weights, spec)
    if masks.zone_c is not None:
        new_c = c * masks.zone_c[t] + new_c * (1 - masks.zone_c[t])
    if masks.zone_h is not None:
        new_h = h * masks.zone_h[t] + new_h * (1 - masks.zone_h[t])
    if masks.steps is None:
        return new_h, new_h, new_c
    on = masks.steps[t][:, None]
    kept = torch.where(on, new_h, h)  # a choice, not a product: NaN in a masked step must not come through
    return (torch.where(on, new_h, 0.0) if spec.zero_output else kept), kept, torch.where(on, new_c, c)


def step(gates_x: Tensor, h: Tensor, c: Tensor, weights: LSTMWeights, spec: CellSpec) -> State:
    """One step from the input's share of the gates ``(batch, gates)`` and the state."""
    act, gate = activation_of(spec.activation), activation_of(spec.recurrent_activation, "recurrent_activation")
    if spec.gradient_clip is not None:
        h = clip_gradient(h, spec.gradient_clip)
    gates_h = h @ weights.w_hh.T
    gates = gates_x + (gates_h if weights.norm_h is None else _norm(gates_h, weights.norm_h))
    p_i, p_f, p_o = _peepholes(weights, spec)
    *first, f, g, o = gates.chunk(spec.gates, -1)
    f = gate(f if p_f is None else f + p_f * c)
    i = 1 - f if spec.coupled else gate(first[0] if p_i is None else first[0] + p_i * c)
    c = f * c + i * act(g)
    if spec.cell_clip is not None:
        c = c.clamp(-spec.cell_clip, spec.cell_clip)
    o = gate(o if p_o is None else o + p_o * c)
    h = o * act(c if weights.norm_c is None else _norm(c, *weights.norm_c))
    return (h if weights.w_proj is None else h @ weights.w_proj.T), c


def _peepholes(weights: LSTMWeights, spec: CellSpec) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    if weights.peephole is None:
        return None, None, None
    p_f, p_o = weights.peephole[-2], weights.peephole[-1]
    return (None if spec.coupled else weights.peephole[0]), p_f, p_o


def _norm(x: Tensor, gain: Tensor, bias: Tensor | None = None) -> Tensor:
    """Layer normalisation over the last axis."""
    return torch.nn.functional.layer_norm(x, x.shape[-1:], gain, bias, NORM_EPSILON)
