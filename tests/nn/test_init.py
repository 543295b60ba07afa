"""How weights begin: per gate where it says so, and with the biases that papers ask for."""

from __future__ import annotations

import math

import pytest
import torch
from fixtures.refused import refused
from torch import nn

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.nn import GRU, INITIALIZERS, LSTM, RNN, Chrono, Identity, LSTMCell, Orthogonal


@pytest.mark.parametrize("name", list(INITIALIZERS))
def test_every_name_fills_kernel_and_recurrent_weights(name: str) -> None:
    layer = LSTM(3, 8, 2, kernel_initializer=name, recurrent_initializer=name, proj_size=4, peephole=True)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.fill_(torch.nan)  # fresh memory may hold finite values that nobody wrote
    layer.reset_parameters()
    for parameter in layer.parameters():
        assert parameter.isfinite().all()
        assert parameter.abs().max() <= 5


def test_bounds_and_spreads() -> None:
    torch.manual_seed(0)

    def of(name: str) -> torch.Tensor:
        return LSTM(50, 100, kernel_initializer=name).weight_ih_l0.detach()

    assert of("uniform").abs().max() == pytest.approx(0.1, abs=1e-3)
    assert of("glorot_uniform").abs().max() == pytest.approx(math.sqrt(6 / 450), rel=1e-2)  # all four gates, as Keras
    assert of("glorot_normal").std() == pytest.approx(math.sqrt(2 / 450), rel=2e-2)
    assert of("he_uniform").abs().max() == pytest.approx(math.sqrt(6 / 50), rel=1e-2)
    assert of("he_normal").std() == pytest.approx(math.sqrt(2 / 50), rel=2e-2)
    assert of("lecun_uniform").abs().max() == pytest.approx(math.sqrt(3 / 50), rel=1e-2)
    assert of("lecun_normal").std() == pytest.approx(math.sqrt(1 / 50), rel=2e-2)
    assert of("random_normal").std() == pytest.approx(0.05, rel=2e-2)
    assert of("ones").unique().tolist() == [1]


@pytest.mark.parametrize(("kind", "gates"), [(LSTM, 4), (GRU, 3), (RNN, 1)])
def test_orthogonal_and_identity_are_per_gate(kind: type, gates: int) -> None:
    for initializer, gain in (("orthogonal", 1), (Orthogonal(2.0), 2)):
        blocks = kind(3, 8, recurrent_initializer=initializer).weight_hh_l0.detach().chunk(gates)
        for block in blocks:
            torch.testing.assert_close(block @ block.T, gain**2 * torch.eye(8), atol=1e-5, rtol=0)
    for block in kind(3, 8, recurrent_initializer=Identity(0.5)).weight_hh_l0.detach().chunk(gates):
        assert torch.equal(block, 0.5 * torch.eye(8))


def test_orthogonal_in_bfloat16() -> None:
    weight = LSTM(3, 8, recurrent_initializer="orthogonal", dtype=torch.bfloat16).weight_hh_l0.detach().float()
    torch.testing.assert_close(weight[:8] @ weight[:8].T, torch.eye(8), atol=2e-2, rtol=0)


def test_chrono_biases() -> None:
    torch.manual_seed(0)
    layer = LSTM(3, 1000, bias_initializer=Chrono(96))
    i, f, g, o = (layer.bias_ih_l0 + layer.bias_hh_l0).detach().chunk(4)
    assert torch.equal(i, -f)
    assert (g == 0).all()
    assert (o == 0).all()
    memories = f.exp()
    assert 1 <= memories.min() < 2
    assert 94 < memories.max() <= 95
    assert memories.mean() == pytest.approx(48, abs=2)
    f, g, o = LSTM(3, 100, coupled=True, bias_initializer=Chrono(96)).bias_ih_l0.detach().chunk(3)
    assert (f >= 0).all()
    assert (g == 0).all()
    r, z, n = GRU(3, 100, bias_initializer=Chrono(96)).bias_ih_l0.detach().chunk(3)
    assert (z >= 0).all()
    assert (r == 0).all()
    assert (n == 0).all()


def test_forget_gates_start_open_on_request() -> None:
    layer = LSTM(3, 4, 2, unit_forget_bias=True, bidirectional=True)
    for suffix in layer.suffixes:
        both = (getattr(layer, "bias_ih" + suffix) + getattr(layer, "bias_hh" + suffix)).detach()
        assert both[4:8].tolist() == [1.0] * 4
        assert both[:4].abs().max() < 1
    assert LSTM(3, 4, unit_forget_bias=True, coupled=True).bias_ih_l0[:4].tolist() == [1.0] * 4
    single = LSTM(3, 4, unit_forget_bias=True, single_bias=True, bias_initializer="zeros")
    assert single.bias_ih_l0.tolist() == [0.0] * 4 + [1.0] * 4 + [0.0] * 8
    assert LSTM(3, 4, bias=False, unit_forget_bias=True).cell.bias is False


def test_functions_and_biases() -> None:
    layer = LSTM(3, 4, kernel_initializer=lambda w: nn.init.constant_(w, 2.0), bias_initializer="ones")
    assert layer.weight_ih_l0.unique().tolist() == [2]
    assert layer.bias_ih_l0.unique().tolist() == [1]
    assert layer.bias_hh_l0.unique().tolist() == [0]  # the sum of both has the initial value


def test_norms_start_as_the_identity() -> None:
    layer = LSTM(3, 4, layer_norm=True)
    assert layer.norm_ih_l0.unique().tolist() == [1]
    assert layer.norm_hh_l0.unique().tolist() == [1]
    assert layer.norm_c_l0.tolist() == [[1.0] * 4, [0.0] * 4]


def test_invalid_initializers_are_refused() -> None:
    with refused(
        SettingError,
        problem=[Arg("kernel_initializer"), "uniform, glorot_uniform", "got 'glorot'"],
        remedy="'glorot_normal'",
    ):
        LSTM(3, 4, kernel_initializer="glorot")
    with refused(SettingError, problem=["'orthogonal'", "a matrix"], remedy="uniform, random_normal, zeros"):
        LSTM(3, 4, bias_initializer="orthogonal")
    with refused(SettingError, problem=["Chrono", "shape (4,)", "gates 'h'"], remedy=Arg("bias_initializer")):
        RNN(3, 4, bias_initializer=Chrono(96))
    with refused(SettingError, problem=["Chrono", "shape (16, 3)"], remedy=Arg("bias_initializer")):
        LSTMCell(3, 4, kernel_initializer=Chrono(96))
    with refused(SettingError, problem=[Arg("max_steps", of="Chrono"), "above 2 and finite", "got 2"]):
        Chrono(2)


def test_a_seed_decides() -> None:
    weights = []
    for _ in range(2):
        torch.manual_seed(4)
        layer = LSTM(3, 4, recurrent_initializer="orthogonal", bias_initializer=Chrono(10))
        weights.append(torch.cat([parameter.detach().flatten() for parameter in layer.parameters()]))
    assert torch.equal(*weights)
