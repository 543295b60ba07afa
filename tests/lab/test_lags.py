"""Gradients by time lag, against autograd on recurrences written by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from fixtures.cases import panel_of, wave
from fixtures.refused import refused
from torch import Tensor

import gatecast.nn
from gatecast import FitConfig, LSTMForecaster, NetConfig
from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.lab import gradient_by_lag, gradient_by_lag_of

TIME, BATCH, WIDTH = 9, 3, 5
KINDS = ("LSTM", "GRU", "RNN")


def layer_of(kind: str, source: Any = gatecast.nn, **settings: Any) -> torch.nn.Module:
    torch.manual_seed(1)
    return getattr(source, kind)(2, WIDTH, **settings).double()


def inputs() -> Tensor:
    return torch.randn(TIME, BATCH, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))


def by_hand(kind: str, layer: Any, x: Tensor) -> dict[str, list[float]]:
    """The equations of ``torch.nn``, each state a node, and autograd's gradient by it."""
    w, u = layer.weight_ih_l0, layer.weight_hh_l0
    b, d = layer.bias_ih_l0, layer.bias_hh_l0
    h, c, kept = torch.zeros(BATCH, WIDTH).double(), torch.zeros(BATCH, WIDTH).double(), []
    for step in x:
        if kind == "RNN":
            h = torch.tanh(step @ w.T + b + h @ u.T + d)
        elif kind == "GRU":
            (r, z, n), (hr, hz, hn) = (step @ w.T + b).chunk(3, -1), (h @ u.T + d).chunk(3, -1)
            z = torch.sigmoid(z + hz)
            h = (1 - z) * torch.tanh(n + torch.sigmoid(r + hr) * hn) + z * h
        else:
            i, f, g, o = (step @ w.T + b + h @ u.T + d).chunk(4, -1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        h, c = h.clone(), c.clone()  # what is handed on
        kept.append((h, c) if kind == "LSTM" else (h,))
    gradients = torch.autograd.grad(h.sum(), [part for state in kept for part in state], allow_unused=True)
    norms = [0.0 if g is None else float((g.square().sum(-1).mean()).sqrt()) for g in gradients]
    parts = len(kept[0])
    return {f"{'hc'[part]}0": norms[part::parts][::-1] for part in range(parts)}


@pytest.mark.parametrize("source", [gatecast.nn, torch.nn], ids=["gatecast", "torch"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_the_equations(kind: str, source: Any) -> None:
    layer = layer_of(kind, source)
    found, expected = gradient_by_lag(layer, inputs()), by_hand(kind, layer, inputs())
    assert set(found.norms) == set(expected)
    assert found.lags.tolist() == list(range(TIME))
    for name, values in expected.items():
        np.testing.assert_allclose(found.norms[name], values, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_layers_lie_one_above_the_other_and_the_layer_is_left_as_it_was(kind: str) -> None:
    layer = layer_of(kind, num_layers=2, dropout=0.5, batch_first=True)
    found = gradient_by_lag(layer, inputs().transpose(0, 1))
    assert {"h0", "h1"} <= set(found.norms)
    assert found.norms["h0"][0] == 0  # the lower layer's last state reaches the loss through the upper one alone
    assert found.norms["h0"][1] > 0
    assert layer.training
    assert all(weight.grad is None for weight in layer.parameters())


def test_a_loss_over_all_steps_and_a_frozen_layer() -> None:
    layer = layer_of("RNN").requires_grad_(False)
    last = gradient_by_lag(layer, inputs()).norms["h0"]
    every = gradient_by_lag(layer, inputs(), loss=lambda outputs: outputs.square().sum()).norms["h0"]
    assert (every > 0).all()
    assert not np.allclose(last, every)


def test_a_small_recurrence_forgets_and_a_large_one_explodes() -> None:
    layer = layer_of("RNN")
    found = []
    for size in (0.5, 1.5):
        with torch.no_grad():
            layer.weight_hh_l0.copy_(size * torch.eye(WIDTH))  # type: ignore[operator, union-attr]
            for weight in (layer.bias_ih_l0, layer.bias_hh_l0):
                weight.zero_()  # type: ignore[operator, union-attr]
        found.append(gradient_by_lag(layer, 0 * inputs()).factor())
    assert found == pytest.approx([0.5, 1.5])


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (torch.nn.Linear(2, 3), "needs an LSTM, GRU or RNN layer, got Linear"),
        (torch.nn.LSTM(2, 3, bidirectional=True), "one direction"),
        (torch.nn.LSTM(2, 3, proj_size=2), "without projection"),
        (gatecast.nn.GRU(2, 3, go_backwards=True), "one direction"),
    ],
)
def test_other_layers_are_refused(layer: torch.nn.Module, text: str) -> None:
    with refused(SettingError, problem=text):
        gradient_by_lag(layer, torch.zeros(4, 1, 2))


@pytest.mark.parametrize(("kind", "lags"), [("segment", 3), ("direct", 24), ("seq2seq", 24)])
def test_a_forecaster_and_its_loss(kind: str, lags: int) -> None:
    net = NetConfig(kind=kind, hidden_size=8, segment=8)
    fit = FitConfig(steps=2, refit=False, progress=False)
    model = LSTMForecaster(4, context=24, net=net, fit=fit).fit(panel_of(wave(90)))
    found = gradient_by_lag_of(model)
    assert len(found.lags) == lags
    assert set(found.norms) == {"h0", "c0"}
    assert (found.norms["c0"][1:] > 0).all()
    assert not model.models_[0].training
    again = model.models_[0].network.lstm(torch.zeros(1, 3, model.models_[0].network.lstm.input_size))
    assert again[0].shape[1] == 3  # the hook is gone


def test_a_recursive_forecaster_is_refused() -> None:
    fit = FitConfig(steps=2, refit=False, progress=False)
    model = LSTMForecaster(4, context=24, net=NetConfig(kind="recursive", hidden_size=8), fit=fit)
    with refused(SettingError, problem=["reads the context once", Arg("kind", "recursive", "NetConfig")]):
        gradient_by_lag_of(model.fit(panel_of(wave(90))))


def test_the_plot_has_a_line_a_state() -> None:
    pytest.importorskip("matplotlib").use("Agg")
    axes = gradient_by_lag(layer_of("LSTM"), inputs()).plot()
    assert [line.get_label() for line in axes.get_lines()] == ["h0", "c0"]
    assert axes.get_yscale() == "log"
