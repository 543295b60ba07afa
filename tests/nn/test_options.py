"""Options as data, and any mixture of them: padding, batching and steps change nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from fixtures.layers import tensors
from fixtures.refused import refused
from hypothesis import given, settings
from hypothesis import strategies as st

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.nn import (
    GRU,
    LSTM,
    LSTM1997,
    RNN,
    Chrono,
    ConvLSTM1d,
    GRUCellOptions,
    LSTMCellOptions,
    LSTMStackOptions,
    RNNCell,
    RNNCellOptions,
    StackOptions,
    sLSTM,
)

Make = Callable[[], torch.nn.Module]

KINDS: dict[str, type] = {"LSTM": LSTM, "GRU": GRU, "RNN": RNN}
p = st.sampled_from([0.0, 0.3])
SHARED = {
    "num_layers": st.integers(1, 3),
    "bias": st.booleans(),
    "bidirectional": st.booleans(),
    "zoneout": p,
    "recurrent_dropout": p,
    "input_dropout": p,
    "weight_drop": p,
    "gradient_clip": st.sampled_from([None, 0.5]),
    "skip": st.booleans(),
    "residual": st.booleans(),
    "merge_mode": st.sampled_from(["concat", "sum", "mul", "ave"]),
    "go_backwards": st.booleans(),
    "learn_initial_state": st.booleans(),
}
OWN = {
    "LSTM": {
        "proj_size": st.sampled_from([0, 2]),
        "activation": st.sampled_from(["tanh", "softsign", "relu"]),
        "recurrent_activation": st.sampled_from(["sigmoid", "hard_sigmoid"]),
        "peephole": st.booleans(),
        "coupled": st.booleans(),
        "layer_norm": st.booleans(),
        "cell_clip": st.sampled_from([None, 0.4]),
        "single_bias": st.booleans(),
    },
    "GRU": {"reset_after": st.booleans(), "activation": st.sampled_from(["tanh", "softsign"])},
    "RNN": {"nonlinearity": st.sampled_from(["tanh", "relu", "hard_tanh"])},
}


@st.composite
def layers(draw: Any) -> Make:
    """A layer with any mixture of options, to be made."""
    kind = draw(st.sampled_from(list(KINDS)))
    options = draw(st.fixed_dictionaries({**SHARED, **OWN[kind]}))
    return partial(KINDS[kind], 2, 3, **options, dtype=torch.float64)


@settings(max_examples=30, deadline=None)
@given(make=layers(), lengths=st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_padding_and_batching_change_nothing(make: Make, lengths: list[int]) -> None:
    layer = make().eval()
    x = torch.randn(4, len(lengths), 2, dtype=torch.float64)
    y, states = layer(x, lengths=lengths)
    for row, length in enumerate(lengths):
        alone, ends = layer(x[:length, row])
        valid = y[4 - length :, row] if layer.stack.go_backwards else y[:length, row]
        torch.testing.assert_close(valid, alone)
        for state, end in zip(tensors(states), tensors(ends), strict=True):
            torch.testing.assert_close(state[:, row], end)


@settings(max_examples=20, deadline=None)
@given(make=layers())
def test_gradients_are_finite_and_reach_every_weight_in_training(make: Make) -> None:
    layer = make()
    x = torch.randn(4, 3, 2, dtype=torch.float64, requires_grad=True)
    sum(t.square().sum() for t in tensors(layer(x, lengths=[4, 2, 3]))).backward()
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize(
    "kind", [LSTMCellOptions, GRUCellOptions, RNNCellOptions, StackOptions, LSTMStackOptions], ids=lambda k: k.__name__
)
def test_every_option_has_a_default_and_a_help_text(kind: type) -> None:
    assert all(len(field.metadata["help"]) > 4 for field in fields(kind))
    assert kind() == kind()


@pytest.mark.parametrize(
    ("name", "value", "expected", "remedy"),
    [
        ("merge_mode", "cat", "concat, sum, mul, ave, None", "'concat'"),
        ("static_size", -1, "at least 0", ()),
        ("cell_clip", 0.0, "above 0 and finite", ()),
        ("cell_clip", math.inf, "above 0 and finite", ()),
        ("gradient_clip", -1.0, "above 0 and finite", ()),
        ("activation", "tan", "tanh, sigmoid", "'tanh'"),
        ("recurrent_activation", "sigmod", "tanh, sigmoid", "'sigmoid'"),
        ("hidden_size", 0, "at least 1", ()),
        ("proj_size", 4, "below hidden_size = 4", Arg("proj_size", 0)),
        ("num_layers", 0, "at least 1", ()),
        ("dropout", 1.5, "at least 0 and below 1", ()),
    ],
)
def test_errors_of_invalid_settings(name: str, value: Any, expected: str, remedy: Any) -> None:
    with refused(SettingError, problem=[Arg(name), expected, f"got {value!r}"], remedy=remedy):
        LSTM(3, **{"hidden_size": 4, name: value})


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("num_layer", "'num_layers'"),
        ("batchfirst", "'batch_first'"),
        ("units", "'hidden_size'"),
        ("use_bias", "'bias'"),
        ("filters", ["input_size", "dtype", "LSTMCellOptions", "LSTMStackOptions"]),
        ("recurrent_size", ["input_size", "dtype", "LSTMCellOptions", "LSTMStackOptions"]),
    ],
)
def test_unknown_names_are_refused(name: str, remedy: Any) -> None:
    with refused(SettingError, problem=["LSTM", f"no option '{name}'"], remedy=remedy):
        LSTM(3, 4, **{name: 2})


@pytest.mark.parametrize("make", [LSTM, GRU, RNN, RNNCell, sLSTM])
def test_kerass_name_of_a_required_size_is_pointed_out(make: Any) -> None:
    with refused(SettingError, problem="has no option 'units'", remedy="it is 'hidden_size' here"):
        make(3, units=8)


def test_an_activation_with_weights_is_refused() -> None:
    for make in (LSTM, GRU, partial(ConvLSTM1d, kernel_size=3)):
        with refused(SettingError, problem=[Arg("activation"), "got PReLU"], remedy=["function", "outside"]):
            make(3, 4, activation=torch.nn.PReLU())
    with refused(SettingError, problem=[Arg("nonlinearity"), "got PReLU"], remedy=["function", "outside"]):
        RNN(3, 4, nonlinearity=torch.nn.PReLU())
    assert LSTM(3, 4, activation=torch.nn.Tanh())(torch.zeros(2, 1, 3))[0].shape == (2, 1, 4)


@pytest.mark.parametrize("make", [RNN, RNNCell])
def test_a_nonlinearity_is_named_as_it_was_given(make: type) -> None:
    with refused(SettingError, problem=[Arg("nonlinearity"), "tanh, sigmoid", "got 'rel'"], remedy="'relu'"):
        make(3, 4, nonlinearity="rel")


@pytest.mark.parametrize("kind", [GRU, RNN])
def test_without_a_cell_there_is_one_zoneout(kind: type) -> None:
    with refused(SettingError, problem=[Arg("zoneout"), "one probability", "got (0.0, 0.9)"]):
        kind(3, 4, zoneout=(0.0, 0.9))


def test_gradient_clip_of_a_layer_whose_gradients_do_not_flow_back_through_h() -> None:
    with refused(
        SettingError,
        problem=[Arg("gradient_clip"), Arg("truncate", True)],
        remedy=["leave it out", Arg("truncate", False)],
    ):
        LSTM1997(3, 4, gradient_clip=1.0)
    assert LSTM1997(3, 4, gradient_clip=1.0, truncate=False).cell.options.gradient_clip == 1.0


def test_an_initializer_of_all_gates_overrides_the_others() -> None:
    layer = LSTM(3, 4, unit_forget_bias=True, bias_initializer=Chrono(96))
    i, f, g, o = layer.bias_ih_l0.detach().chunk(4)
    torch.testing.assert_close(i, -f)
    assert (g == 0).all()
    assert (o == 0).all()
    assert (f > 0).all()


def test_sizes_are_checked() -> None:
    with refused(SettingError, problem=[Arg("input_size"), "at least 1", "got 0"]):
        GRU(0, 4)
    with refused(SettingError, problem=[Arg("hidden_size"), "at least 1", "got -1"]):
        RNN(3, -1)


def test_a_gru_that_resets_after_needs_both_biases() -> None:
    with refused(
        SettingError,
        problem=[Arg("reset_after", True), "both"],
        remedy=[Arg("single_bias", False), Arg("reset_after", False)],
    ):
        GRU(3, 4, single_bias=True)


def test_one_bias_takes_the_sum_of_pytorchs_two() -> None:
    rival = torch.nn.LSTM(3, 4, 2, bidirectional=True).double()
    layer = LSTM(3, 4, 2, bidirectional=True, single_bias=True, dtype=torch.float64)
    weights = rival.state_dict()
    layer.load_state_dict(weights)
    assert "bias_hh_l0" in weights  # what was given is left as it was
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    torch.testing.assert_close(layer(x), rival(x))
    layer.load_state_dict(layer.state_dict())
    torch.testing.assert_close(layer(x), rival(x))


def test_weights_of_another_cell_are_not_loaded() -> None:
    weights = torch.nn.LSTM(3, 8).state_dict()
    with pytest.raises(RuntimeError, match=r"Unexpected key\(s\) in state_dict: \"bias_hh_l0\""):
        sLSTM(3, 8).load_state_dict(weights)
    del weights["bias_ih_l0"]
    with pytest.raises(RuntimeError, match=r"Missing key\(s\) in state_dict: \"bias_ih_l0\""):
        LSTM(3, 8, single_bias=True).load_state_dict(weights)


def test_every_option_is_on_the_page_of_layers() -> None:
    page = (Path(__file__).parents[2] / "docs" / "layers" / "recurrent.md").read_text("utf-8")
    names = {field.name for kind in (LSTMCellOptions, GRUCellOptions, LSTMStackOptions) for field in fields(kind)}
    assert [name for name in sorted(names) if f"`{name}" not in page] == []
