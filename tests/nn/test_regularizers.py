"""Regularizers add to the loss what they say; constraints hold after they were applied."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from fixtures.refused import refused
from torch import nn

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.nn import GRU, L1, L1L2, L2, LSTM, LSTMCell, MaxNorm, NonNeg, UnitNorm


def test_regularizers_of_weights() -> None:
    layer = LSTM(
        3, 4, 2, bidirectional=True,
        kernel_regularizer=L1(0.1), recurrent_regularizer=L2(0.2), bias_regularizer=L1L2(0.3, 0.4),
    )  # fmt: skip
    parameters = {name: p.double() for name, p in layer.named_parameters()}
    expected = sum(
        0.1 * p.abs().sum() * ("weight_ih" in name)
        + 0.2 * (p**2).sum() * ("weight_hh" in name)
        + (0.3 * p.abs().sum() + 0.4 * (p**2).sum()) * ("bias" in name)
        for name, p in parameters.items()
    )
    torch.testing.assert_close(layer.regularization().double(), expected, rtol=1e-5, atol=0)
    layer.regularization().backward()
    torch.testing.assert_close(layer.weight_hh_l1.grad, 0.4 * layer.weight_hh_l1.detach())


def test_a_function_is_a_regularizer_and_none_gives_zero() -> None:
    layer = GRU(3, 4, kernel_regularizer=lambda w: w.abs().max())
    assert layer.regularization() == layer.weight_ih_l0.abs().max()
    assert GRU(3, 4).regularization() == 0


@pytest.mark.parametrize("batch_first", [True, False])
def test_the_output_is_regularized_per_sequence(batch_first: bool) -> None:
    layer = LSTM(3, 4, batch_first=batch_first, activity_regularizer=L2(0.5))
    assert layer.regularization() == 0
    y, _ = layer(torch.randn(6, 5, 3))
    torch.testing.assert_close(layer.regularization(), 0.5 * y.square().sum() / (6 if batch_first else 5))
    layer.regularization().backward()
    assert layer.weight_ih_l0.grad.abs().sum() > 0
    copy.deepcopy(layer)  # the penalty is part of a graph, which cannot be copied
    cell = LSTMCell(3, 4, activity_regularizer=L1(1.0))
    h, _ = cell(torch.randn(2, 3))
    torch.testing.assert_close(cell.regularization(), h.abs().sum() / 2)


def test_constraints() -> None:
    torch.manual_seed(0)
    layer = LSTM(
        3, 4, 2, kernel_constraint=MaxNorm(0.5), recurrent_constraint="unit_norm", bias_constraint="non_neg",
    )  # fmt: skip
    before = copy.deepcopy(layer)
    layer.constrain_()
    for suffix in layer.suffixes:
        old, new = (getattr(module, "weight_ih" + suffix).detach() for module in (before, layer))
        rows = old.norm(dim=1)
        torch.testing.assert_close(new.norm(dim=1), rows.clamp(max=0.5), atol=1e-5, rtol=0)
        assert (rows > 0.5).any()
        torch.testing.assert_close(new[rows < 0.5], old[rows < 0.5], atol=1e-5, rtol=0)
        ones = getattr(layer, "weight_hh" + suffix).norm(dim=1)
        torch.testing.assert_close(ones, torch.ones_like(ones), atol=1e-5, rtol=0)
        for bias in ("bias_ih", "bias_hh"):
            assert getattr(layer, bias + suffix).min() == 0
    assert all(parameter.requires_grad for parameter in layer.parameters())


def test_a_function_is_a_constraint_and_none_changes_nothing() -> None:
    layer = GRU(3, 4, kernel_constraint=torch.zeros_like)
    recurrent = layer.weight_hh_l0.detach().clone()
    layer.constrain_()
    assert (layer.weight_ih_l0 == 0).all()
    assert torch.equal(layer.weight_hh_l0, recurrent)


def test_a_parametrized_weight_is_constrained_too() -> None:
    layer = LSTM(3, 4, kernel_constraint="non_neg")
    nn.utils.parametrizations.weight_norm(layer, "weight_ih_l0")
    with torch.no_grad():
        layer.weight_ih_l0 = layer.weight_ih_l0 + torch.tensor([0.0, 0.0, 1.0])  # no row of zeros, which has no norm
    before = layer.weight_ih_l0.detach().clone()
    assert before.min() < 0
    layer.constrain_()
    torch.testing.assert_close(layer.weight_ih_l0.detach(), before.clamp(min=0))


def test_rows_of_zeros_stay() -> None:
    assert (UnitNorm()(torch.zeros(2, 3)) == 0).all()
    assert (MaxNorm(1.0)(torch.zeros(2, 3)) == 0).all()
    assert NonNeg()(torch.tensor([-1.0, 2.0])).tolist() == [0, 2]


def test_invalid_settings_are_refused() -> None:
    with refused(SettingError, problem=[Arg("max_value", of="MaxNorm"), "above 0", "got -1"]):
        MaxNorm(-1.0)
    for value in (-0.1, math.inf, math.nan):
        bounds = ["at least 0 and finite", f"got {value}"]
        with refused(SettingError, problem=[Arg("l2", of="L1L2"), *bounds]):
            L2(value)
        with refused(SettingError, problem=[Arg("l1", of="L1L2"), *bounds]):
            L1(value)
    with refused(
        SettingError,
        problem=[Arg("kernel_constraint"), "max_norm, unit_norm, non_neg", "got 'norm'"],
        remedy="'max_norm'",
    ):
        LSTM(3, 4, kernel_constraint="norm")
