"""The plain recurrent operator against its equation and its masks."""

from __future__ import annotations

import torch
from torch.autograd import gradcheck

from gatecast.ops import LSTMMasks
from gatecast.ops.rnn_cell import reference
from gatecast.ops.rnn_cell.pytorch import rnn
from gatecast.ops.rnn_cell.spec import RNNSpec, RNNWeights

T, B, INPUT, H = 5, 2, 3, 4


def case() -> tuple[torch.Tensor, RNNWeights, torch.Tensor]:
    torch.manual_seed(0)
    shapes = [(T, B, INPUT), (H, INPUT), (H, H), (H,), (B, H)]
    x, w_ih, w_hh, bias, h = (torch.randn(shape, dtype=torch.float64) for shape in shapes)
    return x, RNNWeights(w_ih, w_hh, bias), h


def test_the_equation() -> None:
    x, weights, h = case()
    out = reference.rnn(x, weights, h, RNNSpec(), LSTMMasks())
    for t in range(T):
        h = (weights.w_ih @ x[t].T + weights.bias[:, None] + weights.w_hh @ h.T).tanh().T
        torch.testing.assert_close(out.y[t], h)
    torch.testing.assert_close(out.h, h)


def test_without_bias_and_state() -> None:
    x, weights, _ = case()
    zeros = torch.zeros(B, H, dtype=torch.float64)
    torch.testing.assert_close(
        rnn(x, RNNWeights(*weights[:2])), rnn(x, weights._replace(bias=torch.zeros(H, dtype=torch.float64)), zeros)
    )


def test_gradients_with_masks() -> None:
    x, weights, h = case()
    share = torch.rand(T, B, H, dtype=torch.float64)
    masks = LSTMMasks(steps=torch.rand(T, B) > 0.3, recurrent=2 * share, zone_h=share)
    leaves = [tensor.requires_grad_() for tensor in (x, *weights, h)]

    def run(x: torch.Tensor, *rest: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(rnn(x, RNNWeights(*rest[:-1]), rest[-1], masks=masks))

    assert gradcheck(run, leaves)


def test_masks_by_hand() -> None:
    x, weights, h = case()
    recurrent, zone = torch.rand(2, T, B, H, dtype=torch.float64)
    out = rnn(x, weights, h, masks=LSTMMasks(recurrent=recurrent, zone_h=zone))
    for t in range(T):
        new = (x[t] @ weights.w_ih.T + weights.bias + (h * recurrent[t]) @ weights.w_hh.T).tanh()
        h = zone[t] * h + (1 - zone[t]) * new
        torch.testing.assert_close(out.y[t], h)


def test_any_function_goes_by_the_reference() -> None:
    x, weights, h = case()
    ours = rnn(x, weights, h, spec=RNNSpec(torch.tanh))
    torch.testing.assert_close(ours, rnn(x, weights, h))
