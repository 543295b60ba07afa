"""The recurrent layer against its equations, its start, and its last state."""

from __future__ import annotations

import pytest
import torch

from gatecast.nn.recurrent import last_hidden, make_lstm


def test_one_step_is_the_equations() -> None:
    torch.manual_seed(0)
    lstm = make_lstm(3, 4)
    x = torch.randn(2, 1, 3)
    h, c = torch.randn(1, 2, 4), torch.randn(1, 2, 4)
    gates = x[:, 0] @ lstm.weight_ih_l0.T + lstm.bias_ih_l0 + h[0] @ lstm.weight_hh_l0.T + lstm.bias_hh_l0
    i, f, g, o = gates.chunk(4, -1)
    cell = f.sigmoid() * c[0] + i.sigmoid() * g.tanh()
    out, (_, last) = lstm(x, (h, c))
    torch.testing.assert_close(last[0], cell)
    torch.testing.assert_close(out[:, 0], o.sigmoid() * cell.tanh())


def test_the_forget_gate_starts_open() -> None:
    lstm = make_lstm(3, 4, num_layers=2, bidirectional=True)
    for name, bias in lstm.named_parameters():
        if name.startswith("bias_ih"):
            assert bias[4:8].tolist() == [1.0] * 4
            assert bias[:4].abs().max() < 1


@pytest.mark.filterwarnings("error")
def test_dropout_with_one_layer_is_left_out_without_a_warning() -> None:
    assert make_lstm(3, 4, dropout=0.5).dropout == 0
    assert make_lstm(3, 4, num_layers=2, dropout=0.5).dropout == 0.5


def test_without_bias() -> None:
    assert not [name for name, _ in make_lstm(3, 4, bias=False).named_parameters() if "bias" in name]


def test_last_hidden_of_two_layers_and_directions() -> None:
    lstm = make_lstm(3, 4, num_layers=2, bidirectional=True)
    out, state = lstm(torch.randn(2, 5, 3))
    expected = torch.cat([out[:, -1, :4], out[:, 0, 4:]], -1)  # forwards ends at the last row, backwards at the first
    torch.testing.assert_close(last_hidden(state, bidirectional=True), expected)
