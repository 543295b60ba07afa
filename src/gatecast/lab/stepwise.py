"""On-line learning with an update at every step, for tasks with an error at every step.

The truncated gradient as the paper computes it (Hochreiter & Schmidhuber 1997, appendix A.1): each cell keeps the
derivative of its state with respect to the weights of its input gate and of its own input, and the error of a step
changes the weights at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gatecast.lab.online import Array, Learners


def learn_each_step(runs: Learners, x: Array, lengths: np.ndarray, target: Array, *, rate: float) -> Array:
    """Update the weights of every run after each step of its sequence.

    Args:
        runs: networks of one shape; their weights change. Inputs of a net with ``direct`` must be one-hot.
        x: ``(runs, time, inputs)``.
        lengths: of each sequence.
        target: ``(runs, time, outputs)``.
        rate: learning rate.

    Returns:
        Output minus target of each step, before its update; 0 after the end of a sequence.

    Example:
        >>> import numpy as np
        >>> from gatecast.lab.online import Learners, Net
        >>> from gatecast.lab.stepwise import learn_each_step
        >>> runs = Learners(Net(inputs=2, blocks=1, size=1, outputs=1), seeds=[1])
        >>> x, target = np.ones((1, 30, 2)), np.ones((1, 30, 1))
        >>> error = learn_each_step(runs, x, np.array([30]), target, rate=0.5)
        >>> bool(abs(error[0, -1, 0]) < abs(error[0, 0, 0]))
        True
    """
    sequence = _Sequence(runs, x)
    errors = np.zeros_like(target)
    for t in range(x.shape[1]):
        goes_on = (t < lengths)[:, None]
        errors[:, t] = sequence.step(x[:, t], target[:, t], goes_on, rate)
    sequence.give_back()
    return errors


class _Sequence:
    """Weights of gates and cells as one matrix on what they read: inputs, what every unit gave, and 1."""

    def __init__(self, runs: Learners, x: Array) -> None:
        self.runs, self.net, net = runs, runs.net, runs.net
        count, parts = len(runs), [runs.w["w_x"]]
        if net.feedback:
            parts.append(runs.w["w_h"])
        if "b" in runs.w:
            parts.append(runs.w["b"][..., None])
        self.w = np.concatenate(parts, -1)
        self.may_change: Any = 1.0
        if net.bias == "gates":
            self.may_change = np.ones_like(self.w[0])
            self.may_change[net.blocks : net.blocks + net.cells, -1] = 0
        self.read = np.ones((count, self.w.shape[-1]))
        self.c = np.zeros((count, net.cells))
        self.by_gate = np.zeros((count, net.cells, self.w.shape[-1]))  # dc / d(weights of the input gate)
        self.by_cell = np.zeros_like(self.by_gate)
        self.u = np.zeros((count, net.units))
        self.rows = np.arange(count)

    def step(self, x: Array, target: Array, goes_on: np.ndarray, rate: float) -> Array:
        """One step forward, its error, and the update."""
        net, w, b, n = self.net, self.runs.w, self.net.blocks, self.net.blocks + self.net.cells
        self.read[:, : net.inputs] = x
        if net.feedback:
            self.read[:, net.inputs : net.inputs + net.units] = self.u
        th = np.tanh(0.5 * (self.w @ self.read[..., None])[..., 0])
        i, o = self.runs._gates(th)
        squash, gate = 2 * th[:, b:n], self.runs._spread(i)
        self.c += gate * squash
        self.by_gate += (squash * gate * (1 - gate))[..., None] * self.read[:, None]
        self.by_cell += (gate * (1 - th[:, b:n] ** 2))[..., None] * self.read[:, None]
        flat, out = np.tanh(0.5 * self.c), self.runs._spread(o)
        h = out * flat
        self.u = np.concatenate([i, h, o], -1) if net.output_gate else np.concatenate([i, h], -1)
        symbol = x.argmax(-1)
        y = self._outputs(h, symbol)
        error = (y - target) * goes_on
        delta = error * y * (1 - y)
        dh = (delta[:, None] @ w["v"])[:, 0]
        self._update(delta, h, symbol, rate)
        self._update_units(dh, dh * out * 0.5 * (1 - flat**2), dh * flat, o, rate)
        return np.asarray(error)

    def _outputs(self, h: Array, symbol: np.ndarray) -> Array:
        w = self.runs.w
        net = (w["v"] @ h[..., None])[..., 0]
        if "v_b" in w:
            net += w["v_b"]
        if "v_x" in w:
            net += w["v_x"][self.rows, :, symbol]
        return np.asarray(0.5 + 0.5 * np.tanh(0.5 * net))

    def _update(self, delta: Array, h: Array, symbol: np.ndarray, rate: float) -> None:
        """Weights of the outputs."""
        w = self.runs.w
        w["v"] -= rate * delta[..., None] * h[:, None]
        if "v_b" in w:
            w["v_b"] -= rate * delta
        if "v_x" in w:
            w["v_x"][self.rows, :, symbol] -= rate * delta

    def _update_units(self, dh: Array, dc: Array, opened: Array, o: Array, rate: float) -> None:
        """Weights of gates and cells."""
        net, b, n = self.net, self.net.blocks, self.net.blocks + self.net.cells
        change = np.zeros_like(self.w)
        by_block = (dc[..., None] * self.by_gate).reshape(len(dh), net.blocks, net.size, -1)
        change[:, :b] = by_block.sum(2)
        change[:, b:n] = dc[..., None] * self.by_cell
        if net.output_gate:
            net_o = opened.reshape(len(dh), net.blocks, net.size).sum(-1) * o * (1 - o)
            change[:, n:] = net_o[..., None] * self.read[:, None]
        self.w -= rate * change * self.may_change

    def give_back(self) -> None:
        """The weights to the learners."""
        net, w = self.net, self.runs.w
        w["w_x"] = self.w[..., : net.inputs]
        if net.feedback:
            w["w_h"] = self.w[..., net.inputs : net.inputs + net.units]
        if "b" in w:
            w["b"] = self.w[..., -1]
