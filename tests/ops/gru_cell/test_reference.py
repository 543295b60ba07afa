"""The GRU operator against its equations (both places of the reset gate) and its masks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from gatecast.ops import LSTMMasks
from gatecast.ops.gru_cell import reference
from gatecast.ops.gru_cell.pytorch import gru
from gatecast.ops.gru_cell.spec import GRUSpec, GRUWeights

T, B, INPUT, H = 5, 2, 3, 4


def case() -> tuple[Tensor, GRUWeights, Tensor]:
    torch.manual_seed(0)
    shapes = [(T, B, INPUT), (3 * H, INPUT), (3 * H, H), (3 * H,), (3 * H,), (B, H)]
    x, w_ih, w_hh, bias_ih, bias_hh, h = (torch.randn(shape, dtype=torch.float64) for shape in shapes)
    return x, GRUWeights(w_ih, w_hh, bias_ih, bias_hh), h


def by_hand(x: Tensor, weights: GRUWeights, h: Tensor, before: Tensor, *, reset_after: bool) -> Tensor:
    """One step, gate by gate; ``before`` is h on its way to the matrices."""
    (w_ir, w_iz, w_in), (w_hr, w_hz, w_hn) = weights.w_ih.chunk(3), weights.w_hh.chunk(3)
    (b_ir, b_iz, b_in), (b_hr, b_hz, b_hn) = weights.bias_ih.chunk(3), weights.bias_hh.chunk(3)
    r = (x @ w_ir.T + b_ir + before @ w_hr.T + b_hr).sigmoid()
    z = (x @ w_iz.T + b_iz + before @ w_hz.T + b_hz).sigmoid()
    inner = r * (before @ w_hn.T + b_hn) if reset_after else (r * before) @ w_hn.T + b_hn
    return (1 - z) * (x @ w_in.T + b_in + inner).tanh() + z * h


@pytest.mark.parametrize("reset_after", [True, False])
def test_the_equations(reset_after: bool) -> None:
    x, weights, h = case()
    out = reference.gru(x, weights, h, GRUSpec(reset_after=reset_after), LSTMMasks())
    for t in range(T):
        h = by_hand(x[t], weights, h, h, reset_after=reset_after)
        torch.testing.assert_close(out.y[t], h)
    torch.testing.assert_close(out.h, h)


@pytest.mark.parametrize("reset_after", [True, False])
def test_masks_by_hand(reset_after: bool) -> None:
    x, weights, h = case()
    recurrent, zone = torch.rand(2, T, B, H, dtype=torch.float64)
    spec, masks = GRUSpec(reset_after=reset_after), LSTMMasks(recurrent=recurrent, zone_h=zone)
    out = gru(x, weights, h, spec=spec, masks=masks)
    for t in range(T):
        new = by_hand(x[t], weights, h, h * recurrent[t], reset_after=reset_after)
        h = zone[t] * h + (1 - zone[t]) * new
        torch.testing.assert_close(out.y[t], h)


@pytest.mark.parametrize("reset_after", [True, False])
def test_without_bias_and_state(reset_after: bool) -> None:
    x, weights, _ = case()
    spec = GRUSpec(reset_after=reset_after)
    nothing, zeros = torch.zeros(3 * H, dtype=torch.float64), torch.zeros(B, H, dtype=torch.float64)
    bare = gru(x, GRUWeights(*weights[:2]), spec=spec)
    torch.testing.assert_close(bare, gru(x, GRUWeights(*weights[:2], nothing, nothing), zeros, spec=spec))


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("clip", [None, 10.0])
def test_gradients_with_masks(reset_after: bool, clip: float | None) -> None:
    x, weights, h = case()
    share = torch.rand(T, B, H, dtype=torch.float64)
    masks = LSTMMasks(steps=torch.rand(T, B) > 0.3, recurrent=2 * share, zone_h=share)
    spec = GRUSpec("softsign", "sigmoid", reset_after=reset_after, gradient_clip=clip)
    leaves = [tensor.requires_grad_() for tensor in (x, *weights, h)]

    def run(x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        return tuple(gru(x, GRUWeights(*rest[:-1]), rest[-1], spec=spec, masks=masks))

    assert gradcheck(run, leaves, fast_mode=True)
