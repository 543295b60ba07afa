"""Flax's OptimizedLSTMCell and a plain lax.scan, jitted, as rivals (see rival.py)."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import rival
from jax import lax
from rival import Arrays, Call, Case

Forward = Callable[[Any, Any], Any]  # weights, x → y


def scanned(case: Case) -> Call:
    """What a user of JAX writes: the input's share of the gates at once, then a scan over time; time first."""
    check(case)
    weights = [tuple(jnp.asarray(array) for array in case.weights(k)) for k in range(case.layers)]

    def forward(weights: Any, x: Any) -> Any:
        for w_ih, w_hh, bias in weights:

            def step(carry: Any, gates: Any, w_hh: Any = w_hh) -> Any:
                h, c = carry
                i, f, g, o = jnp.split(gates + h @ w_hh.T, 4, -1)
                c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
                h = jax.nn.sigmoid(o) * jnp.tanh(c)
                return (h, c), h

            zeros = jnp.zeros((x.shape[1], case.hidden))
            x = lax.scan(step, (zeros, zeros), x @ w_ih.T + bias)[1]
        return x

    return finished(case, weights, forward, time_first=True, w_hh=lambda grads: grads[0][1])


def flax(case: Case) -> Call:
    """``flax.linen.RNN`` of ``OptimizedLSTMCell``."""
    check(case)
    layers = [nn.RNN(nn.OptimizedLSTMCell(case.hidden)) for _ in range(case.layers)]
    weights = []
    for k in range(case.layers):
        w_ih, w_hh, bias = (np.split(array, 4) for array in case.weights(k))
        cell = {}
        for gate, w_i, w_h, b in zip("ifgo", w_ih, w_hh, bias, strict=True):
            cell |= {f"i{gate}": {"kernel": jnp.asarray(w_i.T)}}
            cell |= {f"h{gate}": {"kernel": jnp.asarray(w_h.T), "bias": jnp.asarray(b)}}
        weights.append({"params": {"cell": cell}})

    def forward(weights: Any, x: Any) -> Any:
        for layer, own in zip(layers, weights, strict=True):
            x = layer.apply(own, x)
        return x

    def w_hh(grads: Any) -> Any:
        return np.concatenate([grads[0]["params"]["cell"][f"h{gate}"]["kernel"].T for gate in "ifgo"])

    return finished(case, weights, forward, time_first=False, w_hh=w_hh)


def check(case: Case) -> None:
    """Options are not offered."""
    if case.option:
        raise rival.NotOffered("neither has the option")


def finished(case: Case, weights: Any, forward: Forward, *, time_first: bool, w_hh: Callable[[Any], Any]) -> Call:
    """A forward function as the jitted call of the case's task."""
    turn = (lambda a: a.swapaxes(0, 1)) if time_first else (lambda a: a)
    x, grad = jnp.asarray(turn(case.given["x"])), jnp.asarray(turn(case.given["grad"]))
    if case.task == "step":
        return forecaster(case, weights, lambda w, x: forward(w, x)[-1] if time_first else forward(w, x)[:, -1], x)
    if case.task == "inference":
        run = jax.jit(forward)
        return Call(lambda: jax.block_until_ready(run(weights, x)), lambda: {"y": np.asarray(turn(run(weights, x)))})

    @jax.jit
    def both(weights: Any, x: Any) -> Any:
        y, back = jax.vjp(forward, weights, x)
        return y, back(grad)

    def results() -> Arrays:
        y, (grads, grad_x) = both(weights, x)
        return {"y": np.asarray(turn(y)), "grad_x": np.asarray(turn(grad_x)), "grad_w_hh": np.asarray(w_hh(grads))}

    return Call(lambda: jax.block_until_ready(both(weights, x)), results)


def forecaster(case: Case, weights: Any, last: Forward, x: Any) -> Call:
    """A jitted step of optax's Adam."""
    head = jnp.asarray(case.given["head_w"]), jnp.asarray(case.given["head_b"])
    target, adam = jnp.asarray(case.given["target"]), optax.adam(rival.LEARNING_RATE, eps=rival.EPSILON)

    def loss_of(parameters: Any) -> Any:
        weights, (head_w, head_b) = parameters
        return jnp.mean((last(weights, x) @ head_w.T + head_b - target) ** 2)

    @jax.jit
    def step(parameters: Any, state: Any) -> Any:
        loss, grads = jax.value_and_grad(loss_of)(parameters)
        updates, state = adam.update(grads, state)
        return optax.apply_updates(parameters, updates), state, loss

    now = [(weights, head), adam.init((weights, head))]

    def run() -> float:
        now[0], now[1], loss = step(*now)
        return float(loss)

    return Call(run, lambda: {"losses": np.array([run() for _ in range(3)])})


if __name__ == "__main__":
    versions = {name: version(name) for name in ("jax", "flax")}
    rival.serve({"lax.scan (JAX)": scanned, "Flax": flax}, versions)
