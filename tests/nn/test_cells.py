"""One step as a module: PyTorch's cells, and the layers with every option."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from fixtures.layers import LSTM_OPTIONS
from fixtures.refused import refused
from torch import nn

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.nn import GRU, LSTM, GRUCell, LSTMCell, RNNCell

CELLS = {"LSTM": (LSTMCell, nn.LSTMCell), "GRU": (GRUCell, nn.GRUCell), "RNN": (RNNCell, nn.RNNCell)}
OF_THE_CELL = (
    *("plain", "activation", "recurrent_activation", "peephole", "coupled peephole", "layer_norm"),
    *("projection", "cell_clip", "zoneout", "no bias", "single_bias"),
)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", list(CELLS))
def test_cells_are_pytorchs(kind: str, bias: bool) -> None:
    ours, theirs = CELLS[kind]
    torch.manual_seed(0)
    cell = ours(3, 4, bias)
    torch.manual_seed(0)
    rival = theirs(3, 4, bias)
    torch.testing.assert_close(dict(cell.named_parameters()), dict(rival.named_parameters()), rtol=0, atol=0)
    rival.load_state_dict(cell.state_dict())
    x, h = torch.randn(2, 3), torch.randn(2, 4)
    state = (h, torch.randn(2, 4)) if kind == "LSTM" else h
    torch.testing.assert_close(cell(x), rival(x))
    torch.testing.assert_close(cell(x, state), rival(x, state))
    single = tuple(part[0] for part in state) if kind == "LSTM" else h[0]
    torch.testing.assert_close(cell(x[0], single), rival(x[0], single))


@pytest.mark.parametrize("kind", [LSTMCell, GRUCell, RNNCell])
def test_the_input_has_pytorchs_keyword(kind: type) -> None:
    cell, x = kind(3, 4), torch.randn(2, 3)
    torch.testing.assert_close(cell(input=x), cell(x))


def test_relu_cell() -> None:
    cell, rival = RNNCell(3, 4, True, "relu"), nn.RNNCell(3, 4, True, "relu")
    cell.load_state_dict(rival.state_dict())
    x = torch.randn(2, 3)
    torch.testing.assert_close(cell(x), rival(x))


@pytest.mark.parametrize("name", OF_THE_CELL)
def test_a_loop_of_cells_is_the_layer(name: str) -> None:
    options: dict[str, Any] = dict(LSTM_OPTIONS[name])
    torch.manual_seed(0)
    layer = LSTM(3, 4, **options, dtype=torch.float64).eval()
    cell = LSTMCell(3, 4, **options, dtype=torch.float64).eval()
    cell.load_state_dict({key.removesuffix("_l0"): value for key, value in layer.state_dict().items()})
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    y, (h_n, c_n) = layer(x)
    state = None
    for t in range(5):
        state = cell(x[t], state)
        torch.testing.assert_close(state[0], y[t])
    torch.testing.assert_close(state, (h_n[0], c_n[0]))


def test_a_loop_of_gru_cells_with_the_reset_before() -> None:
    layer = GRU(3, 4, reset_after=False, single_bias=True, dtype=torch.float64)
    cell = GRUCell(3, 4, reset_after=False, single_bias=True, dtype=torch.float64)
    cell.load_state_dict({key.removesuffix("_l0"): value for key, value in layer.state_dict().items()})
    x, h = torch.randn(5, 2, 3, dtype=torch.float64), None
    for x_t, y_t in zip(x, layer(x)[0], strict=True):
        h = cell(x_t, h)
        torch.testing.assert_close(h, y_t)


def test_masks_of_a_cell_are_drawn_at_each_call() -> None:
    cell = LSTMCell(3, 4, recurrent_dropout=0.5, input_dropout=0.5, weight_drop=0.5, zoneout=0.5)
    x, state = torch.randn(2, 3), (torch.randn(2, 4), torch.randn(2, 4))
    assert not torch.equal(cell(x, state)[0], cell(x, state)[0])
    cell.eval()
    assert torch.equal(cell(x, state)[0], cell(x, state)[0])


def test_errors_of_a_cell() -> None:
    cell = LSTMCell(3, 4)
    with refused(SettingError, problem=[Arg("input"), "(batch, input_size)", "(5, 2, 3)"]):
        cell(torch.randn(5, 2, 3))
    with refused(SettingError, problem=[Arg("input"), "input_size = 3", "got 4"]):
        cell(torch.randn(2, 4))
    with refused(SettingError, problem=[Arg("h0"), "(batch, width) = (2, 4), got (1, 2, 4)"]):
        cell(torch.randn(2, 3), (torch.zeros(1, 2, 4), torch.zeros(1, 2, 4)))
    with refused(SettingError, problem=["LSTMCell", "'stateful'"], remedy=["hidden_size", "LSTMCellOptions"]):
        LSTMCell(3, 4, stateful=True)
    assert repr(LSTMCell(3, 4, False, peephole=True)) == "LSTMCell(3, 4, bias=False, peephole=True)"
