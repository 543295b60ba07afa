"""The state of a stack: kept between calls, learned, made from a static context; and states that do not fit."""

from __future__ import annotations

import copy

import pytest
import torch
from fixtures.layers import PAIRS, like_torch, tensors
from fixtures.refused import refused

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg, Call
from gatecast.nn import GRU, LSTM, sLSTM

X = torch.randn(6, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", list(PAIRS))
def test_a_stateful_layer_continues_from_its_last_state(kind: str) -> None:
    layer, rival = like_torch(kind, num_layers=2)
    stateful = PAIRS[kind][0](3, 4, 2, stateful=True, dtype=torch.float64)
    stateful.load_state_dict(layer.state_dict())
    whole, states = rival(X)
    parts = [stateful(part) for part in (X[:2], X[2:3], X[3:])]
    torch.testing.assert_close(torch.cat([y for y, _ in parts]), whole)
    torch.testing.assert_close(parts[-1][1], states)
    stateful.reset_state()
    torch.testing.assert_close(stateful(X)[0], whole)


def test_kept_states_are_not_parameters_and_carry_no_graph() -> None:
    layer = LSTM(3, 4, stateful=True, dtype=torch.float64)
    y, _ = layer(X)
    y.sum().backward()
    layer(X)[0].sum().backward()  # would fail through a freed graph
    assert not layer.kept_h.requires_grad
    assert not [name for name in layer.state_dict() if "kept" in name]
    torch.testing.assert_close(copy.deepcopy(layer).kept_c, layer.kept_c)
    assert layer.float().kept_h.dtype == torch.float32


def test_a_given_state_comes_before_the_kept_one() -> None:
    layer = LSTM(3, 4, stateful=True, dtype=torch.float64)
    layer(X)
    zeros = (torch.zeros(1, 3, 4, dtype=torch.float64), torch.zeros(1, 3, 4, dtype=torch.float64))
    ours = layer(X, zeros)
    layer.reset_state()
    torch.testing.assert_close(layer(X), ours)


def test_a_kept_state_of_another_batch_is_refused() -> None:
    layer = GRU(3, 4, stateful=True, dtype=torch.float64)
    layer(X)
    with refused(SettingError, problem=["state of a batch of 3", "got a batch of 2"], remedy=Call("reset_state")):
        layer(X[:, :2])


def test_a_state_kept_in_inference_mode_serves_in_training() -> None:
    layer = LSTM(3, 4, stateful=True, dtype=torch.float64)
    with torch.inference_mode():
        layer(X[:3])
    y, _ = layer(X[3:])
    y.sum().backward()
    assert layer.weight_hh_l0.grad is not None
    layer.reset_state()
    torch.testing.assert_close(layer(X)[0][3:], y)


def test_a_kept_state_has_the_dtype_of_its_cell() -> None:
    layer = sLSTM(3, 4, stateful=True)
    layer(X.float())
    layer.bfloat16()
    y, state = layer(X.bfloat16())
    assert y.dtype == torch.bfloat16
    assert [part.dtype for part in state] == [torch.bfloat16] + [torch.float32] * 3


def test_a_learned_state_begins_at_zero_and_is_used() -> None:
    layer, rival = like_torch("LSTM", num_layers=2, bidirectional=True)
    learned = LSTM(3, 4, 2, bidirectional=True, learn_initial_state=True, dtype=torch.float64)
    learned.load_state_dict(layer.state_dict(), strict=False)
    torch.testing.assert_close(learned(X), rival(X))
    with torch.no_grad():
        learned.initial_h.normal_()
        learned.initial_c.normal_()
    hx = tuple(part[:, None].expand(-1, 3, -1).contiguous() for part in (learned.initial_h, learned.initial_c))
    torch.testing.assert_close(learned(X), rival(X, hx))
    torch.testing.assert_close(learned(X[:, 0])[0], rival(X, hx)[0][:, 0])


@pytest.mark.parametrize("kind", list(PAIRS))
def test_a_static_context_makes_the_initial_state(kind: str) -> None:
    layer, rival = like_torch(kind, num_layers=2)
    made = PAIRS[kind][0](3, 4, 2, static_size=5, dtype=torch.float64)
    made.load_state_dict(layer.state_dict(), strict=False)
    static = torch.randn(3, 5, dtype=torch.float64)
    h = torch.stack([static @ weight.T for weight in made.weight_static_h])
    hx = (h, torch.stack([static @ weight.T for weight in made.weight_static_c])) if kind == "LSTM" else h
    torch.testing.assert_close(made(X, static=static), rival(X, hx))
    for ours, theirs in zip(tensors(made(X[:, 0], static=static[0])), tensors(rival(X, hx)), strict=True):
        torch.testing.assert_close(ours, theirs[:, 0])
    y, state = made.step(X[0], static=static)
    torch.testing.assert_close(y, rival(X, hx)[0][0])
    torch.testing.assert_close(made.step(X[1], state)[0], rival(X, hx)[0][1])


def test_static_with_a_stateful_layer_counts_at_the_first_call() -> None:
    layer = LSTM(3, 4, static_size=2, stateful=True, dtype=torch.float64)
    static = torch.randn(3, 2, dtype=torch.float64)
    whole = layer(X, static=static)[0]
    layer.reset_state()
    parts = [layer(X[:2], static=static)[0], layer(X[2:4], static=static)[0], layer(X[4:])[0]]
    torch.testing.assert_close(torch.cat(parts), whole)


def test_errors_of_invalid_states() -> None:
    layer = LSTM(3, 4, 2, batch_first=True)
    x, h = torch.randn(5, 6, 3), torch.zeros(2, 5, 4)
    with refused(SettingError, problem=[Arg("h0"), "(layers*directions, batch, width) = (2, 5, 4), got (5, 4)"]):
        layer(x, (h[0], h[0]))
    with refused(SettingError, problem=[Arg("c0"), "= (2, 5, 4), got (2, 5, 3)"]):
        layer(x, (h, h[..., :3]))
    with refused(SettingError, problem=["(h0, c0)", "2 tensors", "got 1"]):
        layer(x, h)
    with refused(SettingError, problem=[Arg("h0"), "torch.float32, got torch.float64"], remedy="torch.float32"):
        layer(x, (h.double(), h))
    with refused(SettingError, problem=[Arg("h0"), "= (1, 5, 4), got (5, 4)"], remedy="h0[None]"):
        LSTM(3, 4, batch_first=True)(x, (h[0], h[0]))
    with refused(SettingError, problem=["(h0)", "1 tensors", "got 2"]):
        GRU(3, 4)(x, (h[:1], h[:1]))


def test_errors_of_invalid_static_contexts() -> None:
    layer, x = LSTM(3, 4, static_size=2), torch.randn(6, 5, 3)
    zeros = torch.zeros(1, 5, 4)
    static = Arg("static")
    with refused(SettingError, problem=[static, "(batch, static_size) = (5, 2), got None"], remedy=Arg("static", ...)):
        layer(x)
    with refused(SettingError, problem=[static, "= (5, 2), got (5, 3)"]):
        layer(x, static=torch.zeros(5, 3))
    with refused(SettingError, problem=[static, "initial state"], remedy="one of them"):
        layer(x, (zeros, zeros), static=torch.zeros(5, 2))
    with refused(SettingError, problem=[static, Arg("static_size", 0)], remedy=Arg("static_size", 2)):
        LSTM(3, 4)(x, static=torch.zeros(5, 2))
    with refused(SettingError, problem=[static, "torch.float32, got torch.float64"], remedy="torch.float32"):
        layer(x, static=torch.zeros(5, 2, dtype=torch.float64))
    layer(x, (zeros, zeros.clone()))  # a given state needs no context
