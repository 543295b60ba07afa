"""The sLSTM against the paper's unstabilised equations, finite differences, and gates far out of range."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gatecast.ops.masks import LSTMMasks
from gatecast.ops.slstm_cell.reference import slstm
from gatecast.ops.slstm_cell.spec import SLSTMSpec, SLSTMState, SLSTMWeights

FORGET = pytest.mark.parametrize("exponential_forget", [False, True])


def weights_of(
    *, hidden: int = 6, heads: int = 1, size: float = 0.5, dtype: torch.dtype = torch.float64
) -> SLSTMWeights:
    torch.manual_seed(0)
    shapes = (4 * hidden, 3), (4 * hidden, hidden // heads), (4 * hidden,)
    return SLSTMWeights(*[(torch.randn(shape, dtype=torch.float64) * size).to(dtype) for shape in shapes])


def input_of(*, time: int = 5, batch: int = 2, dtype: torch.dtype = torch.float64) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(time, batch, 3, dtype=torch.float64).to(dtype)


def naive(x: Tensor, w: SLSTMWeights, *, heads: int, exponential_forget: bool) -> tuple[Tensor, Tensor, Tensor]:
    """The equations without a stabiliser, with the recurrent matrices written out in full."""
    hidden = len(w.bias) // 4
    blocks = [torch.block_diag(*gate.chunk(heads)) for gate in w.w_hh.chunk(4)]
    r_i, r_f, r_z, r_o = blocks
    w_i, w_f, w_z, w_o = w.w_ih.chunk(4)
    b_i, b_f, b_z, b_o = w.bias.chunk(4)
    h = c = n = x.new_zeros(x.shape[1], hidden)
    outputs = []
    for x_t in x:
        z = torch.tanh(x_t @ w_z.T + h @ r_z.T + b_z)
        i = torch.exp(x_t @ w_i.T + h @ r_i.T + b_i)
        f = x_t @ w_f.T + h @ r_f.T + b_f
        f = torch.exp(f) if exponential_forget else torch.sigmoid(f)
        o = torch.sigmoid(x_t @ w_o.T + h @ r_o.T + b_o)
        c = f * c + i * z
        n = f * n + i
        h = o * (c / n)
        outputs.append(h)
    return torch.stack(outputs), c, n


@FORGET
@pytest.mark.parametrize("heads", [1, 2, 3, 6])
def test_it_is_the_unstabilised_definition(heads: int, exponential_forget: bool) -> None:
    w, x = weights_of(heads=heads), input_of()
    y, last = slstm(x, w, spec=SLSTMSpec(exponential_forget))
    expected, c, n = naive(x, w, heads=heads, exponential_forget=exponential_forget)
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(last.h, expected[-1])
    torch.testing.assert_close(last.c * last.m.exp(), c)
    torch.testing.assert_close(last.n * last.m.exp(), n)


@FORGET
def test_gradients_are_those_of_the_unstabilised_definition(exponential_forget: bool) -> None:
    w = SLSTMWeights(*[part.requires_grad_() for part in weights_of(heads=2)])
    x = input_of().requires_grad_()
    ours = torch.autograd.grad(slstm(x, w, spec=SLSTMSpec(exponential_forget))[0].square().sum(), [x, *w])
    expected = naive(x, w, heads=2, exponential_forget=exponential_forget)[0].square().sum()
    torch.testing.assert_close(ours, torch.autograd.grad(expected, [x, *w]))


@FORGET
def test_gradients_once_and_twice(exponential_forget: bool) -> None:
    inputs = [part.requires_grad_() for part in (input_of(time=3, batch=1), *weights_of(hidden=2, heads=2))]

    def run(x: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
        y, last = slstm(x, SLSTMWeights(*parts), spec=SLSTMSpec(exponential_forget))
        return y, *last

    assert torch.autograd.gradcheck(run, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, inputs, fast_mode=True)


@FORGET
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_gates_of_a_thousand_stay_finite(dtype: torch.dtype, exponential_forget: bool) -> None:
    torch.manual_seed(0)
    signs = torch.randint(0, 2, (40, 3, 3)).to(dtype) * 2 - 1
    rows = torch.tensor([1.0, 1, -1, -1, 1, -1, 1, -1] * 2)[
        :, None
    ]  # all four pairs of signs of i and f among the units
    parts = rows.expand(-1, 3) * 1000 / 3, torch.randn(16, 4), torch.zeros(16)
    w = SLSTMWeights(*[part.to(dtype) for part in parts])
    w = SLSTMWeights(*[part.requires_grad_() for part in w])
    x = torch.where(torch.rand(40, 3, 1) < 0.5, signs, signs[..., :1].expand(-1, -1, 3)).requires_grad_()
    assert (x @ w.w_ih.T).abs().max() > 990
    y, last = slstm(x, w, spec=SLSTMSpec(exponential_forget))
    assert y.isfinite().all()
    assert (y.abs() <= 1).all()
    assert all(part.isfinite().all() for part in last)
    assert (last.n >= 1).all()
    y.sum().backward()
    assert all(part.grad is not None and part.grad.isfinite().all() for part in (x, *w))


def test_a_loud_step_outweighs_all_before_it() -> None:
    """Input gates i, ĩ = 30 at one step: the cell there is that step's candidate, whatever came before."""
    w = SLSTMWeights(torch.tensor([[30.0, 0], [0, 0], [0, 1], [0, 0]]), torch.zeros(4, 1), torch.tensor([0.0, 9, 0, 9]))
    x = torch.tensor([[0, 0.5]] * 20 + [[1, -2]] + [[0, 0.5]] * 5)[:, None]
    y = slstm(x, w)[0].flatten()
    torch.testing.assert_close(y[19], torch.tanh(torch.tensor(0.5)) * torch.sigmoid(torch.tensor(9.0)))
    torch.testing.assert_close(y[20:], torch.tanh(torch.tensor(-2.0)).expand(6), atol=1e-3, rtol=0)


def test_masked_steps_leave_the_state_as_it_was() -> None:
    w, x = weights_of(heads=2), input_of(time=4)
    steps = torch.tensor([[False, True], [True, True], [False, True], [True, False]])
    x[~steps] = float("nan")
    y, last = slstm(x, w, masks=LSTMMasks(steps))
    for b in range(2):
        alone, state = slstm(x[steps[:, b], b : b + 1], w)
        torch.testing.assert_close(y[steps[:, b], b : b + 1], alone)
        torch.testing.assert_close(SLSTMState(*[part[b : b + 1] for part in last]), state)
    assert not y[~steps].any()


def test_half_precision_keeps_its_sums_in_float32() -> None:
    w, x = weights_of(dtype=torch.bfloat16), input_of(time=300, dtype=torch.bfloat16)
    y, last = slstm(x, w)
    assert y.dtype == last.h.dtype == torch.bfloat16
    assert last.c.dtype == last.n.dtype == last.m.dtype == torch.float32
    wide = slstm(x.double(), SLSTMWeights(*[part.double() for part in w]))[0]
    torch.testing.assert_close(y.double(), wide, atol=0.03, rtol=0)


def test_no_steps_give_the_empty_state() -> None:
    y, last = slstm(input_of(time=0), weights_of())
    assert y.shape == (0, 2, 6)
    assert not last.h.any()
    assert (last.m == -torch.inf).all()
