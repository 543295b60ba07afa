"""A layer that is plain data, run by the reference operator (LSTM) or by its equations (GRU, RNN)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gatecast.nn.weights import LayerWeights
from gatecast.ops import CellSpec, LSTMMasks, LSTMWeights, activation_of, lstm

TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}


class Played(NamedTuple):
    """What a layer gave."""

    y: Tensor  # (time, batch, width); of both directions with merge_mode=None: (2, time, batch, width)
    h: Tensor  # (layers*directions, batch, hidden)
    c: Tensor | None

    def output(self, layer: LayerWeights) -> Tensor:
        """What the layer gives back: ``y``, or without ``return_sequences`` what each direction ended with."""
        return self.y if layer.option("return_sequences") else join(list(self.h[-layer.directions :]), layer)


def play(
    layer: LayerWeights, x: Tensor, steps: Tensor | None = None, state: tuple[Tensor, ...] | None = None
) -> Played:
    """Run ``x (time, batch, input)``, the steps that count, and states ``(layers*directions, batch, hidden)``."""
    if layer.option("go_backwards"):
        x, steps = x.flip(0), None if steps is None else steps.flip(0)
    ends: list[tuple[Tensor, ...]] = []
    for k in range(layer.option("num_layers")):
        sides = []
        for d, suffix in enumerate((f"l{k}", f"l{k}_reverse")[: layer.directions]):
            start = None if state is None else tuple(part[len(ends)] for part in state)
            y, *end = _run(layer, layer.tensors(suffix), x, steps, start, reverse=d == 1)
            sides.append(y)
            ends.append(tuple(end))
        x = join(sides, layer)
    h, *c = (torch.stack(parts) for parts in zip(*ends, strict=True))
    return Played(x, h, c[0] if c else None)


def join(sides: list[Tensor], layer: LayerWeights) -> Tensor:
    """Both directions as one."""
    if len(sides) == 1:
        return sides[0]
    one, two = sides
    mode = layer.option("merge_mode")
    joined = {"concat": torch.cat(sides, -1), "sum": one + two, "mul": one * two, "ave": (one + two) / 2}
    return joined[mode] if mode else torch.stack(sides)


def _run(
    layer: LayerWeights,
    w: dict[str, Tensor],
    x: Tensor,
    steps: Tensor | None,
    state: tuple[Tensor, ...] | None,
    *,
    reverse: bool,
) -> tuple[Tensor, ...]:
    zero = layer.option("zero_output_for_mask")
    if layer.kind != "LSTM":
        return _loop(layer, w, x, steps, state, reverse=reverse, zero=zero)
    spec = CellSpec(
        layer.option("activation"),
        layer.option("recurrent_activation"),
        coupled=layer.option("coupled"),
        reverse=reverse,
        zero_output=zero,
    )
    bias = w["bias_ih"] + w["bias_hh"] if "bias_ih" in w else None
    weights = LSTMWeights(w["weight_ih"], w["weight_hh"], bias, w.get("peephole"), w_proj=w.get("weight_hr"))
    start = None if state is None else (state[0], state[1])
    out = lstm(x, weights, start, spec=spec, masks=LSTMMasks(steps))
    return out.y, out.h, out.c


def _loop(
    layer: LayerWeights,
    w: dict[str, Tensor],
    x: Tensor,
    steps: Tensor | None,
    state: tuple[Tensor, ...] | None,
    *,
    reverse: bool,
    zero: bool,
) -> tuple[Tensor, ...]:
    h = x.new_zeros(x.shape[1], layer.option("hidden_size")) if state is None else state[0]
    outputs: list[Tensor] = [h] * len(x)
    for t in reversed(range(len(x))) if reverse else range(len(x)):
        new = (_gru if layer.kind == "GRU" else _rnn)(layer, w, x[t], h)
        on = torch.ones(x.shape[1], 1, dtype=torch.bool) if steps is None else steps[t][:, None]
        h = torch.where(on, new, h)
        outputs[t] = torch.where(on, new, torch.zeros_like(h)) if zero else h
    return torch.stack(outputs), h


def _rnn(layer: LayerWeights, w: dict[str, Tensor], x: Tensor, h: Tensor) -> Tensor:
    bias = w["bias_ih"] + w["bias_hh"] if "bias_ih" in w else 0
    return activation_of(layer.option("nonlinearity"))(x @ w["weight_ih"].T + h @ w["weight_hh"].T + bias)


def _gru(layer: LayerWeights, w: dict[str, Tensor], x: Tensor, h: Tensor) -> Tensor:
    act, gate = activation_of(layer.option("activation")), activation_of(layer.option("recurrent_activation"))
    b_ih, b_hh = w.get("bias_ih", torch.zeros(len(w["weight_ih"]))), w.get("bias_hh", torch.zeros(len(w["weight_ih"])))
    x_r, x_z, x_n = (x @ w["weight_ih"].T + b_ih).chunk(3, -1)
    h_r, h_z, h_n = (h @ w["weight_hh"].T + b_hh).chunk(3, -1)
    r, z = gate(x_r + h_r), gate(x_z + h_z)
    if not layer.option("reset_after"):
        n_weight, n_bias = w["weight_hh"].chunk(3)[2], b_hh.chunk(3)[2]
        return z * h + (1 - z) * act(x_n + (r * h) @ n_weight.T + n_bias)
    return z * h + (1 - z) * act(x_n + r * h_n)
