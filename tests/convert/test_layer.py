"""Plain data of a layer: what it must hold, its options, and stacks of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from convert.player import TOLERANCE, play
from fixtures.refused import refused

from gatecast.base.errors import SettingError
from gatecast.convert import LayerWeights, from_torch, stack, to_keras_arrays
from gatecast.convert.gates import reorder
from gatecast.nn import GRU, LSTM, RNN


def lstm(inputs: int = 3, hidden: int = 4, **options: Any) -> LayerWeights:
    """A layer with random weights."""
    return from_torch(torch.nn.LSTM(inputs, hidden, **options))


# ── gate order ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_blocks_of_rows_change_places() -> None:
    rows = torch.arange(6.0).view(6, 1)
    assert reorder(rows, "zrn", "rzn").flatten().tolist() == [2, 3, 0, 1, 4, 5]
    same = reorder(rows, "rzn", "rzn")
    same[0] = 9
    assert rows[0] == 0


# ── one layer ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_arguments_hold_what_differs_from_the_defaults() -> None:
    layer = lstm(bidirectional=True).with_options(activation="tanh", recurrent_activation="hard_sigmoid")
    assert layer.arguments == {
        "input_size": 3,
        "hidden_size": 4,
        "bidirectional": True,
        "recurrent_activation": "hard_sigmoid",
    }
    assert layer.option("activation") == "tanh"
    assert layer.option("reset_after") is None
    assert [suffix for _, suffix in layer.suffixes()] == ["l0", "l0_reverse"]
    assert layer.tensors("l0").keys() == {"weight_ih", "weight_hh", "bias_ih", "bias_hh"}


def test_a_state_that_does_not_fit() -> None:
    layer = lstm()
    state = dict(layer.state)
    with refused(SettingError, place="the LSTM layer", problem=["weight_ih_l0", "(16, 5), got (16, 3)"]):
        layer.with_options(input_size=5)
    with refused(SettingError, place="LSTM", problem=["peephole_l0", "weight_ih_l0, weight_hh_l0"]):
        layer.with_options(peephole=True)
    with refused(SettingError, place="LSTM", problem=["bias_hh_l0", "'single_bias': True"], remedy=["leave", "option"]):
        layer.with_options(single_bias=True)
    del state["bias_hh_l0"]
    single = LayerWeights("LSTM", {**layer.arguments, "single_bias": True}, state, "top")
    assert single.both_biases("l0")["bias_hh"].tolist() == [0.0] * 16
    with refused(SettingError, place="layer 'top' (LSTM)", problem="bias_hh_l0"):
        single.with_options(single_bias=False)


def test_a_module_is_made_of_it() -> None:
    module = torch.nn.GRU(3, 4, 2, bidirectional=True, dtype=torch.float64)
    made = from_torch(module).make(torch.nn.GRU)
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    assert torch.equal(made(x)[0], module(x)[0])


@pytest.mark.parametrize(
    ("constructor", "kind"),
    [(LSTM, "LSTM"), (RNN, "RNN"), (torch.nn.LSTM, "LSTM"), (lambda **sizes: torch.nn.LSTM(**sizes), "LSTM")],
)
def test_a_module_of_another_kind_is_not_made(constructor: Any, kind: str) -> None:
    layer = from_torch(torch.nn.GRU(3, 4))
    with refused(
        SettingError,
        place="the GRU layer",
        problem=["GRU", kind],
        remedy=["gatecast.nn.GRU", "torch.nn.GRU"],
    ):
        layer.make(constructor)
    with refused(
        SettingError,
        place="the RNN layer",
        problem=["RNN", "GRU"],
        remedy=["gatecast.nn.RNN", "torch.nn.RNN"],
    ):
        from_torch(torch.nn.RNN(3, 4, nonlinearity="relu")).make(GRU)


def test_an_unknown_option_may_add_tensors() -> None:
    layer = lstm()
    state = {**layer.state, "weight_attention_l0": torch.ones(2, 4)}
    assert LayerWeights("LSTM", {**layer.arguments, "attention": True}, state).option("attention") is True
    with refused(SettingError, place="LSTM", problem="weight_attention_l0", remedy=["leave", "option"]):
        LayerWeights("LSTM", layer.arguments, state)


def test_initializers_and_training_options_do_not_prevent_export() -> None:
    layer = lstm().with_options(kernel_initializer="orthogonal", bias_constraint=abs, weight_drop=0.1)
    assert len(to_keras_arrays(layer)[0]) == 3


# ── stacks ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_stack_is_its_layers_one_after_the_other(bidirectional: bool) -> None:
    torch.manual_seed(0)
    low = lstm(bidirectional=bidirectional)
    high = lstm(8 if bidirectional else 4, num_layers=2, bidirectional=bidirectional)
    both = stack([low, high])
    assert both.option("num_layers") == 3
    x = torch.randn(5, 2, 3)
    expected = play(high, play(low, x).y)
    torch.testing.assert_close(play(both, x).y, expected.y, **TOLERANCE)


def test_a_stack_returns_what_its_last_layer_does() -> None:
    both = stack([lstm(), lstm(4).with_options(return_sequences=False, return_state=False)])
    assert both.option("return_sequences") is False
    assert both.option("input_size") == 3


@pytest.mark.parametrize(
    ("low", "high", "problem", "remedy"),
    [
        ({}, {"activation": "relu"}, "activation is 'tanh' and 'relu'", "two layers"),
        ({"return_sequences": False}, {}, "return_sequences=False", ()),
        ({"go_backwards": True}, {"go_backwards": True}, "go_backwards=True", "two layers"),
        ({"input_dropout": 0.1}, {"input_dropout": 0.1}, "input_dropout", "with_options(input_dropout=0.0)"),
    ],
)
def test_layers_that_do_not_stack(low: dict[str, Any], high: dict[str, Any], problem: str, remedy: Any) -> None:
    with refused(SettingError, problem=["cannot be one stack", problem], remedy=remedy):
        stack([lstm().with_options(**low), lstm(4).with_options(**high)])


def test_sizes_and_kinds_that_do_not_stack() -> None:
    with refused(SettingError, problem="output and input size is 4 and 5", remedy="two layers"):
        stack([lstm(), lstm(5)])
    with refused(SettingError, problem="hidden_size is 4 and 5", remedy="two layers"):
        stack([lstm(), lstm(4, 5)])
    with refused(SettingError, problem="kind is 'LSTM' and 'GRU'", remedy="two layers"):
        stack([lstm(), from_torch(torch.nn.GRU(4, 4))])
    with refused(SettingError, problem=["stack", "at least one layer", "got 0"]):
        stack([])


def test_an_option_that_the_layer_lacks_is_refused() -> None:
    with refused(SettingError, problem=["LSTM", "'cel_clip'"], remedy="'cell_clip'"):
        lstm().with_options(cel_clip=3.0)
    with refused(SettingError, problem=["LSTM", "'reset_after'"], remedy="the arguments of gatecast.nn.LSTM"):
        lstm().with_options(reset_after=False)
    assert lstm().with_options(cell_clip=3.0).option("cell_clip") == 3.0
