"""keras.layers.LSTM on the backend of KERAS_BACKEND, as a rival (see rival.py); JAX is jitted, as Keras does it."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import Any

import keras
import numpy as np
import rival
from rival import Arrays, Call, Case

BACKEND = os.environ["KERAS_BACKEND"]
if BACKEND == "torch":
    import torch

    torch.set_num_threads(rival.threads())
else:
    import jax


def layers_of(case: Case, *, last: bool = False) -> list[Any]:
    """Layers on layers with the weights of the case."""
    if case.option == "layer_norm":
        raise rival.NotOffered("Keras's LSTM has no layer normalisation")
    drop = {"recurrent_dropout": rival.DROP, "seed": 1} if case.option == "recurrent_dropout" else {}
    made = []
    for k in range(case.layers):
        layer = keras.layers.LSTM(case.hidden, return_sequences=not (last and k == case.layers - 1), **drop)
        layer.build((case.batch, case.time, case.input if k == 0 else case.hidden))
        w_ih, w_hh, bias = case.weights(k)
        layer.set_weights([w_ih.T, w_hh.T, bias])
        made.append(layer)
    return made


def lstm(case: Case) -> Call:
    """The case in Keras."""
    if case.task == "step":
        return forecaster(case)
    return torch_call(case) if BACKEND == "torch" else jax_call(case)


def torch_call(case: Case) -> Call:
    """Eager, as Keras runs on PyTorch."""
    layers = layers_of(case)
    x, grad = torch.from_numpy(case.given["x"]), torch.from_numpy(case.given["grad"])
    mask = torch.from_numpy(case.mask) if case.option == "lengths" else None

    def forward(x: Any, dropping: bool) -> Any:
        for layer in layers:
            x = layer(x, mask=mask, training=dropping)
        return x

    def run(dropping: bool = True) -> Any:
        if case.task == "inference":
            with torch.no_grad():
                return forward(x, False)
        x.requires_grad_()
        x.grad = None
        for layer in layers:
            layer.zero_grad()
        y = forward(x, dropping)
        y.backward(grad)
        return y

    def results() -> Arrays:
        y = {"y": run(False).detach().numpy()}
        if case.task == "inference":
            return y
        return y | {"grad_x": x.grad.numpy(), "grad_w_hh": layers[0].cell.recurrent_kernel.value.grad.numpy().T}

    return Call(run, results)


def jax_call(case: Case) -> Call:
    """Compiled as one function of weights and input; the seeds of dropout are part of the state."""
    layers = layers_of(case)
    x, grad = jax.numpy.asarray(case.given["x"]), jax.numpy.asarray(case.given["grad"])
    mask = jax.numpy.asarray(case.mask) if case.option == "lengths" else None
    weights = [[w.value for w in layer.trainable_variables] for layer in layers]
    states = [[w.value for w in layer.non_trainable_variables] for layer in layers]

    def forward(weights: Any, states: Any, x: Any, dropping: bool) -> tuple[Any, Any]:
        after = []
        for layer, own, state in zip(layers, weights, states, strict=True):
            x, state = layer.stateless_call(own, state, x, mask=mask, training=dropping)
            after.append(state)
        return x, after

    def both(weights: Any, states: Any, x: Any, dropping: bool) -> Any:
        y, back = jax.vjp(lambda w, x: forward(w, states, x, dropping)[0], weights, x)
        return y, back(grad)

    compiled = jax.jit(forward if case.task == "inference" else both, static_argnums=3)

    def run(dropping: bool = True) -> Any:
        return jax.block_until_ready(compiled(weights, states, x, dropping and case.task == "training"))

    def results() -> Arrays:
        y, rest = run(False)
        if case.task == "inference":
            return {"y": np.asarray(y)}
        (grad_w, grad_x) = rest
        return {"y": np.asarray(y), "grad_x": np.asarray(grad_x), "grad_w_hh": np.asarray(grad_w[0][1]).T}

    return Call(run, results)


def forecaster(case: Case) -> Call:
    """``train_on_batch`` of a compiled model."""
    (layer,) = layers_of(case, last=True)
    model = keras.Sequential([keras.Input((case.time, case.input)), layer, keras.layers.Dense(1)])
    model.layers[-1].set_weights([case.given["head_w"].T, case.given["head_b"]])
    model.compile(keras.optimizers.Adam(rival.LEARNING_RATE, epsilon=rival.EPSILON), "mse")
    x, target = case.given["x"], case.given["target"]

    def run() -> float:
        return float(model.train_on_batch(x, target))

    def results() -> Arrays:
        losses = []
        for _ in range(3):
            model.reset_metrics()  # else the mean of all so far
            losses.append(run())
        return {"losses": np.array(losses)}

    return Call(run, results)


if __name__ == "__main__":
    versions = {"keras": version("keras"), BACKEND: version(BACKEND)}
    rival.serve({f"Keras ({'PyTorch' if BACKEND == 'torch' else 'JAX'})": lstm}, versions)
