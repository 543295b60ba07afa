"""The gates of each kind of cell, from what a layer read and gave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import layer_norm, linear, logsigmoid

from gatecast.nn.cell_kinds import CellKind, GRUKind, LayerOutput, LSTMKind, RNNKind
from gatecast.nn.lstm1997 import Kind1997
from gatecast.nn.slstm import SLSTMKind
from gatecast.ops.activations import activation_of
from gatecast.ops.lstm1997_cell.reference import units_of
from gatecast.ops.lstm1997_cell.spec import State1997
from gatecast.ops.lstm_cell.reference import NORM_EPSILON
from gatecast.ops.masks import LSTMMasks

Parts = dict[str, Tensor]


@dataclass(frozen=True)
class Run:
    """One layer and direction over a sequence: what it read, and what it gave.

    Args:
        cell: kind of the cell.
        x: ``(time, batch, input)``.
        weights: by name.
        state: before the first step; None: zeros.
        spec: options that the operator reads.
        masks: of steps and dropout.
        out: what it gave; the LSTM's with the cell states of every step.
    """

    cell: CellKind
    x: Tensor
    weights: dict[str, Tensor]
    state: tuple[Tensor, ...] | None
    spec: Any
    masks: LSTMMasks
    out: LayerOutput

    @property
    def masked(self) -> bool:
        """Whether steps or units are masked."""
        return any(mask is not None for mask in self.masks)

    def parts(self) -> Parts:
        """Gates and states at their own time, ``(time, batch, hidden)`` each."""
        if not self.spec.reverse:
            return GATES[type(self.cell)](self)
        cells = None if self.out.cells is None else self.out.cells.flip(0)
        out = self.out._replace(y=self.out.y.flip(0), cells=cells)
        forwards = replace(self, x=self.x.flip(0), out=out, spec=replace(self.spec, reverse=False))
        return {name: part.flip(0) for name, part in GATES[type(self.cell)](forwards).items()}

    def before(self, part: int, after: Tensor) -> Tensor:
        """A part of the state before each step, from the same after each step."""
        first = torch.zeros_like(after[:1]) if self.state is None else self.state[part][None].to(after.dtype)
        return torch.cat([first, after[:-1]])

    def every_state(self) -> list[tuple[Tensor, ...]]:
        """The state before the first step and after each, one step a call."""
        state, found = self.state, []
        for step in self.x:
            state = self.cell.run(step[None], self.weights, state, self.spec, self.masks).state
            found.append(state)
        return found


def lstm_gates(run: Run) -> Parts:
    """i, f, g, o, c and h of the LSTM, with every option (:mod:`gatecast.ops.lstm_cell.reference`)."""
    assert isinstance(run.cell, LSTMKind)
    assert run.out.cells is not None
    w, spec = run.cell.operands(run.weights), run.spec
    act, gate = activation_of(spec.activation), activation_of(spec.recurrent_activation, "recurrent_activation")
    h, c = run.out.y, run.out.cells
    from_x, from_h = linear(run.x, w.w_ih), linear(run.before(0, h), w.w_hh)
    if w.norm_x is not None and w.norm_h is not None:
        from_x = layer_norm(from_x, from_x.shape[-1:], w.norm_x, None, NORM_EPSILON)
        from_h = layer_norm(from_h, from_h.shape[-1:], w.norm_h, None, NORM_EPSILON)
    net = from_x + from_h if w.bias is None else from_x + from_h + w.bias
    *first, f, g, o = net.chunk(spec.gates, -1)
    before = run.before(1, c)
    if w.peephole is not None:
        f, o = f + w.peephole[-2] * before, o + w.peephole[-1] * c
        first = [part + w.peephole[0] * before for part in first]
    f = gate(f)
    i = 1 - f if spec.coupled else gate(first[0])
    return {"i": i, "f": f, "g": act(g), "o": gate(o), "c": c, "h": h}


def gru_gates(run: Run) -> Parts:
    """r, z, n and h of the GRU (:mod:`gatecast.ops.gru_cell.reference`)."""
    w, spec, h = run.weights, run.spec, run.out.y
    act, gate = activation_of(spec.activation), activation_of(spec.recurrent_activation, "recurrent_activation")
    before, hidden = run.before(0, h), h.shape[-1]
    x = linear(run.x, w["weight_ih"], w.get("bias_ih"))
    bias = w.get("bias_hh")
    back = linear(before, w["weight_hh"], bias)
    r, z = gate((x + back)[..., : 2 * hidden]).chunk(2, -1)
    if spec.reset_after:
        n = x[..., 2 * hidden :] + r * back[..., 2 * hidden :]
    else:
        own = None if bias is None else bias[2 * hidden :]
        n = x[..., 2 * hidden :] + linear(r * before, w["weight_hh"][2 * hidden :], own)
    return {"r": r, "z": z, "n": act(n), "h": h}


def rnn_gates(run: Run) -> Parts:
    """h of the plain network, which has no gates."""
    return {"h": run.out.y}


def slstm_gates(run: Run) -> Parts:
    """i, f, g, o, c, n, m and h of the sLSTM (:mod:`gatecast.ops.slstm_cell.reference`)."""
    states = run.every_state()
    h, c, n, m = (torch.stack(part) for part in zip(*states, strict=True))
    w_hh = run.weights["weight_hh"]
    heads = run.cell.hidden_size // w_hh.shape[1]
    back = torch.einsum("ghkj,tbhj->tbghk", _by_head(w_hh, heads), run.before(0, h).unflatten(-1, (heads, -1)))
    net = linear(run.x, run.weights["weight_ih"], run.weights.get("bias_ih")) + back.flatten(2)
    i, f, g, o = net.to(c.dtype).chunk(4, -1)
    log_f = f if run.spec.exponential_forget else logsigmoid(f)
    empty = torch.full_like(m[:1], -torch.inf)
    scale = torch.cat([empty if run.state is None else run.state[3][None], m[:-1]])
    return {
        "i": torch.exp(i - m),
        "f": torch.exp(log_f + scale - m),
        "g": g.tanh(),
        "o": o.sigmoid(),
        "c": c,
        "n": n,
        "m": m,
        "h": run.out.y,
    }


def _by_head(weight: Tensor, heads: int) -> Tensor:
    """``(gate, head, unit, unit before)``."""
    return weight.unflatten(0, (4, heads, -1))


def gates_1997(run: Run) -> Parts:
    """i, g, o, c and h of the original LSTM (:mod:`gatecast.ops.lstm1997_cell.reference`)."""
    assert isinstance(run.cell, Kind1997)
    units = run.cell.units
    states = run.every_state()
    after = State1997(*(torch.stack(part) for part in zip(*states, strict=True)))
    w = run.cell.operands(run.weights)
    net = linear(run.x, w.w_ih, w.bias)
    if w.w_hh is not None:
        before = State1997(*(run.before(k, part).flatten(0, 1) for k, part in enumerate(after)))
        u = units_of(before, units) if units.feedback == "all" else before.h
        net = net + linear(u, w.w_hh).unflatten(0, net.shape[:2])
    i, g, o = net.split(units.rows, -1)
    o = o.sigmoid() if units.output_gate else torch.ones_like(i)
    i, o = (part.repeat_interleave(units.size, -1) for part in (i.sigmoid(), o))
    return {"i": i, "g": 4 * g.sigmoid() - 2, "o": o, "c": after.c, "h": run.out.y}


GATES: dict[type[CellKind], Callable[[Run], Parts]] = {
    LSTMKind: lstm_gates,
    GRUKind: gru_gates,
    RNNKind: rnn_gates,
    SLSTMKind: slstm_gates,
    Kind1997: gates_1997,
}
