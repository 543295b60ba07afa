"""The LSTM that defines all others, against its equations written gate by gate, option by option."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from gatecast.ops import CellSpec, LSTMMasks, LSTMWeights
from gatecast.ops.lstm_cell.reference import lstm

T, B, INPUT, H, P = 4, 2, 3, 5, 2


def draw(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


def case(*, gates: int = 4, peephole: bool = False, norm: bool = False, proj: bool = False) -> Any:
    """Input, weights and state."""
    torch.manual_seed(0)
    width, rows = P if proj else H, gates * H
    weights = LSTMWeights(
        draw(rows, INPUT),
        draw(rows, width),
        draw(rows),
        draw(gates - 1, H) if peephole else None,
        draw(rows) if norm else None,
        draw(rows) if norm else None,
        draw(2, H) if norm else None,
        draw(P, H) if proj else None,
    )
    return draw(T, B, INPUT), weights, (draw(B, width), draw(B, H))


def normed(x: Tensor, gain: Tensor | None, bias: Tensor | float = 0.0) -> Tensor:
    """Layer normalisation by its formula."""
    if gain is None:
        return x
    mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, unbiased=False)
    return (x - mean) / (variance + 1e-5).sqrt() * gain + bias


def by_hand(x: Tensor, weights: LSTMWeights, h: Tensor, c: Tensor, *, coupled: bool = False) -> tuple[Tensor, Tensor]:
    """One step, gate by gate."""
    gates = normed(x @ weights.w_ih.T, weights.norm_x) + normed(h @ weights.w_hh.T, weights.norm_h) + weights.bias
    peep = torch.zeros(3, H, dtype=x.dtype)
    if weights.peephole is not None:
        peep[-len(weights.peephole) :] = weights.peephole
    parts = dict(zip("fgo" if coupled else "ifgo", gates.split(H, -1), strict=True))
    f = torch.sigmoid(parts["f"] + peep[1] * c)
    i = 1 - f if coupled else torch.sigmoid(parts["i"] + peep[0] * c)
    c = f * c + i * torch.tanh(parts["g"])
    o = torch.sigmoid(parts["o"] + peep[2] * c)
    shown = c if weights.norm_c is None else normed(c, *weights.norm_c)
    h = o * torch.tanh(shown)
    return (h if weights.w_proj is None else h @ weights.w_proj.T), c


CASES = {
    "plain": {},
    "peephole": {"peephole": True},
    "coupled": {"gates": 3},
    "coupled peephole": {"gates": 3, "peephole": True},
    "layer norm": {"norm": True},
    "projection": {"proj": True},
    "all": {"gates": 3, "peephole": True, "norm": True, "proj": True},
}


@pytest.mark.parametrize("name", list(CASES))
def test_the_equations(name: str) -> None:
    options = CASES[name]
    x, weights, (h, c) = case(**options)
    coupled = options.get("gates") == 3
    out = lstm(x, weights, (h, c), spec=CellSpec(coupled=coupled), cells=True)
    for t in range(T):
        h, c = by_hand(x[t], weights, h, c, coupled=coupled)
        torch.testing.assert_close(out.y[t], h)
        torch.testing.assert_close(out.cells[t], c)
    torch.testing.assert_close((out.h, out.c), (h, c))


def test_activations_and_the_bound_on_the_cell() -> None:
    x, weights, (h, c) = case()
    out = lstm(x, weights, (h, c), spec=CellSpec("softsign", torch.cos, cell_clip=0.5))
    for t in range(T):
        i, f, g, o = (x[t] @ weights.w_ih.T + h @ weights.w_hh.T + weights.bias).split(H, -1)
        c = (f.cos() * c + i.cos() * g / (1 + g.abs())).clamp(-0.5, 0.5)
        h = o.cos() * c / (1 + c.abs())
        torch.testing.assert_close(out.y[t], h)
    assert (c.abs() == 0.5).any()


def test_masks_by_hand() -> None:
    x, weights, (h, c) = case()
    recurrent, zone_h, zone_c = torch.rand(3, T, B, H, dtype=torch.float64)
    out = lstm(x, weights, (h, c), masks=LSTMMasks(None, recurrent, zone_h, zone_c))
    for t in range(T):
        new_h, new_c = by_hand(x[t], weights, h * recurrent[t], c)
        h, c = zone_h[t] * h + (1 - zone_h[t]) * new_h, zone_c[t] * c + (1 - zone_c[t]) * new_c
        torch.testing.assert_close(out.y[t], h)
    torch.testing.assert_close(out.c, c)


@pytest.mark.parametrize("reverse", [True, False])
@pytest.mark.parametrize("zero_output", [True, False])
def test_masked_steps_leave_the_state(reverse: bool, zero_output: bool) -> None:
    x, weights, (h, c) = case()
    steps = torch.tensor([[True, False, True, False], [False] * 4]).T
    x[~steps] = float("nan")
    spec = CellSpec(reverse=reverse, zero_output=zero_output)
    out = lstm(x, weights, (h, c), spec=spec, masks=LSTMMasks(steps=steps), cells=True)
    alone = lstm(x[steps[:, 0], :1], weights, (h[:1], c[:1]), spec=spec, cells=True)
    torch.testing.assert_close(out.y[steps[:, 0], :1], alone.y)
    torch.testing.assert_close(out.cells[steps[:, 0], :1], alone.cells)
    torch.testing.assert_close((out.h[0], out.c[0]), (alone.h[0], alone.c[0]))
    torch.testing.assert_close((out.h[1], out.c[1]), (h[1], c[1]))
    between = h[1].expand(4, H) if not zero_output else torch.zeros(4, H, dtype=torch.float64)
    torch.testing.assert_close(out.y[:, 1], between)


@pytest.mark.parametrize("name", list(CASES))
def test_gradients_with_masks(name: str) -> None:
    x, weights, (h, c) = case(**CASES[name])
    names = [field for field, value in weights._asdict().items() if value is not None]
    recurrent, zone = torch.rand(2, T, B, h.shape[1], dtype=torch.float64)
    masks = LSTMMasks(torch.rand(T, B) > 0.3, 2 * recurrent, zone, torch.rand(T, B, H, dtype=torch.float64))
    spec = CellSpec(coupled=CASES[name].get("gates") == 3)
    leaves = [tensor.requires_grad_() for tensor in (x, h, c, *(getattr(weights, field) for field in names))]

    def run(x: Tensor, h: Tensor, c: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        given = weights._replace(**dict(zip(names, rest, strict=True)))
        return tuple(lstm(x, given, (h, c), spec=spec, masks=masks, cells=True))

    assert gradcheck(run, leaves, fast_mode=True)
