"""The plain recurrent operator against its equation, its masks and its time direction."""

from __future__ import annotations

import pytest
import torch
from fixtures.references import check_masked_steps, check_reverse
from torch.autograd import gradcheck

from gatecast.ops import LSTMMasks
from gatecast.ops.rnn_cell import reference
from gatecast.ops.rnn_cell.kernel import rnn
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


def test_reverse_keeps_outputs_at_their_time() -> None:
    check_reverse(rnn, *case(), RNNSpec(reverse=True))


def test_masked_steps_leave_the_state() -> None:
    x, weights, h = case()
    steps, out = check_masked_steps(rnn, x, weights, h)
    repeated = rnn(x, weights, h, masks=LSTMMasks(steps=steps), spec=RNNSpec(zero_output=False)).y
    torch.testing.assert_close(repeated[1, 0], out.y[0, 0])
    torch.testing.assert_close(repeated[4, 1], h[1])


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


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("reverse", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_pytorchs_operator_computes_what_the_reference_does(activation: str, reverse: bool, bias: bool) -> None:
    x, weights, h = case()
    weights, spec = weights if bias else RNNWeights(*weights[:2]), RNNSpec(activation, reverse)
    given = [tensor.requires_grad_() for tensor in (x, h, *weights) if tensor is not None]
    runs = rnn(x, weights, h, spec=spec), reference.rnn(x, weights, h, spec, LSTMMasks())
    gradients = [torch.autograd.grad(run.y.sin().sum() + run.h.square().sum(), given) for run in runs]
    torch.testing.assert_close(*runs)
    torch.testing.assert_close(*gradients)


def test_any_function_runs_the_reference() -> None:
    x, weights, h = case()
    ours = rnn(x, weights, h, spec=RNNSpec(torch.tanh))
    torch.testing.assert_close(ours, rnn(x, weights, h))
    assert rnn(x[:0], weights, h).y.shape == (0, B, H)
