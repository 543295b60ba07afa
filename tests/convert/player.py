"""A layer that is plain data, run by the layer of ``gatecast.nn`` that is made of it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gatecast import nn
from gatecast.convert import LayerWeights

TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}
LAYERS = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}
WHOLE = {"batch_first": False, "return_state": True, "return_cells": False, "stateful": False}


class Played(NamedTuple):
    """What a layer gave."""

    y: Tensor  # (time, batch, width); of both directions with merge_mode=None: (2, time, batch, width)
    last: Tensor  # the same without time: what each direction ended with
    h: Tensor  # (layers*directions, batch, hidden)
    c: Tensor | None

    def output(self, layer: LayerWeights) -> Tensor:
        """What the layer gives back: ``y``, or ``last`` without ``return_sequences``."""
        return self.y if layer.option("return_sequences") else self.last


@torch.no_grad()
def play(
    layer: LayerWeights, x: Tensor, steps: Tensor | None = None, state: tuple[Tensor, ...] | None = None
) -> Played:
    """Run ``x (time, batch, input)``, the steps that count, and states ``(layers*directions, batch, hidden)``."""
    outputs = []
    for every in (True, False):
        options = {name: value for name, value in WHOLE.items() if layer.kind == "LSTM" or name != "return_cells"}
        module = layer.with_options(return_sequences=every, **options).make(LAYERS[layer.kind]).eval()
        start = state if state is None or layer.kind == "LSTM" else state[0]
        y, end = module(x, start, mask=None if steps is None else steps.T)
        outputs.append(torch.stack(y) if isinstance(y, tuple) else y)
    h, c = end if layer.kind == "LSTM" else (end, None)
    return Played(outputs[0], outputs[1], h, c)
