"""The reference against torch.nn.LSTM and against finite differences."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import torch
from torch import nn

from gatecast import ops, testing
from gatecast.ops import LSTMWeights
from gatecast.ops.gru_cell.pytorch import gru
from gatecast.ops.gru_cell.spec import GRUWeights
from gatecast.ops.lstm_cell import reference
from gatecast.ops.rnn_cell.pytorch import rnn
from gatecast.ops.rnn_cell.spec import RNNWeights
from gatecast.testing import OPTIONS, LSTMCase

SMOOTH = [case for case in OPTIONS if "relu" not in str(case.spec) and not case.poison and "gradient" not in case.name]


@pytest.mark.parametrize("proj_size", [0, 3])
def test_it_is_the_lstm_of_pytorch(proj_size: int) -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(3, 5, proj_size=proj_size).double()
    x = torch.randn(7, 2, 3, dtype=torch.float64)
    state = torch.randn(2, proj_size or 5, dtype=torch.float64), torch.randn(2, 5, dtype=torch.float64)
    bias = layer.bias_ih_l0 + layer.bias_hh_l0
    weights = ops.LSTMWeights(layer.weight_ih_l0, layer.weight_hh_l0, bias)
    if proj_size:
        weights = weights._replace(w_proj=layer.weight_hr_l0)
    found = reference.lstm(x, weights, state)
    y, (h, c) = layer(x, (state[0][None], state[1][None]))
    torch.testing.assert_close((found.y, found.h, found.c), (y, h[0], c[0]))


@pytest.mark.parametrize("case", SMOOTH, ids=str)
def test_gradients_are_finite_differences(case: LSTMCase) -> None:
    small = replace(case, time=3, batch=2, input=2, hidden=3, projection=min(case.projection, 2), state=True)
    x, weights, state, masks = testing.arguments(small)
    masks = ops.LSTMMasks(masks.steps, *(t if t is None else t.double() for t in masks[1:]))
    assert state is not None
    spec = replace(small.spec, gradient_clip=None)
    given = [t.double().requires_grad_() for t in (x, *state, *weights) if t is not None]
    names = [name for name, weight in zip(weights._fields, weights, strict=True) if weight is not None]

    def function(x: torch.Tensor, h: torch.Tensor, c: torch.Tensor, *rest: torch.Tensor) -> tuple[torch.Tensor, ...]:
        output = reference.lstm(
            x, weights._replace(**dict(zip(names, rest, strict=True))), (h, c), spec=spec, masks=masks, cells=True
        )
        return tuple(t for t in output if t is not None)

    assert torch.autograd.gradcheck(function, given)


def test_the_gradient_can_be_differentiated_again() -> None:
    x, weights, *_ = testing.arguments(LSTMCase("tiny", 2, 2, 2, 2))
    given = [t.double().requires_grad_() for t in (x, *weights) if t is not None]
    assert torch.autograd.gradgradcheck(lambda x, *rest: reference.lstm(x, ops.LSTMWeights(*rest)).y, given)


def _backward_of(loss: torch.Tensor) -> dict[str, int]:
    """How often each kind of node is in the graph of the gradient."""
    seen, todo, count = set(), [loss.grad_fn], Counter()
    while todo:
        node = todo.pop()
        if node is not None and node not in seen:
            seen.add(node)
            count[node.name()] += 1
            todo += [following for following, _ in node.next_functions]
    return count


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_the_gradient_of_a_step_is_not_as_large_as_the_sequence(cell: str) -> None:
    gates = {"lstm": 4, "gru": 3, "rnn": 1}[cell]
    x, w_ih, w_hh = torch.randn(6, 2, 3), torch.randn(gates * 4, 3, requires_grad=True), torch.randn(gates * 4, 4)
    if cell == "lstm":
        y = reference.lstm(x, LSTMWeights(w_ih, w_hh)).y
    else:
        y = gru(x, GRUWeights(w_ih, w_hh)).y if cell == "gru" else rnn(x, RNNWeights(w_ih, w_hh)).y
    nodes = _backward_of(y.sum())
    assert nodes["UnbindBackward0"] == 1
    assert nodes["SelectBackward0"] == 0


def test_padding_is_cleaned_by_choice_not_by_product() -> None:
    x = torch.full((2, 1, 3), float("nan"))
    assert torch.equal(reference.without_masked(x, torch.zeros(2, 1, dtype=torch.bool)), torch.zeros(2, 1, 3))
    assert reference.without_masked(x, None) is x
