"""The original cell against its equations, the truncated gradient against the paper's, and the error carousel."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gatecast.ops.lstm1997_cell.reference import lstm1997, units_of
from gatecast.ops.lstm1997_cell.spec import Spec1997, State1997, Weights1997
from gatecast.ops.masks import LSTMMasks


def weights_of(spec: Spec1997, *, inputs: int = 3) -> Weights1997:
    torch.manual_seed(0)
    w_hh = torch.randn(spec.units, spec.fed_back).double() if spec.fed_back else None
    return Weights1997(torch.randn(spec.units, inputs).double(), w_hh, torch.randn(spec.units).double())


def input_of(*, time: int = 4, batch: int = 2, inputs: int = 3) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(time, batch, inputs).double()


def g(x: Tensor) -> Tensor:
    return 4 / (1 + torch.exp(-x)) - 2


def h(x: Tensor) -> Tensor:
    return 2 / (1 + torch.exp(-x)) - 1


@pytest.mark.parametrize("feedback", ["all", "cells", "none"])
@pytest.mark.parametrize("output_gate", [True, False])
def test_blocks_are_the_equations_cell_by_cell(feedback: str, output_gate: bool) -> None:
    spec = Spec1997(2, 3, output_gate, feedback)
    w, x = weights_of(spec), input_of()
    u, s = torch.zeros(2, spec.units).double(), torch.zeros(2, 6).double()
    for t in range(len(x)):
        seen = {"all": u, "cells": u[:, 2:8], "none": u[:, :0]}[feedback]
        net = x[t] @ w.w_ih.T + w.bias + (0 if w.w_hh is None else seen @ w.w_hh.T)
        u = torch.zeros_like(u)
        for block in range(2):
            u[:, block] = torch.sigmoid(net[:, block])
            if output_gate:
                u[:, 8 + block] = torch.sigmoid(net[:, 8 + block])
            for cell in range(3 * block, 3 * block + 3):
                s[:, cell] += u[:, block] * g(net[:, 2 + cell])
                u[:, 2 + cell] = h(s[:, cell]) * (u[:, 8 + block] if output_gate else 1)
        state = lstm1997(x[: t + 1], w, spec)[1]
        torch.testing.assert_close((units_of(state, spec), state.c), (u, s))
        torch.testing.assert_close(lstm1997(x, w, spec)[0][t], u[:, 2:8])


def truncated_by_hand(x: Tensor, target: Tensor, w: Weights1997, readout: Tensor) -> list[Tensor]:
    """Appendix A.1 for one block of one cell and squared error: partial derivatives of s carried forward in time."""
    u, s = torch.zeros(3).double(), torch.zeros(()).double()
    ds_input, ds_cell = torch.zeros(7).double(), torch.zeros(7).double()
    total = [torch.zeros(7).double() for _ in range(3)]
    for x_t, wanted in zip(x, target, strict=True):
        source = torch.cat([x_t, u, torch.ones(1).double()])  # a row of W_ih, W_hh and b
        net = torch.cat([w.w_ih, w.w_hh, w.bias[:, None]], 1) @ source
        y_in, y_out = torch.sigmoid(net[0]), torch.sigmoid(net[2])
        squashed, slope = g(net[1]), (2 - g(net[1])) * (2 + g(net[1])) / 4
        ds_input = ds_input + squashed * y_in * (1 - y_in) * source  # ∂s(t) = ∂s(t-1) + g ∂y_in
        ds_cell = ds_cell + y_in * slope * source  # ∂s(t) = ∂s(t-1) + y_in g' ∂net_c
        s = s + y_in * squashed
        error = (readout * y_out * h(s) - wanted) * readout
        through = error * y_out * (1 - h(s)) * (1 + h(s)) / 2
        parts = through * ds_input, through * ds_cell, error * h(s) * y_out * (1 - y_out) * source
        total = [a + b for a, b in zip(total, parts, strict=True)]
        u = torch.stack([y_in, y_out * h(s), y_out])
    return total


def test_the_truncated_gradient_is_the_one_derived_by_hand() -> None:
    spec = Spec1997(1)
    w = Weights1997(*[part.requires_grad_() for part in weights_of(spec) if part is not None])
    x, readout = input_of(time=7, batch=1), torch.tensor(1.3).double()
    target = torch.randn(7).double()

    def gradient(spec: Spec1997) -> Tensor:
        loss = 0.5 * (readout * lstm1997(x, w, spec)[0].flatten() - target).square().sum()
        w_ih, w_hh, bias = torch.autograd.grad(loss, list(w))
        return torch.cat([w_ih, w_hh, bias[:, None]], 1)

    with torch.no_grad():
        expected = torch.stack(truncated_by_hand(x[:, 0], target, w, readout))
    torch.testing.assert_close(gradient(spec), expected)
    assert not torch.allclose(gradient(Spec1997(1, truncate=False)), expected, rtol=1e-3)


def test_the_error_carousel_neither_fades_nor_grows_in_a_thousand_steps() -> None:
    spec = Spec1997(2, 2)
    w, x = weights_of(spec), input_of(time=1000, batch=1)
    zeros = torch.zeros(1, 4).double()
    state = State1997(zeros, zeros.clone().requires_grad_(), zeros)
    last = lstm1997(x, w, spec, state)[1].c
    rows = [torch.autograd.grad(last[0, cell], state.c, retain_graph=True)[0][0] for cell in range(4)]
    assert torch.equal(torch.stack(rows), torch.eye(4).double())


def test_without_truncation_the_gradient_is_whole() -> None:
    spec = Spec1997(1, 2, truncate=False)
    inputs = [part.requires_grad_() for part in (input_of(time=3, batch=1), *weights_of(spec)) if part is not None]

    def run(x: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
        y, state = lstm1997(x, Weights1997(*parts), spec)
        return y, *state

    assert torch.autograd.gradcheck(run, inputs)
    assert torch.autograd.gradgradcheck(run, inputs, fast_mode=True)


def test_values_do_not_depend_on_the_learning_rule() -> None:
    x, w = input_of(), weights_of(Spec1997(2, 2))
    assert torch.equal(lstm1997(x, w, Spec1997(2, 2))[0], lstm1997(x, w, Spec1997(2, 2, truncate=False))[0])


def test_masked_steps_leave_the_state_as_it_was() -> None:
    spec = Spec1997(2, 2)
    w, x = weights_of(spec), input_of()
    steps = torch.tensor([[True, False], [False, True], [True, True], [True, False]])
    x[~steps] = float("nan")
    y, last = lstm1997(x, w, spec, masks=LSTMMasks(steps))
    for b in range(2):
        alone, state = lstm1997(x[steps[:, b], b : b + 1], w, spec)
        torch.testing.assert_close(y[steps[:, b], b : b + 1], alone)
        torch.testing.assert_close(State1997(*[part[b : b + 1] for part in last]), state)
    assert not y[~steps].any()


def test_no_steps_give_the_state_back() -> None:
    y, state = lstm1997(input_of(time=0), weights_of(Spec1997(2, 2)), Spec1997(2, 2))
    assert y.shape == (0, 2, 4)
    assert not any(part.any() for part in state)
