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

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional


class SLSTMWeights(NamedTuple):
    """Weights of one layer; rows of the gates in the order i, f, z, o, and within a gate head by head.

    A unit's row of ``w_hh`` holds its weights to the units of its own head alone: a block-diagonal matrix without its
    zeros. With one head it is the whole matrix.
    """

    w_ih: Float[Tensor, "gates input"]
    w_hh: Float[Tensor, "gates head"]
    bias: Float[Tensor, " gates"] | None = None


class SLSTMState(NamedTuple):
    """Output, cell, normaliser, and the logarithm of the last two's scale; of one layer, or stacked over layers."""

    h: Float[Tensor, "*layers batch hidden"]
    c: Float[Tensor, "*layers batch hidden"]
    n: Float[Tensor, "*layers batch hidden"]
    m: Float[Tensor, "*layers batch hidden"]


def slstm(
    x: Float[Tensor, "time batch input"],
    weights: SLSTMWeights,
    state: SLSTMState | None = None,
    *,
    exponential_forget: bool = False,
    steps: Bool[Tensor, "time batch"] | None = None,
) -> tuple[Float[Tensor, "time batch hidden"], SLSTMState]:
    """Outputs of every step and the last state; outputs at masked steps are 0.

    Args:
        x: input of every step.
        weights: of the layer.
        state: before the first step; None: nothing has been seen.
        exponential_forget: the forget gate is ``exp``, else ``sigmoid``.
        steps: True where a step counts; other steps leave the state as it was.
    """
    heads = weights.w_hh.shape[0] // 4 // weights.w_hh.shape[1]
    gates_x = _input_gates(x, weights, heads)
    w_hh = _by_head(weights.w_hh, heads).transpose(1, 2)
    now = _split(empty_state(x, weights) if state is None else state, heads)
    outputs = []
    for t, gates in enumerate(gates_x.unbind(0)):
        new = step(gates, now, w_hh, exponential_forget=exponential_forget)
        on = None if steps is None else steps[t][:, None]
        outputs.append(new.h if on is None else torch.where(on, new.h, 0.0))
        now = new if on is None else SLSTMState(*[torch.where(on, a, b) for a, b in zip(new, now, strict=True)])
    y = torch.stack(outputs) if outputs else x.new_zeros(0, *now.h.shape)
    return _joined(y), SLSTMState(*[_joined(part) for part in now])


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


def _split(state: SLSTMState, heads: int) -> SLSTMState:
    """``(batch, hidden)`` → ``(heads, batch, head)``."""
    return SLSTMState(*[part.unflatten(-1, (heads, -1)).transpose(0, 1) for part in state])


def _joined(x: Float[Tensor, "*time heads batch head"]) -> Float[Tensor, "*time batch hidden"]:
    """The heads' units side by side."""
    return x.transpose(-3, -2).flatten(-2)
