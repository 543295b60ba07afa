"""What enters a layer and does not fit is refused with what was expected, what came, and the remedy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from gatecast.errors import SettingError
from gatecast.nn import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell
from gatecast.nn.checks import check_probability, check_sizes, one_of
from gatecast.nn.states import given_state

X = torch.randn(6, 4, 3, generator=torch.Generator().manual_seed(1))
CELLS: dict[type, type] = {LSTM: LSTMCell, GRU: GRUCell, RNN: RNNCell}


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (X[0, 0], r"input must be \(time, batch, input_size\), or the same without batch: 3 or 2 axes; got 1"),
        (X[None], "got 4 axes"),
        (X.numpy(), r"input must be a tensor, got ndarray; use torch.as_tensor"),
        (X[..., :2], r"input_size = 3 features on its last axis, got 2 in shape \(6, 4, 2\)"),
        (X.double(), r"dtype of the weights, torch.float32, got torch.float64; use x.to\(torch.float32\)"),
        (X.long(), r"dtype of the weights, torch.float32, got torch.int64"),
        (X.to("meta"), "device of the weights, cpu, got meta"),
    ],
)
def test_inputs(x: Any, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        LSTM(3, 4)(x)
    with pytest.raises(SettingError):
        GRU(3, 4)(x)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([1, 2, 3, 7], r"lengths must be in \[0, 6\], the steps of the input; got 1 to 7"),
        ([1, 2, 3, -1], r"got -1 to 3"),
        ([1, 2, 3], r"shape \(batch,\) = \(4,\), got torch.int64 of shape \(3,\)"),
        (torch.tensor([1.0, 2, 3, 4]), "whole numbers .* got torch.float32"),
        (torch.ones(4, dtype=torch.bool), "got torch.bool"),
        (torch.ones(4, 6, dtype=torch.long), r"of shape \(4, 6\)"),
    ],
)
def test_lengths(lengths: Any, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        LSTM(3, 4)(X, lengths=lengths)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.ones((4, 6), dtype=bool), r"mask must be a tensor, got ndarray"),
        (torch.ones(4, 6), r"mask must be boolean, .* got torch.float32; use mask.bool\(\)"),
        (torch.ones(4, 5, dtype=torch.bool), r"mask must be \(batch, time\) = \(4, 6\), got \(4, 5\)$"),
        (torch.ones(6, 4, dtype=torch.bool), r"got \(6, 4\); use mask.T"),
    ],
)
def test_masks(mask: Any, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        LSTM(3, 4)(X, mask=mask)


def test_a_packed_sequence_brings_its_lengths() -> None:
    packed = torch.nn.utils.rnn.pack_padded_sequence(X, [6, 5, 4, 3])
    with pytest.raises(SettingError, match="give neither lengths nor mask"):
        LSTM(3, 4)(packed, lengths=[6, 5, 4, 3])
    with pytest.raises(SettingError, match="input_size = 2"):
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


def test_a_state_from_autocast_gets_the_dtype_of_the_weights() -> None:
    layer, half = LSTM(3, 4), torch.zeros(4, 4, dtype=torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        state = given_state(layer.design, (half, half), 4, layer.first_weight)
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


@pytest.mark.parametrize(
    ("hx", "message"),
    [
        (5, r"the state must be a tensor or the tuple \(h0, c0\), got int"),
        ((torch.zeros(1, 4, 4), None), "c0 must be a tensor, got NoneType"),
        ((torch.zeros(1, 4, 4),), r"the state must be \(h0, c0\): 2 tensors; got 1"),
    ],
    ids=["a number", "no c", "h alone"],
)
def test_states(hx: Any, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        LSTM(3, 4)(X, hx)


def test_a_static_context_of_another_shape() -> None:
    layer = LSTM(3, 4, static_size=2, stateful=True)
    with pytest.raises(SettingError, match=r"static must be \(batch, static_size\) = \(4, 2\), got \(2,\)"):
        layer(X, static=torch.ones(2))
    with pytest.raises(SettingError, match=r"static must be \(static_size,\) = \(2,\), got \(4, 2\)"):
        layer(X[:, 0], static=torch.ones(4, 2))
    layer(X, static=torch.ones(4, 2))
    with pytest.raises(SettingError, match=r"static must be .* got \(7,\)"):  # though the kept state goes on
        layer(X, static=torch.ones(7))
    with pytest.raises(SettingError, match="static must be a tensor, got list"):
        layer(X, static=[1.0, 2.0])


def test_no_step_has_no_last_one() -> None:
    y, (h, c) = LSTM(4, 4, 2, residual=True, return_sequences=False)(torch.zeros(0, 2, 4))
    assert (y == 0).all()
    assert h.shape == c.shape == (2, 2, 4)


def test_refusals_name_the_argument_and_the_value() -> None:
    with pytest.raises(SettingError, match="blocks must be a whole number of at least 1, got 0"):
        check_sizes(size=2, blocks=0)
    with pytest.raises(SettingError, match="channels must be a whole number of at least 0, got -1"):
        check_sizes(0, size=0, channels=-1)
    with pytest.raises(SettingError, match=r"dropout is a probability in \[0, 1\), got 1.5"):
        check_probability(dropout=1.5)
    with pytest.raises(SettingError, match="mode must be one of 'a', None; got 'b'"):
        one_of(("a", None), mode="b")
    assert one_of(("a", None), mode=None) is None
