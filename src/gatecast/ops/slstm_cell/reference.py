"""The sLSTM in plain PyTorch: an LSTM with exponential gates, a normaliser and heads.

One step (Beck, Pöppel, Spanring, Auer, Prudnikova, Kopp, Klambauer, Brandstetter & Hochreiter 2024, "xLSTM: Extended
Long Short-Term Memory", §2.2, https://arxiv.org/abs/2405.04517)::

    i, f, z, o = (W_ih x_t + W_hh h + b).chunk(4)
    m' = max(log f + m, i)                            log f = log sigmoid(f), or f for the exponential gate
    i, f = exp(i - m'), exp(log f + m - m')           m = m'
    c = f c + i tanh(z)
    n = f n + i
    h = sigmoid(o) c / n

``m`` is the logarithm of the scale that c and n have in common: their quotient does not depend on it, and no
exponential overflows. Before the first step it is minus infinity, so that n is at least 1 ever after.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from gatecast.ops.masks import LSTMMasks, without_masked
from gatecast.ops.scan import State, clip_gradient, scan
from gatecast.ops.slstm_cell.spec import SLSTMSpec, SLSTMState, SLSTMWeights


def slstm(
    x: Float[Tensor, "time batch input"],
    weights: SLSTMWeights,
    state: SLSTMState | None = None,
    *,
    spec: SLSTMSpec | None = None,
    masks: LSTMMasks | None = None,
) -> tuple[Float[Tensor, "time batch hidden"], SLSTMState]:
    """Outputs of every step and the last state.

    Args:
        x: input of every step.
        weights: of the layer.
        state: before the first step; None: nothing has been seen.
        spec: options of the cell.
        masks: of steps, recurrent dropout and zoneout.
    """
    spec, masks = spec or SLSTMSpec(), masks or LSTMMasks()
    heads = weights.w_hh.shape[0] // 4 // weights.w_hh.shape[1]
    gates_x = _input_gates(without_masked(x, masks.steps), weights, heads).unbind(0)
    w_hh = _by_head(weights.w_hh, heads).transpose(1, 2)
    first = empty_state(x, weights) if state is None else state

    def run(gates: Tensor, h: Tensor, state: State) -> State:
        h = h if spec.gradient_clip is None else clip_gradient(h, spec.gradient_clip)
        return step(gates, SLSTMState(h, *state[1:]), w_hh, exponential_forget=spec.exponential_forget)

    by_head = LSTMMasks(masks.steps, *[part if part is None else _split(part, heads) for part in masks[1:]])
    split = tuple(_split(part, heads) for part in first)
    y, last = scan(gates_x, split, run, by_head, spec, zone=zoned, batch_axis=1)
    return _joined(y), SLSTMState(*map(_joined, last))


def step(
    gates_x: Float[Tensor, "heads batch gates"],
    state: SLSTMState,
    w_hh: Float[Tensor, "heads head gates"],
    *,
    exponential_forget: bool,
) -> SLSTMState:
    """One step of all heads side by side; every part of the state is ``(heads, batch, head)``."""
    h, c, n, m = state
    # c, n and m in float32 at least: a sum over 512 steps in bfloat16 would lose three digits
    i, f, z, o = torch.baddbmm(gates_x, h, w_hh).to(c.dtype).chunk(4, -1)
    log_f = f if exponential_forget else functional.logsigmoid(f)
    scale = torch.maximum(log_f + m, i)
    i, f = torch.exp(i - scale), torch.exp(log_f + m - scale)
    c = f * c + i * torch.tanh(z)
    n = f * n + i
    h = torch.sigmoid(o) * c / n
    return SLSTMState(h.to(gates_x.dtype), c, n, scale)


def zoned(new: State, old: State, masks: LSTMMasks, t: int) -> State:
    """The new state with shares of the old one: of h, and of c and n together, in one scale."""
    h, c, n, m = new
    if masks.zone_h is not None:
        h = old[0] * masks.zone_h[t] + h * (1 - masks.zone_h[t])
    if masks.zone_c is not None:
        scale = torch.maximum(old[3], m)
        kept, fresh = masks.zone_c[t] * torch.exp(old[3] - scale), (1 - masks.zone_c[t]) * torch.exp(m - scale)
        c, n, m = old[1] * kept + c * fresh, old[2] * kept + n * fresh, scale
    return h, c, n, m


def empty_state(x: Float[Tensor, "*time batch input"], weights: SLSTMWeights) -> SLSTMState:
    """The state that has seen nothing: zeros, and the logarithm of no scale at all."""
    wide = torch.promote_types(x.dtype, torch.float32)
    shape = x.shape[-2], weights.w_hh.shape[0] // 4
    c, n = x.new_zeros(shape, dtype=wide), x.new_zeros(shape, dtype=wide)
    return SLSTMState(x.new_zeros(shape), c, n, x.new_full(shape, -torch.inf, dtype=wide))


def _input_gates(x: Tensor, weights: SLSTMWeights, heads: int) -> Float[Tensor, "time heads batch gates"]:
    """The input's share of the gates at every step: ``x`` reaches the units of all heads."""
    w_ih = _by_head(weights.w_ih, heads).flatten(0, 1)
    bias = None if weights.bias is None else _by_head(weights.bias, heads).flatten(0, 1)
    return functional.linear(x, w_ih, bias).unflatten(-1, (heads, -1)).transpose(1, 2)


def _by_head(weight: Tensor, heads: int) -> Tensor:
    """``(4 * hidden, ...)`` → ``(heads, 4 * head, ...)``: the rows of a head's four gates together."""
    return weight.unflatten(0, (4, heads, -1)).transpose(0, 1).flatten(1, 2)


def _split(x: Float[Tensor, "*time batch hidden"], heads: int) -> Float[Tensor, "*time heads batch head"]:
    """The units of each head by themselves."""
    return x.unflatten(-1, (heads, -1)).transpose(-3, -2)


def _joined(x: Float[Tensor, "*time heads batch head"]) -> Float[Tensor, "*time batch hidden"]:
    """The heads' units side by side."""
    return x.transpose(-3, -2).flatten(-2)
