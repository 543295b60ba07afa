"""The cells that PyTorch has too: its operators against the references, and what both promise of masks and time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from gatecast.ops import LSTMMasks
from gatecast.ops.gru_cell import reference as gru_reference
from gatecast.ops.gru_cell.pytorch import gru
from gatecast.ops.gru_cell.spec import GRUSpec, GRUWeights
from gatecast.ops.rnn_cell import reference as rnn_reference
from gatecast.ops.rnn_cell.pytorch import rnn
from gatecast.ops.rnn_cell.spec import RNNSpec, RNNWeights
from gatecast.ops.scan import ScanOutput

T, B, INPUT, H = 5, 2, 3, 4


class Cell(NamedTuple):
    """A cell on PyTorch's operator, its reference, its options, and the sizes of its weights."""

    run: Callable[..., ScanOutput]
    reference: Callable[..., ScanOutput]
    spec: Callable[..., Any]
    weights: Callable[..., Any]
    gates: int
    biases: int

    def case(self) -> tuple[Tensor, Any, Tensor]:
        torch.manual_seed(0)
        rows = self.gates * H
        shapes = [(T, B, INPUT), (B, H), (rows, INPUT), (rows, H), *[(rows,)] * self.biases]
        x, h, *weights = (torch.randn(shape, dtype=torch.float64) for shape in shapes)
        return x, self.weights(*weights), h


def rnn_spec_of(activation: str) -> Callable[..., RNNSpec]:
    return lambda **options: RNNSpec(activation, **options)


CELLS = {
    "gru": Cell(gru, gru_reference.gru, GRUSpec, GRUWeights, 3, 2),
    "rnn, tanh": Cell(rnn, rnn_reference.rnn, rnn_spec_of("tanh"), RNNWeights, 1, 1),
    "rnn, relu": Cell(rnn, rnn_reference.rnn, rnn_spec_of("relu"), RNNWeights, 1, 1),
}
EVERY = pytest.mark.parametrize("cell", [pytest.param(cell, id=name) for name, cell in CELLS.items()])


@EVERY
@pytest.mark.parametrize("reverse", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_pytorchs_operator_computes_what_the_reference_does(cell: Cell, reverse: bool, bias: bool) -> None:
    x, weights, h = cell.case()
    weights, spec = weights if bias else cell.weights(*weights[:2]), cell.spec(reverse=reverse)
    given = [tensor.requires_grad_() for tensor in (x, h, *weights) if tensor is not None]
    runs = cell.run(x, weights, h, spec=spec), cell.reference(x, weights, h, spec, LSTMMasks())
    gradients = [torch.autograd.grad(run.y.sin().sum() + run.h.square().sum(), given) for run in runs]
    torch.testing.assert_close(*runs)
    torch.testing.assert_close(*gradients)


@EVERY
def test_reverse_keeps_outputs_at_their_time(cell: Cell) -> None:
    x, weights, h = cell.case()
    backwards = cell.run(x, weights, h, spec=cell.spec(reverse=True))
    forwards = cell.run(x.flip(0), weights, h, spec=cell.spec())
    torch.testing.assert_close(backwards.y, forwards.y.flip(0))
    torch.testing.assert_close(backwards.h, forwards.h)


@EVERY
def test_masked_steps_leave_the_state(cell: Cell) -> None:
    x, weights, h = cell.case()
    steps = torch.tensor([[True, False, True, False, True], [False] * 5]).T
    x[~steps] = float("nan")
    out = cell.run(x, weights, h, spec=cell.spec(), masks=LSTMMasks(steps=steps))
    alone = cell.run(x[steps[:, 0], :1], weights, h[:1], spec=cell.spec())
    torch.testing.assert_close(out.h[0], alone.h[0])
    torch.testing.assert_close(out.h[1], h[1])
    assert (out.y[~steps] == 0).all()
    repeated = cell.run(x, weights, h, spec=cell.spec(zero_output=False), masks=LSTMMasks(steps=steps)).y
    torch.testing.assert_close(repeated[1, 0], out.y[0, 0])
    torch.testing.assert_close(repeated[4, 1], h[1])


@EVERY
def test_an_empty_sequence_gives_the_state_back(cell: Cell) -> None:
    x, weights, h = cell.case()
    out = cell.run(x[:0], weights, h, spec=cell.spec())
    assert out.y.shape == (0, B, H)
    torch.testing.assert_close(out.h, h)
