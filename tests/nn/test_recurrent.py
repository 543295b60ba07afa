"""The recurrent layers against PyTorch's: weights, outputs, states and gradients; and the layer that models use."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import pytest
import torch
from fixtures.layers import PAIRS, like_torch, random_state, tensors
from fixtures.refused import refused
from torch import nn

from gatecast.base.errors import SettingError
from gatecast.nn import GRU, LSTM, RNN
from gatecast.nn.recurrent import last_hidden, make_lstm, make_recurrent

ONEDNN = "ignore:LSTM with projections is not supported:UserWarning"  # PyTorch's word on its own layer
SHAPES = [
    {},
    {"num_layers": 2},
    {"bias": False},
    {"batch_first": True},
    {"bidirectional": True},
    {"num_layers": 3, "bidirectional": True, "batch_first": True},
]


def same_gradients(ours: nn.Module, theirs: nn.Module) -> None:
    for (name, a), (other, b) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        assert name == other
        torch.testing.assert_close(a.grad, b.grad, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", list(PAIRS))
@pytest.mark.parametrize("with_state", [False, True])
def test_outputs_states_and_gradients_are_pytorchs(kind: str, shape: dict[str, Any], with_state: bool) -> None:
    layer, rival = like_torch(kind, **shape)
    x = torch.randn(5, 5, 3, dtype=torch.float64, requires_grad=True)
    hx = random_state(kind, layer.num_layers * layer.directions, 5) if with_state else None
    other_x = x.detach().clone().requires_grad_()
    ours, theirs = tensors(layer(x, hx)), tensors(rival(other_x, hx))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)
    sum((a.sin() * (n + 1)).sum() for n, a in enumerate(ours)).backward()
    sum((b.sin() * (n + 1)).sum() for n, b in enumerate(theirs)).backward()
    same_gradients(layer, rival)
    torch.testing.assert_close(x.grad, other_x.grad)


@pytest.mark.filterwarnings(ONEDNN)
@pytest.mark.parametrize("shape", [{}, {"bidirectional": True, "num_layers": 2}], ids=str)
def test_projection_is_pytorchs(shape: dict[str, Any]) -> None:
    layer, rival = like_torch("LSTM", proj_size=2, **shape)
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    hx = random_state("LSTM", layer.num_layers * layer.directions, 2, output=2)
    ours, theirs = tensors(layer(x, hx)), tensors(rival(x, hx))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)
    sum(a.square().sum() for a in ours).backward()
    sum(b.square().sum() for b in theirs).backward()
    same_gradients(layer, rival)


def test_relu_network_is_pytorchs() -> None:
    layer, rival = like_torch("RNN", nonlinearity="relu")
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    torch.testing.assert_close(layer(x), rival(x))


@pytest.mark.parametrize("kind", list(PAIRS))
def test_weights_go_to_pytorch_and_back(kind: str) -> None:
    ours, theirs = PAIRS[kind]
    layer, rival = ours(3, 4, 2, bidirectional=True), theirs(3, 4, 2, bidirectional=True)
    assert list(layer.state_dict()) == list(rival.state_dict())
    rival.load_state_dict(layer.state_dict())
    x = torch.randn(5, 2, 3)
    torch.testing.assert_close(layer(x), rival(x))


@pytest.mark.parametrize("kind", list(PAIRS))
def test_one_seed_gives_pytorchs_weights(kind: str) -> None:
    ours, theirs = PAIRS[kind]
    torch.manual_seed(3)
    layer = ours(3, 4, 2, bidirectional=True)
    torch.manual_seed(3)
    rival = theirs(3, 4, 2, bidirectional=True)
    torch.testing.assert_close(dict(layer.named_parameters()), dict(rival.named_parameters()), rtol=0, atol=0)


@pytest.mark.parametrize("kind", list(PAIRS))
def test_positional_arguments_are_pytorchs(kind: str) -> None:
    arguments = (3, 4, 2, "relu", True, True, 0.5, True) if kind == "RNN" else (3, 4, 2, True, True, 0.5, True)
    ours, theirs = PAIRS[kind]
    layer, rival = ours(*arguments), theirs(*arguments)
    names = ["input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional"]
    assert [getattr(layer, name) for name in names] == [getattr(rival, name) for name in names]
    assert {k: v.shape for k, v in layer.state_dict().items()} == {k: v.shape for k, v in rival.state_dict().items()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("kind", list(PAIRS))
def test_every_dtype_gives_its_own(kind: str, dtype: torch.dtype) -> None:
    layer = PAIRS[kind][0](3, 4, 2, dtype=dtype)
    exact = PAIRS[kind][0](3, 4, 2, dtype=torch.float64)
    exact.load_state_dict(layer.state_dict())
    x = torch.randn(6, 2, 3, dtype=dtype)
    output = layer(x)
    assert {t.dtype for t in tensors(output)} == {dtype}
    rtol, atol = {torch.bfloat16: (2e-2, 2e-2), torch.float32: (1e-5, 1e-6), torch.float64: (0, 0)}[dtype]
    torch.testing.assert_close(output[0].double(), exact(x.double())[0], rtol=rtol, atol=atol)


@pytest.mark.parametrize("kind", list(PAIRS))
def test_two_runs_are_equal_to_the_bit(kind: str) -> None:
    layer = PAIRS[kind][0](3, 4, 2, dropout=0.5, recurrent_dropout=0.3, zoneout=0.1)
    x = torch.randn(6, 2, 3)
    runs = []
    for _ in range(2):
        torch.manual_seed(7)
        layer.zero_grad()
        layer(x)[0].sum().backward()
        runs.append([parameter.grad.clone() for parameter in layer.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))


def test_one_seed_drops_between_layers_what_pytorch_drops() -> None:
    layer, rival = like_torch("LSTM", num_layers=2, dropout=0.5)
    x = torch.randn(6, 2, 3, dtype=torch.float64)
    torch.manual_seed(5)
    ours = layer(x)[0]
    torch.manual_seed(5)
    torch.testing.assert_close(ours, rival(x)[0])


def test_a_layer_can_be_copied_and_has_a_repr() -> None:
    layer = LSTM(3, 4, 2, batch_first=True, zoneout=0.1, peephole=True)
    layer(torch.randn(2, 5, 3))
    twin = copy.deepcopy(layer).eval()
    x = torch.randn(2, 5, 3)
    torch.testing.assert_close(twin(x), layer.eval()(x))
    assert repr(layer) == "LSTM(3, 4, num_layers=2, batch_first=True, zoneout=0.1, peephole=True)"
    assert repr(RNN(3, 4)) == "RNN(3, 4)"
    assert repr(RNN(3, 4, 1, "relu")) == "RNN(3, 4, nonlinearity='relu')"
    assert repr(LSTM(3, 4, proj_size=2)) == "LSTM(3, 4, proj_size=2)"


def test_the_signature_shows_every_option() -> None:
    parameters = inspect.signature(LSTM).parameters
    assert list(parameters)[:8] == list(inspect.signature(LSTM.__init__).parameters)[1:9]
    assert {"zoneout", "peephole", "stateful", "return_cells", "static_size"} <= set(parameters)
    assert "options" not in parameters
    assert parameters["merge_mode"].default == "concat"


@pytest.mark.parametrize("kind", [LSTM, GRU, RNN])
def test_an_unknown_option_is_named_with_the_one_meant(kind: type) -> None:
    with refused(SettingError, problem=[kind.__name__, "'zone_out'"], remedy="'zoneout'"):
        kind(3, 4, zone_out=0.1)


def test_options_of_the_lstm_are_not_the_grus() -> None:
    with refused(SettingError, problem=["GRU", "'peephole'"], remedy=["hidden_size", "GRUCellOptions"]):
        GRU(3, 4, peephole=True)
    with refused(SettingError, problem=["RNN", "'return_cells'"], remedy=["nonlinearity", "RNNCellOptions"]):
        RNN(3, 4, return_cells=True)


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


def test_the_forget_gate_of_coupled_gates_and_of_given_biases() -> None:
    coupled = make_recurrent("lstm", 3, 4, coupled=True).bias_ih_l0.detach()  # rows f, g, o
    assert coupled[:4].tolist() == [1.0] * 4
    assert coupled[4:].abs().max() < 1
    given = make_recurrent("lstm", 3, 4, bias_initializer="zeros").bias_ih_l0
    assert (given == 0).all()


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
