"""On-line learning by the truncated gradient of 1997, for many small networks at once.

The networks of Hochreiter & Schmidhuber 1997 have 4 to 12 units and learn from one sequence at a time: nearly all time
is the overhead of calls. Here the runs of several seeds, each with weights and sequences of its own, are one array, and
only the forward pass loops over time. The truncated gradient (appendix A.1) needs no backward loop: what reaches a cell
state is the sum of the errors from there to the end. It equals automatic differentiation of
:class:`gatecast.nn.LSTM1997`, which the tests check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

Array = np.ndarray[Any, np.dtype[np.float64]]
BIASES = ("all", "gates", "none")


@dataclass(frozen=True)
class Net:
    """A network of the paper: memory blocks and logistic outputs.

    Args:
        inputs, outputs: sizes.
        blocks: each with an input gate and an output gate.
        size: cells of a block.
        bias: of ``"all"`` units, of the ``"gates"`` alone, or ``"none"``.
        output_bias: of the outputs.
        output_gate, feedback: False: the cells have none; nothing is fed back.
        direct: inputs reach the outputs, too.
        init: bound of the first weights, U(-init, init).
        in_bias, out_bias: first biases of the gates of each block; empty: as the weights.
    """

    inputs: int
    blocks: int
    size: int
    outputs: int
    bias: str = "all"
    output_bias: bool = True
    output_gate: bool = True
    feedback: bool = True
    direct: bool = False
    init: float = 0.1
    in_bias: Sequence[float] = ()
    out_bias: Sequence[float] = ()

    @property
    def cells(self) -> int:
        """Cells of all blocks."""
        return self.blocks * self.size

    @property
    def units(self) -> int:
        """Input gates, cells and output gates."""
        return self.cells + self.blocks * (1 + self.output_gate)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the weights by name."""
        found: dict[str, tuple[int, ...]] = {"w_x": (self.units, self.inputs), "v": (self.outputs, self.cells)}
        if self.feedback:
            found["w_h"] = (self.units, self.units)
        if self.bias != "none":
            found["b"] = (self.units,)
        if self.output_bias:
            found["v_b"] = (self.outputs,)
        if self.direct:
            found["v_x"] = (self.outputs, self.inputs)
        return found

    @property
    def weights(self) -> int:
        """Number of weights, as the paper counts them."""
        count = sum(int(np.prod(shape)) for shape in self.shapes.values())
        return count - self.cells if self.bias == "gates" else count


@dataclass
class Trace:
    """What a forward pass leaves for the gradient: ``(runs, time, …)`` each."""

    x: Array
    th: Array  # tanh of half the net input of every unit
    u: Array  # what every unit gave at the step before
    i: Array
    o: Array
    squashed: Array  # tanh(c / 2)
    h: Array
    y: Array = field(default_factory=lambda: np.empty(0))


