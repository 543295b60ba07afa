"""PyTorch's layers: in, and out again."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from convert.player import TOLERANCE, play
from fixtures.refused import refused
from torch import Tensor, nn

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.convert import LayerWeights, from_keras_arrays, from_torch, to_torch
from gatecast.nn import RNN

CASES: list[dict[str, Any]] = [
    {},
    {"bias": False},
    {"num_layers": 3, "dropout": 0.5},
    {"bidirectional": True, "num_layers": 2},
    {"batch_first": True},
]


def same(module: nn.RNNBase, other: nn.RNNBase) -> None:
    """Two modules give the same outputs and states."""
    x = torch.randn(5, 2, 3)
    for one, two in zip(_flat(module.eval()(x)), _flat(other.eval()(x)), strict=True):
        assert torch.equal(one, two)


def _flat(outputs: Any) -> list[Tensor]:
    y, state = outputs
    return [y, *(state if isinstance(state, tuple) else (state,))]


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("options", CASES, ids=lambda options: ",".join(options) or "plain")
def test_a_module_comes_back_as_it_was(kind: str, options: dict[str, Any]) -> None:
    module = getattr(nn, kind)(3, 4, **options)
    layer = from_torch(module)
    assert layer.arguments == {"input_size": 3, "hidden_size": 4, **options}
    back = to_torch(layer)
    assert {name: getattr(back, name) for name in options} == options
    assert all(parameter.requires_grad for parameter in back.parameters())
    same(module, back)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_the_equations_are_pytorchs(kind: str) -> None:
    module = getattr(nn, kind)(3, 4, 2, bidirectional=True)
    x = torch.randn(5, 2, 3)
    played = play(from_torch(module), x)
    expected = _flat(module(x))
    torch.testing.assert_close(played.y, expected[0], **TOLERANCE)
    torch.testing.assert_close(played.h, expected[1], **TOLERANCE)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_projection_and_relu() -> None:
    projected = nn.LSTM(3, 4, 2, proj_size=2, bidirectional=True)
    same(projected, to_torch(from_torch(projected)))
    assert from_torch(projected.state_dict()).arguments == from_torch(projected).arguments
    relu = nn.RNN(3, 4, nonlinearity="relu")
    assert from_torch(relu).arguments["nonlinearity"] == "relu"
    assert from_torch(relu).make(RNN).nonlinearity == "relu"
    same(relu, to_torch(from_torch(relu.state_dict(), nonlinearity="relu")))


def test_copies_are_copies() -> None:
    module = nn.LSTM(3, 4)
    layer = from_torch(module)
    back = to_torch(layer)
    with torch.no_grad():
        module.weight_ih_l0.zero_()
        back.weight_hh_l0.zero_()
    assert layer.state["weight_ih_l0"].abs().max() > 0
    assert layer.state["weight_hh_l0"].abs().max() > 0


def test_no_random_number_is_drawn() -> None:
    layer = from_torch(nn.LSTM(3, 4))
    before = torch.get_rng_state()
    to_torch(layer)
    assert torch.equal(before, torch.get_rng_state())


def test_dtype_stays() -> None:
    assert to_torch(from_torch(nn.LSTM(3, 4, dtype=torch.float64))).weight_ih_l0.dtype == torch.float64


# ── state dicts ──────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("options", CASES[:2] + CASES[3:4], ids=lambda options: ",".join(options) or "plain")
def test_a_state_dict_shows_kind_and_sizes(kind: str, options: dict[str, Any]) -> None:
    module = getattr(nn, kind)(3, 4, **options)
    layer = from_torch(module.state_dict())
    assert (layer.kind, layer.arguments) == (kind, from_torch(module).arguments)
    same(module, to_torch(layer))


def test_one_layer_of_a_larger_model() -> None:
    model = nn.ModuleDict({"low": nn.LSTM(3, 4), "high": nn.ModuleDict({"rnn": nn.GRU(4, 2)}), "head": nn.Linear(2, 1)})
    state = model.state_dict()
    assert from_torch(state, prefix="low.").kind == "LSTM"
    layer = from_torch(state, prefix="high.rnn.", batch_first=True)
    assert (layer.kind, layer.name, layer.option("batch_first")) == ("GRU", "high.rnn", True)
    with refused(SettingError, problem=Arg("prefix", "low"), remedy="['high.rnn.', 'low.']"):
        from_torch(state, prefix="low")
    with refused(SettingError, problem=["weight_ih_l0", "got weight, bias"]):
        from_torch(model["head"].state_dict(), prefix="head.")
    with refused(SettingError, problem="2 recurrent layers", remedy=[Arg("prefix"), "['high.rnn.', 'low.']"]):
        from_torch(state)


def test_a_module_without_recurrence_is_refused() -> None:
    with refused(
        SettingError,
        problem=["torch.nn.LSTM, GRU or RNN", "got Linear"],
        remedy=["state_dict()", "prefix", "from_layer"],
    ):
        from_torch(nn.Linear(2, 3))
    with refused(SettingError, problem=["weight_ih_l0", "got weight, bias"]):
        from_torch(nn.Linear(2, 3).state_dict())
    with refused(SettingError, problem=Arg("prefix", "a."), remedy="['']"):
        from_torch(nn.LSTM(2, 3).state_dict(), prefix="a.")
    with refused(SettingError, problem=["a matrix weight_ih_l0", "got nothing"]):
        from_torch({"weight_hh_l0": torch.ones(4, 4)})
    state = nn.LSTM(3, 4).state_dict()
    with refused(SettingError, problem=["weight_ih_l0", "4 (LSTM), 3 (GRU) or 1 (RNN)", "size 4, got 10"]):
        from_torch({**state, "weight_ih_l0": torch.ones(10, 3)})
    with refused(SettingError, place="LSTM", problem=["bias_hh_l0", "(16,), got (12,)"]):
        from_torch({**state, "bias_hh_l0": torch.ones(12)})
    del state["bias_hh_l0"]
    with refused(SettingError, place="LSTM", problem=["bias_hh_l0", "weight_ih_l0, weight_hh_l0"]):
        from_torch(state)


# ── out ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_layer_of_keras_becomes_a_module() -> None:
    arrays = [torch.randn(3, 16).numpy(), torch.randn(4, 16).numpy(), torch.randn(16).numpy()]
    layer = from_keras_arrays(arrays, options={"return_state": False, "stateful": True})
    module = to_torch(layer, batch_first=False)
    x = torch.randn(5, 2, 3)
    torch.testing.assert_close(module(x)[0], play(layer, x).y, **TOLERANCE)


def test_one_bias_becomes_two() -> None:
    module = nn.LSTM(3, 4)
    state = module.state_dict()
    del state["bias_hh_l0"]
    back = to_torch(LayerWeights("LSTM", {"input_size": 3, "hidden_size": 4, "single_bias": True}, state))
    assert back.bias_hh_l0.abs().max() == 0


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"activation": "relu"}, "with_options(activation='tanh')"),
        ({"go_backwards": True}, "with_options(go_backwards=False)"),
        ({"recurrent_dropout": 0.1}, "with_options(recurrent_dropout=0.0)"),
        ({"kernel_regularizer": abs}, "with_options(kernel_regularizer=None)"),
        ({"zoneout": 0.1}, "with_options(zoneout=0.0)"),
        ({"return_sequences": False}, "with_options(return_sequences=True)"),
    ],
)
def test_options_that_pytorch_lacks(options: dict[str, Any], remedy: str) -> None:
    ((name, value),) = options.items()
    with refused(SettingError, place="LSTM", problem=["torch.nn.LSTM", f"{name}={value!r}"], remedy=remedy):
        to_torch(from_torch(nn.LSTM(3, 4)).with_options(**options))


def test_an_rnn_of_another_function() -> None:
    with refused(
        SettingError,
        place="RNN",
        problem=["torch.nn.RNN", "nonlinearity='softsign'"],
        remedy="with_options(nonlinearity='tanh')",
    ):
        to_torch(from_torch(nn.RNN(3, 4)).with_options(nonlinearity="softsign"))
