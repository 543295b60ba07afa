"""The truncated gradient of many runs at once against automatic differentiation of LSTM1997, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from gatecast.lab.experiments import EXPERIMENTS
from gatecast.lab.online import Learners, Net
from gatecast.nn import LSTM1997

NETS = {
    "adding": Net(2, 2, 2, 1, in_bias=(-3.0, -6.0)),
    "gates alone": Net(3, 3, 1, 2, bias="gates", output_bias=False, out_bias=(-1.0, -2.0, -3.0)),
    "no gate out": Net(4, 1, 1, 4, "none", output_bias=False, output_gate=False, feedback=False, direct=True),
}


def reference(net: Net, w: dict[str, np.ndarray]) -> tuple[Any, dict[str, Any]]:
    """The layer of gatecast.nn with the weights of one run, and those of the readout."""
    options = {"output_gate": net.output_gate, "feedback": "all" if net.feedback else "none", "bias": net.bias}
    layer = LSTM1997(net.inputs, net.blocks, net.size, **options).double()
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.from_numpy(w["w_x"]))
        if net.feedback:
            layer.weight_hh_l0.copy_(torch.from_numpy(w["w_h"]))
        if "b" in w:
            gates = np.r_[: net.blocks, net.blocks + net.cells : net.units]
            layer.bias_ih_l0.copy_(torch.from_numpy(w["b"][gates] if net.bias == "gates" else w["b"]))
    readout = {name: torch.tensor(w[name], requires_grad=True) for name in ("v", "v_b", "v_x") if name in w}
    return layer, readout


def errors_of(layer: Any, readout: dict[str, Any], x: np.ndarray, target: np.ndarray) -> torch.Tensor:
    """Output minus target of one sequence, at its end or at every step."""
    seen = torch.from_numpy(x)
    h = layer(seen[:, None])[0][:, 0]
    if target.ndim == 1:
        h, seen = h[-1:], seen[-1:]
    net = h @ readout["v"].T + readout.get("v_b", 0)
    if "v_x" in readout:
        net = net + seen @ readout["v_x"].T
    return net.sigmoid() - torch.from_numpy(np.atleast_2d(target))


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("name", NETS)
def test_each_update_is_that_of_the_layer(name: str, every: bool) -> None:
    net, draw, rate = NETS[name], np.random.default_rng(3), 0.5
    runs = Learners(net, [4, 5])
    pairs = [reference(net, {key: weight[k] for key, weight in runs.w.items()}) for k in range(2)]
    for _ in range(3):
        x, lengths = draw.normal(size=(2, 9, net.inputs)), np.array([9, 6])
        target = draw.random((2, 9, net.outputs) if every else (2, net.outputs))
        found = runs.learn(x, lengths, target, rate=rate)
        for k, (layer, readout) in enumerate(pairs):
            length = lengths[k]
            error = errors_of(layer, readout, x[k, :length], target[k, :length] if every else target[k])
            np.testing.assert_allclose(found[k, :length] if every else found[k : k + 1], error.detach(), atol=1e-12)
            parameters = [*layer.parameters(), *readout.values()]
            grads = torch.autograd.grad(error.square().sum() / 2, parameters)
            with torch.no_grad():
                for parameter, grad in zip(parameters, grads, strict=True):
                    parameter -= rate * grad
            np.testing.assert_allclose(runs.w["w_x"][k], layer.weight_ih_l0.detach(), atol=1e-12)
            np.testing.assert_allclose(runs.w["v"][k], readout["v"].detach(), atol=1e-12)


def test_outputs_at_the_end_of_each_sequence() -> None:
    runs = Learners(NETS["adding"], [1, 2, 3])
    x = np.random.default_rng(0).normal(size=(3, 8, 2))
    whole, ends = runs.outputs(x), runs.outputs(x, np.array([8, 5, 1]))
    np.testing.assert_allclose(ends[:, 0], whole[range(3), [7, 4, 0]])
    tiled = runs.tiled(2).outputs(np.repeat(x, 2, 0))
    np.testing.assert_allclose(tiled[::2], whole)


def test_the_networks_have_the_weights_of_the_paper() -> None:
    counts = {name: (one.net.weights, one.weights) for name, one in EXPERIMENTS.items()}
    assert all(ours == published for ours, published in counts.values()), counts
    assert {93, 102, 156, 264, 276, 308, 364, 664, 6_064, 10_504} == {ours for ours, _ in counts.values()}


def test_seeds_do_not_depend_on_each_other() -> None:
    one, many = Learners(NETS["adding"], [7]), Learners(NETS["adding"], [6, 7])
    np.testing.assert_array_equal(one.w["w_x"][0], many.w["w_x"][1])
    many.keep(np.array([False, True]))
    assert len(many) == 1