class Learners:
    """Networks of one shape, one for each seed.

    Args:
        net: their shape.
        seeds: of their first weights.

    Example:
        >>> import numpy as np
        >>> from gatecast.lab.online import Learners, Net
        >>> runs = Learners(Net(inputs=2, blocks=2, size=2, outputs=1), seeds=[1, 2, 3])
        >>> runs.net.weights  # the net of the adding problem
        93
        >>> x, target = np.zeros((3, 10, 2)), np.full((3, 1), 0.5)
        >>> runs.learn(x, np.full(3, 10), target, rate=0.5).shape
        (3, 1)
    """

    def __init__(self, net: Net, seeds: Sequence[int]) -> None:
        self.net = net
        each = [self._first(np.random.default_rng([seed, 1997])) for seed in seeds]
        self.w = {name: np.stack([one[name] for one in each]) for name in net.shapes}

    def _first(self, draw: np.random.Generator) -> dict[str, Array]:
        net = self.net
        w = {name: draw.uniform(-net.init, net.init, shape) for name, shape in net.shapes.items()}
        if "b" in w:
            if net.in_bias:
                w["b"][: net.blocks] = net.in_bias
            if net.out_bias:
                w["b"][-net.blocks :] = net.out_bias
            if net.bias == "gates":
                w["b"][net.blocks : net.blocks + net.cells] = 0
        return w

    def keep(self, rows: np.ndarray) -> None:
        """Go on with these runs alone."""
        self.w = {name: weight[rows] for name, weight in self.w.items()}

    def tiled(self, count: int) -> Learners:
        """Every run ``count`` times: the first run's copies first."""
        found = object.__new__(Learners)
        found.net, found.w = self.net, {name: np.repeat(weight, count, 0) for name, weight in self.w.items()}
        return found

    def __len__(self) -> int:
        return len(self.w["v"])

    # ── forward ───────────────────────────────────────────────────────────────────────────────────────────────────
    def _states(self, x: Float[np.ndarray, "runs time inputs"]) -> Trace:
        """Gates and cells of every step."""
        net, w = self.net, self.w
        half = x @ (0.5 * w["w_x"]).transpose(0, 2, 1)
        if "b" in w:
            half += 0.5 * w["b"][:, None]
        if net.feedback:
            return self._loop(x, half)
        th = np.tanh(half)
        i, o = self._gates(th)
        c = np.cumsum(self._spread(i) * 2 * th[..., net.blocks : net.blocks + net.cells], 1)
        squashed = np.tanh(0.5 * c)
        return Trace(x, th, np.empty(0), i, o, squashed, self._spread(o) * squashed)

    def _loop(self, x: Array, half: Array) -> Trace:
        net = self.net
        runs, steps, units = half.shape
        b, n, shape = net.blocks, net.blocks + net.cells, (runs, net.blocks, net.size)
        w_h = np.ascontiguousarray((0.5 * self.w["w_h"]).transpose(0, 2, 1))
        th, u = np.empty_like(half), np.zeros((runs, steps + 1, units))
        squashed, c = np.empty((runs, steps, net.cells)), np.zeros((runs, net.cells))
        now = np.zeros((runs, 1, units))
        for t in range(steps):
            act = np.tanh(half[:, t] + (now @ w_h)[:, 0])
            th[:, t] = act
            gate = 0.5 + 0.5 * act
            c += (gate[:, :b, None] * (2 * act[:, b:n]).reshape(shape)).reshape(runs, -1)
            flat = np.tanh(0.5 * c)
            squashed[:, t] = flat
            if net.output_gate:
                flat = (gate[:, n:, None] * flat.reshape(shape)).reshape(runs, -1)
            gate[:, b:n] = flat
            u[:, t + 1] = now[:, 0] = gate
        i, o = self._gates(th)
        return Trace(x, th, u[:, :-1], i, o, squashed, u[:, 1:, b:n])

    def _gates(self, th: Array) -> tuple[Array, Array]:
        """Input and output gates of each block."""
        net = self.net
        i = 0.5 + 0.5 * th[..., : net.blocks]
        o = 0.5 + 0.5 * th[..., net.blocks + net.cells :] if net.output_gate else np.ones_like(i)
        return i, o

    def _spread(self, gate: Array) -> Array:
        """A block's gate at each of its cells."""
        return gate if self.net.size == 1 else np.repeat(gate, self.net.size, -1)

    def _outputs(self, h: Array, x: Array) -> Array:
        """Logistic outputs from cell outputs and inputs ``(runs, time, …)``."""
        net = h @ self.w["v"].transpose(0, 2, 1)
        if "v_b" in self.w:
            net += self.w["v_b"][:, None]
        if "v_x" in self.w:
            net += x @ self.w["v_x"].transpose(0, 2, 1)
        return 0.5 + 0.5 * np.tanh(0.5 * net)

    def outputs(self, x: Float[np.ndarray, "runs time inputs"], lengths: np.ndarray | None = None) -> Array:
        """Outputs of every step, or of the last one of each sequence: ``(runs, time or 1, outputs)``."""
        trace = self._states(x)
        if lengths is None:
            return self._outputs(trace.h, x)
        rows = np.arange(len(x))
        return self._outputs(trace.h[rows, lengths - 1][:, None], x[rows, lengths - 1][:, None])

    # ── learning ──────────────────────────────────────────────────────────────────────────────────────────────────
    def learn(self, x: Array, lengths: np.ndarray, target: Array, *, rate: float) -> Array:
        """Update the weights of every run after its sequence (squared error, gradient descent).

        Args:
            x: ``(runs, time, inputs)``; rows after a sequence's length count nothing.
            lengths: of each sequence.
            target: ``(runs, outputs)`` at the last step, or ``(runs, time, outputs)`` at every step.
            rate: learning rate.

        Returns:
            Output minus target before the update, shaped as the target.
        """
        error, grads = self.gradients(x, lengths, target)
        for name, gradient in grads.items():
            self.w[name] -= rate * gradient
        return error

    def gradients(self, x: Array, lengths: np.ndarray, target: Array) -> tuple[Array, dict[str, Array]]:
        """Output minus target, and the truncated gradient of half its square by weight."""
        trace, rows, last = self._states(x), np.arange(len(x)), lengths - 1
        if target.ndim == 2:
            h, seen = trace.h[rows, last][:, None], x[rows, last][:, None]
            y = self._outputs(h, seen)
            error = y - target[:, None]
        else:
            h, seen = trace.h, x
            y = self._outputs(h, seen)
            error = (y - target) * (np.arange(x.shape[1]) < lengths[:, None])[..., None]
        delta = error * y * (1 - y)
        grads = {"v": delta.transpose(0, 2, 1) @ h}
        if "v_b" in self.w:
            grads["v_b"] = delta.sum(1)
        if "v_x" in self.w:
            grads["v_x"] = delta.transpose(0, 2, 1) @ seen
        dh = delta @ self.w["v"]
        if target.ndim == 2:
            full = np.zeros_like(trace.h)
            full[rows, last] = dh[:, 0]
            dh = full
        self._inner(trace, dh, grads)
        return (error[:, 0] if target.ndim == 2 else error), grads

    def _inner(self, trace: Trace, dh: Array, grads: dict[str, Array]) -> None:
        """Gradients of gates and cells; what reaches a cell is the sum of the errors from there to the end."""
        net = self.net
        b, n = net.blocks, net.blocks + net.cells
        by_block = (*dh.shape[:2], net.blocks, net.size)
        i, o, th = trace.i, trace.o, trace.th
        dc = np.flip(np.cumsum(np.flip(dh * self._spread(o) * 0.5 * (1 - trace.squashed**2), 1), 1), 1)
        d = np.empty_like(th)
        d[..., :b] = (dc * 2 * th[..., b:n]).reshape(by_block).sum(-1) * i * (1 - i)
        d[..., b:n] = dc * self._spread(i) * (1 - th[..., b:n] ** 2)
        if net.output_gate:
            d[..., n:] = (dh * trace.squashed).reshape(by_block).sum(-1) * o * (1 - o)
        back = d.transpose(0, 2, 1)
        grads["w_x"] = back @ trace.x
        if "w_h" in self.w:
            grads["w_h"] = back @ trace.u
        if "b" in self.w:
            grads["b"] = d.sum(1)
            if net.bias == "gates":
                grads["b"][:, b:n] = 0
