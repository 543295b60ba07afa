"""Updates at every step against automatic differentiation of LSTM1997."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lab.test_online import NETS, errors_of, reference

from gatecast.lab.online import Learners, Net
from gatecast.lab.stepwise import learn_each_step

REBER = Net(5, 2, 2, 3, bias="gates", output_bias=False, out_bias=(-1.0, -2.0))


def drawn(net: Net, steps: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(3)
    x = np.eye(net.inputs)[draw.integers(0, net.inputs, (2, steps))]
    return x, draw.random((2, steps, net.outputs))


@pytest.mark.parametrize("net", [*NETS.values(), REBER])
def test_with_a_tiny_rate_the_updates_are_the_gradient(net: Net) -> None:
    """The weights hardly change within the sequence, so that all updates together are its gradient."""
    runs, rate = Learners(net, [4, 5]), 1e-7
    before = {name: weight.copy() for name, weight in runs.w.items()}
    x, target = drawn(net, 9)
    errors = learn_each_step(runs, x, np.array([9, 6]), target, rate=rate)
    for k, length in enumerate((9, 6)):
        layer, readout = reference(net, {name: weight[k] for name, weight in before.items()})
        error = errors_of(layer, readout, x[k, :length], target[k, :length])
        np.testing.assert_allclose(errors[k, :length], error.detach(), atol=1e-5)
        assert (errors[k, length:] == 0).all()
        parameters = {"w_x": layer.weight_ih_l0, **readout} | ({"w_h": layer.weight_hh_l0} if net.feedback else {})
        grads = torch.autograd.grad(error.square().sum() / 2, list(parameters.values()))
        for name, grad in zip(parameters, grads, strict=True):
            change = (before[name][k] - runs.w[name][k]) / rate
            np.testing.assert_allclose(change, grad, atol=1e-4)
        if net.bias == "gates":
            np.testing.assert_array_equal(runs.w["b"][:, net.blocks : net.blocks + net.cells], 0)


def test_the_last_step_is_learnt_from_weights_that_the_first_changed() -> None:
    runs, whole = Learners(REBER, [1, 2]), Learners(REBER, [1, 2])
    x, target = drawn(REBER, 6)
    learn_each_step(runs, x, np.array([6, 6]), target, rate=0.5)
    whole.learn(x, np.array([6, 6]), target, rate=0.5)
    assert np.abs(runs.w["v"] - whole.w["v"]).max() > 1e-6
