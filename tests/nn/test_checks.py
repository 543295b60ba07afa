"""What enters a layer and does not fit is refused with what was expected, what came, and the remedy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from fixtures.refusals import others_than
from fixtures.refused import refused

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.nn import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell
from gatecast.nn.checks import check_arguments, one_of
from gatecast.nn.states import given_state

X = torch.randn(6, 4, 3, generator=torch.Generator().manual_seed(1))
CELLS: dict[type, type] = {LSTM: LSTMCell, GRU: GRUCell, RNN: RNNCell}


@pytest.mark.parametrize(
    ("x", "problem", "remedy"),
    [
        (X[0, 0], ["(time, batch, input_size)", "without batch", "3 or 2 axes, got 1"], "x[..., None]"),
        (X[None], ["3 or 2 axes, got 4", "(1, 6, 4, 3)"], ()),
        (X[..., :2], ["input_size = 3", "got 2 in shape (6, 4, 2)"], ()),
        (X.double(), "torch.float32, got torch.float64", ["x.to(torch.float32)", "layer.to(torch.float64)"]),
        (X.long(), "torch.float32, got torch.int64", "x.to(torch.float32)"),
        (X.to("meta"), "cpu, got meta", ".to("),
    ],
)
@pytest.mark.parametrize("kind", [LSTM, GRU])
def test_inputs_that_do_not_fit_are_refused(kind: type, x: Any, problem: Any, remedy: Any) -> None:
    parts = [problem] if isinstance(problem, str) else problem
    with refused(SettingError, problem=[Arg("input"), *parts], remedy=remedy) as caught:
        kind(3, 4)(x)
    assert x.is_floating_point() or "layer.to" not in str(caught.value.finding.remedy)  # weights are no whole numbers


@pytest.mark.parametrize(
    ("lengths", "expected", "came", "remedy"),
    [
        ([1, 2, 3, 7], "[0, 6]", "got 1 to 7", "clamp"),
        ([1, 2, 3, -1], "[0, 6]", "got -1 to 3", "clamp"),
        ([1, 2, 3], "(batch,) = (4,)", "got torch.int64 of shape (3,)", ()),
        (torch.tensor([1.0, 2, 3, 4]), "whole numbers", "got torch.float32", ()),
        (torch.ones(4, dtype=torch.bool), "whole numbers", "got torch.bool", ()),
        (torch.ones(4, 6, dtype=torch.long), "(batch,) = (4,)", "of shape (4, 6)", ()),
    ],
)
def test_lengths_that_do_not_fit_are_refused(lengths: Any, expected: str, came: str, remedy: Any) -> None:
    with refused(SettingError, problem=[Arg("lengths"), expected, came], remedy=remedy):
        LSTM(3, 4)(X, lengths=lengths)


@pytest.mark.parametrize(
    ("mask", "expected", "came", "remedy"),
    [
        (torch.ones(4, 6), "boolean", "got torch.float32", "mask.bool()"),
        (torch.ones(4, 5, dtype=torch.bool), "(batch, time) = (4, 6)", "got (4, 5)", ""),
        (torch.ones(6, 4, dtype=torch.bool), "(batch, time) = (4, 6)", "got (6, 4)", "mask.T"),
    ],
)
def test_masks_that_do_not_fit_are_refused(mask: Any, expected: str, came: str, remedy: str) -> None:
    with refused(SettingError, problem=[Arg("mask"), expected, came], remedy=remedy) as caught:
        LSTM(3, 4)(X, mask=mask)
    assert remedy or not caught.value.finding.remedy


def test_lengths_and_masks_as_arrays_and_lists() -> None:
    layer, lengths = LSTM(3, 4), torch.tensor([6, 5, 0, 3])
    mask = torch.arange(6) < lengths[:, None]
    expected = layer(X, lengths=lengths)[0]
    read_only = mask.numpy().copy()
    read_only.flags.writeable = False
    for given in (lengths.numpy(), lengths.tolist(), tuple(lengths.tolist())):
        assert torch.equal(layer(X, lengths=given)[0], expected)
    for given in (mask, mask.numpy(), mask.tolist(), read_only):
        assert torch.equal(layer(X, mask=given)[0], expected)
    alone = layer(X[:, 1], lengths=5)[0]
    assert torch.equal(layer(X[:, 1], mask=mask[1].numpy())[0], alone)
    assert torch.equal(layer(X[:, 1], lengths=np.array(5))[0], alone)


# Calls with arguments of another type, and their errors.
REFUSED = {
    # what is on or off
    "LSTM(3, 16, batch_first='False')": "^batch_first must be True or False, got 'False'$",
    "GRU(3, 16, bidirectional='no')": "^bidirectional must be True or False, got 'no'$",
    "RNN(3, 16, bias=None)": "^bias must be True or False, got None$",
    "LSTM(3, 16, learn_initial_state='x')": "^learn_initial_state must be True or False, got 'x'$",
    "LSTM(3, 16, peephole=1)": "^peephole must be True or False, got 1$",
    "sLSTM(3, 16, stateful=2)": "^stateful must be True or False, got 2$",
    "LSTM1997(3, 4, truncate=None)": "^truncate must be True or False, got None$",
    "LSTMCell(3, 16, bias='yes')": "^bias must be True or False, got 'yes'$",
    "GRUCell(3, 16, reset_after='no')": "^reset_after must be True or False, got 'no'$",
    "ConvLSTM1d(3, 4, 3, bias=0)": "^bias must be True or False, got 0$",
    "ConvLSTM2d(3, 4, 3, batch_first='x')": "^batch_first must be True or False, got 'x'$",
    # sizes
    "LSTM(3, '16')": "^hidden_size must be a whole number, got '16'$",
    "LSTM(3, None)": "^hidden_size must be a whole number, got None$",
    "LSTM(3, 16, '2')": "^num_layers must be a whole number, got '2'$",
    "make_lstm(3, 8, num_layers='2')": "^num_layers must be a whole number, got '2'$",
    "sLSTM(3, '8')": "^hidden_size must be a whole number, got '8'$",
    "sLSTM(3, 8, heads=1.5)": "^heads must be a whole number, got 1.5$",
    "LSTMCell(3.0, 8)": "^input_size must be a whole number, got 3.0$",
    "LSTM(3, 4, proj_size=2.5)": "^proj_size must be a whole number, got 2.5$",
    "LSTM(3, 4, static_size=1.5)": "^static_size must be a whole number, got 1.5$",
    "ConvLSTM2d(1, 4, kernel_size=3.0)": r"kernel_size must be 1 number or 2 .* got 3.0",
    "ConvLSTM2d(1, 4, 3, stride=(1, 'a'))": r"stride must be 1 number or 2 .* got \(1, 'a'\)",
    "ConvLSTM2d(1, 4, 3, padding='full')": "padding must be one of same, valid, got 'full'",
    # numbers
    "LSTM(3, 4, zoneout=(0.1, 0.2, 0.3))": r"zoneout must be one probability, or a tuple of two: of h and of c, got \(",
    "LSTM(3, 4, zoneout=(0.1,))": r"zoneout must be .* got \(0.1,\)",
    "LSTM(3, 4, zoneout=[0.1, 0.2])": r"zoneout must be .* got \[0.1, 0.2\]",
    "LSTM(3, 4, zoneout='a')": r"zoneout must be a number, got 'a'",
    "LSTM(3, 4, 2, dropout='a')": r"^dropout must be a number, got 'a'",
    "LSTM(3, 4, 2, dropout=True)": r"^dropout must be a number, got True",
    "LSTM(3, 4, input_dropout=None)": r"input_dropout must be a number, got None",
    "LSTM(3, 4, cell_clip='a')": "cell_clip must be a number, got 'a'",
    "LSTM(3, 4, gradient_clip=True)": "gradient_clip must be a number, got True",
    "LSTM(3, 4, dtype=torch.int64)": "dtype must be a floating-point type such as torch.float32, got torch.int64",
    "GRU(3, 4, dtype='float32')": "dtype must be a floating-point type such as torch.float32, got 'float32'",
    "LSTM1997(3, 4, init_range='a')": "init_range must be a number, got 'a'",
    "LSTM1997(3, 4, input_gate_bias='abcd')": "input_gate_bias must be one number, or 4 .*, got 'abcd'",
    # objects and functions
    "LSTM(3, 4, activation=torch.nn.Tanh)": "^activation must be one of tanh, .*or a function of a tensor, got <class",
    "LSTM(3, 4, recurrent_activation=2)": "^recurrent_activation must be one of .*, got 2",
    "RNN(3, 4, nonlinearity=torch.nn.ReLU)": "^nonlinearity must be one of .*, got <class",
    "LSTM(3, 4, recurrent_initializer=3)": "^recurrent_initializer must be one of uniform, .*, got 3",
    "LSTM(3, 4, kernel_initializer=Orthogonal)": "^kernel_initializer must be one of .*, got <class",
    "GRU(3, 4, kernel_constraint=2)": "^kernel_constraint must be one of max_norm, .*, got 2",
    "GRU(3, 4, kernel_constraint=MaxNorm)": "^kernel_constraint must be one of .*, got <class",
    "GRU(3, 4, bias_regularizer=0.1)": "^bias_regularizer must be an object such as L2.*, got 0.1",
    "GRU(3, 4, bias_regularizer=L2)": "^bias_regularizer must be an object such as L2.*, got <function L2",
    "L2('a')": "L1L2.l2 must be a number, got 'a'",
    "MaxNorm('a')": "MaxNorm.max_value must be a number, got 'a'",
    "Orthogonal('x')": "Orthogonal.gain must be a number, got 'x'",
    "Identity(None)": "Identity.gain must be a number, got None",
    "Chrono('a')": "Chrono.max_steps must be a number, got 'a'",
    "Spread('a')": "Spread.low must be a number, got 'a'",
    # what is called
    "LSTM(3, 4)(X.numpy())": "input must be a tensor, got ndarray; use torch.as_tensor",
    "LSTM(3, 4)(X, 5)": r"the state must be a tensor or the tuple \(h0, c0\), got int",
    "LSTM(3, 4)(X, (torch.zeros(1, 4, 4), None))": "c0 must be a tensor, got NoneType",
    "LSTM(3, 4, static_size=2)(X, static=[1.0, 2.0])": "static must be a tensor, got list",
    "LSTM(3, 4)(X, lengths='abc')": "lengths must be whole numbers, one for each sequence, got 'abc'",
    "LSTM(3, 4)(X, lengths=[None] * 4)": "lengths must be whole numbers, one for each sequence, got .None",
    "LSTM(3, 4)(X, lengths=(n for n in (6, 5, 4, 3)))": "lengths must be whole numbers, .* got <generator",
    "LSTM(3, 4)(X, mask=np.ones((4, 6)))": r"mask must be boolean, .* got torch.float64; .* mask.astype\(bool\)",
    "LSTM(3, 4)(X, mask='abc')": r"mask must be boolean, \(batch, time\) = \(4, 6\), got 'abc'",
    "LSTM(3, 4)(X, mask=[[True], []])": r"mask must be boolean, \(batch, time\) = \(4, 6\), got \[\[True",
    # losses and heads
    "losses.MeanAbsoluteScaledError(season=2.5)": "season must be a whole number, got 2.5",
    "losses.Huber(delta='a')": "Huber.delta must be a number, got 'a'",
    "losses.Quantile(probability='a')": "Quantile.probability must be a number, got 'a'",
    "losses.Tweedie(power='a')": "Tweedie.power must be a number, got 'a'",
    "losses.CategoricalCrossentropy(label_smoothing='a')": "label_smoothing must be a number, got 'a'",
    "Student(min_df='a')": "Student.min_df must be a number, got 'a'",
    "Quantiles(('a', 0.5, 0.9))": "Quantiles.probabilities must ascend .* got .'a'",
}


def test_arguments_of_another_type_are_refused() -> None:
    assert others_than(REFUSED) == {}


def test_a_packed_sequence_has_its_own_lengths() -> None:
    packed = torch.nn.utils.rnn.pack_padded_sequence(X, [6, 5, 4, 3])
    with refused(SettingError, problem="PackedSequence", remedy=[Arg("lengths"), Arg("mask")]):
        LSTM(3, 4)(packed, lengths=[6, 5, 4, 3])
    with refused(SettingError, problem=[Arg("input"), "input_size = 2", "got 3 in shape (18, 3)"]):
        LSTM(2, 4)(packed)


@pytest.mark.parametrize("kind", [LSTM, GRU, RNN])
def test_autocast_may_hand_on_another_dtype(kind: type) -> None:
    layer, cell = kind(3, 4, static_size=2), CELLS[kind](3, 4)
    static = torch.randn(4, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, state = layer(X.bfloat16(), static=static.bfloat16())
        half = tuple(part.bfloat16() for part in state) if kind is LSTM else state.bfloat16()
        layer(X.bfloat16(), half)
        layer.step(X[0].bfloat16(), half)
        cell(X[0].bfloat16())
    torch.testing.assert_close(y.float(), layer(X, static=static)[0], atol=3e-2, rtol=0)


@pytest.mark.parametrize("call", [{}, {"lengths": [6, 5, 4, 3]}, {"mask": torch.ones(4, 6, dtype=torch.bool)}], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_plain_network_under_autocast_answers_in_the_dtype_of_pytorchs(
    call: dict[str, Any], dtype: torch.dtype
) -> None:
    layer, x = RNN(3, 4, num_layers=2, bidirectional=True, dtype=dtype), X.to(dtype)
    rival = torch.nn.RNN(3, 4, num_layers=2, bidirectional=True, dtype=dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, h = layer(x, **call)
        step, _ = RNN(3, 4, dtype=dtype, zoneout=0.1).step(x[0])
        like, state = rival(x)
    assert y.dtype == h.dtype == step.dtype == like.dtype == state.dtype
    torch.testing.assert_close(y.to(dtype), layer(x, **call)[0], atol=3e-2, rtol=0)


def test_a_state_from_autocast_gets_the_dtype_of_the_weights() -> None:
    layer, half = LSTM(3, 4), torch.zeros(4, 4, dtype=torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        state = given_state(layer.cell, (half, half), 4, layer.first_weight)
    assert {part.dtype for part in state} == {torch.float32}


def test_layers_above_a_projection_under_autocast() -> None:
    layer = LSTM(3, 4, 3, proj_size=2, residual=True, layer_norm=True, bidirectional=True, learn_initial_state=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, _ = layer(X)
    torch.testing.assert_close(y.float(), layer(X)[0], atol=0.1, rtol=0)


def test_weights_on_meta_give_shapes() -> None:
    y, (h, c) = LSTM(3, 4, 2, bidirectional=True, device="meta")(X.to("meta"))
    assert y.shape == (6, 4, 8)
    assert h.shape == c.shape == (4, 4, 4)


def test_a_state_without_c() -> None:
    with refused(SettingError, problem=["(h0, c0)", "2 tensors", "got 1"]):
        LSTM(3, 4)(X, (torch.zeros(1, 4, 4),))


def test_a_static_context_of_another_shape() -> None:
    layer = LSTM(3, 4, static_size=2, stateful=True)
    with refused(SettingError, problem=[Arg("static"), "(batch, static_size) = (4, 2), got (2,)"]):
        layer(X, static=torch.ones(2))
    with refused(SettingError, problem=[Arg("static"), "(static_size,) = (2,), got (4, 2)"]):
        layer(X[:, 0], static=torch.ones(4, 2))
    layer(X, static=torch.ones(4, 2))
    with refused(SettingError, problem=[Arg("static"), "= (4, 2), got (7,)"]):  # although a state is kept
        layer(X, static=torch.ones(7))


def test_the_last_output_of_an_empty_sequence_is_zero() -> None:
    y, (h, c) = LSTM(4, 4, 2, residual=True, return_sequences=False)(torch.zeros(0, 2, 4))
    assert (y == 0).all()
    assert h.shape == c.shape == (2, 2, 4)


def test_refusals_name_the_argument_and_the_value() -> None:
    for given, expected in (
        ({"hidden_size": 2, "blocks": 0}, "at least 1"),
        ({"proj_size": 0, "in_channels": -1}, "at least 0"),
        ({"dropout": 1.5}, "at least 0 and below 1"),
        ({"init_range": float("inf")}, "at least 0 and finite"),
    ):
        name, value = list(given.items())[-1]
        with refused(SettingError, problem=[Arg(name), expected, f"got {value}"]):
            check_arguments(given)
    with refused(SettingError, problem=[Arg("mode"), "a, None", "got 'b'"]):
        one_of(("a", None), mode="b")
    assert one_of(("a", None), mode=None) is None
    check_arguments({"hidden_size": np.int64(3), "bias": True, "dropout": 0, "of_no_rule": "x"})
