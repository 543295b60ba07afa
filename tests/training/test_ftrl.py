"""FTRL-Proximal: its equations, Keras's steps, and where it starts."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gatecast.training.optimizers.ftrl import FtrlProximal

STEPS, SIZE = 30, 50


def gradients() -> list[np.ndarray]:
    """Some weights never see a gradient."""
    random = np.random.default_rng(0)
    return [random.normal(size=SIZE) * random.uniform(0, 2, SIZE) * (np.arange(SIZE) > 2) for _ in range(STEPS)]


def ours(start: np.ndarray, rates: list[float] | float = 0.05, **settings: Any) -> list[np.ndarray]:
    """The weights after each step."""
    weight, path = nn.Parameter(torch.tensor(start)), []
    optimizer = FtrlProximal([weight], lr=1.0, **settings)
    for step, gradient in enumerate(gradients()):
        optimizer.param_groups[0]["lr"] = rates if isinstance(rates, float) else rates[step]
        weight.grad = torch.tensor(gradient)
        optimizer.step()
        path.append(weight.detach().numpy().copy())
    return path


def start() -> np.ndarray:
    return np.random.default_rng(1).normal(size=SIZE)


SETTINGS: list[dict[str, Any]] = [
    {},
    {"l1_regularization_strength": 0.5},
    {"l2_regularization_strength": 0.3},
    {"l2_shrinkage_regularization_strength": 0.2},
    {"beta": 1.5},
    {"learning_rate_power": -0.8},
    {"learning_rate_power": 0.0, "l1_regularization_strength": 0.1},
    {"initial_accumulator_value": 2.0},
    {
        "l1_regularization_strength": 0.2,
        "l2_regularization_strength": 0.1,
        "l2_shrinkage_regularization_strength": 0.05,
        "beta": 0.5,
        "learning_rate_power": -0.6,
        "initial_accumulator_value": 0.3,
    },
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda one: ", ".join(one) or "defaults")
def test_each_step_is_that_of_keras(settings: dict[str, Any]) -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    weight = keras.Variable(start(), dtype="float64")
    optimizer = keras.optimizers.Ftrl(learning_rate=0.05, **settings)
    optimizer.build([weight])
    mine = ours(start(), keep_initial_weights=False, **settings)
    for step, gradient in enumerate(gradients()):
        optimizer.apply_gradients([(torch.tensor(gradient), weight)])
        np.testing.assert_allclose(mine[step], weight.value.detach().numpy(), rtol=1e-6, atol=1e-6)
    assert np.abs(mine[-1]).max() > 0.01


def test_the_equations_of_the_paper() -> None:
    """Algorithm 1 of McMahan et al. 2013, as printed: w is solved for before the gradient comes, and starts at 0."""
    alpha, beta, l1, l2 = 0.1, 1.0, 0.4, 0.2
    z, n = np.zeros(SIZE), np.zeros(SIZE)
    settings = {"l1_regularization_strength": l1, "l2_regularization_strength": l2 / 2, "beta": beta}
    path = ours(np.zeros(SIZE), alpha, initial_accumulator_value=0.0, **settings)
    for step, g in enumerate(gradients()):
        w = np.where(np.abs(z) <= l1, 0.0, -(z - np.sign(z) * l1) / ((beta + np.sqrt(n)) / alpha + l2))
        if step:
            np.testing.assert_allclose(path[step - 1], w, atol=1e-12)
        sigma = (np.sqrt(n + g**2) - np.sqrt(n)) / alpha
        z, n = z + g - sigma * w, n + g**2
    assert 0 < (path[-1] == 0).sum() < SIZE


RATES = [0.05 * (1 + np.cos(np.pi * step / STEPS)) + 1e-4 for step in range(STEPS)]


@pytest.mark.parametrize("rates", [0.05, RATES])
def test_without_penalties_it_is_adagrad(rates: Any) -> None:
    weight = nn.Parameter(torch.tensor(start()))
    adagrad = torch.optim.Adagrad([weight], lr=1.0, initial_accumulator_value=0.1, eps=0)
    for step, gradient in enumerate(gradients()):
        adagrad.param_groups[0]["lr"] = rates if isinstance(rates, float) else rates[step]
        weight.grad = torch.tensor(gradient)
        adagrad.step()
        np.testing.assert_allclose(ours(start(), rates)[step], weight.detach().numpy(), rtol=1e-9)


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda one: ", ".join(one) or "defaults")
def test_weights_without_a_gradient_stay_where_they_start(settings: dict[str, Any]) -> None:
    if settings.get("l2_shrinkage_regularization_strength"):
        pytest.skip("shrinkage is a gradient")
    np.testing.assert_allclose(ours(start(), **settings)[-1][:3], start()[:3], rtol=1e-9)


def test_keras_forgets_nearly_all_of_the_start_at_the_first_step() -> None:
    kept, forgotten = (ours(start(), keep_initial_weights=keep)[0] for keep in (True, False))
    expected = 1 - np.sqrt(0.1 / (0.1 + gradients()[0] ** 2))  # what is left of the start
    np.testing.assert_allclose(forgotten - (kept - start()), expected * start(), atol=1e-12)


def test_a_weight_before_its_first_gradient_is_a_number() -> None:
    path = ours(start(), initial_accumulator_value=0.0, keep_initial_weights=False)
    assert np.isfinite(path[-1]).all()


def test_a_closure_and_groups() -> None:
    weights = [nn.Parameter(torch.ones(2)) for _ in range(2)]
    groups = [{"params": [weights[0]]}, {"params": [weights[1]], "l1_regularization_strength": 1e3}]
    optimizer = FtrlProximal(groups, lr=0.1)

    def closure() -> float:
        optimizer.zero_grad()
        loss = sum((weight**2).sum() for weight in weights)
        loss.backward()
        return loss.item()

    assert optimizer.step(closure) == 4.0
    assert (weights[0] < 1).all()
    assert (weights[0] > 0.8).all()
