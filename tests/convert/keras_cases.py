"""Run real Keras on a list of layers and keep what it gave: ``python keras_cases.py FOLDER``, in a separate process.

Of each case there are ``NAME.keras``, ``NAME.weights.h5`` and, in ``cases.npz``, ``NAME/x``, ``NAME/steps`` (where
masked), ``NAME/y`` and the arrays ``NAME/0``, ``NAME/1``, … of ``get_weights``; ``NAME/live/…`` is the state dict that
`from_keras` read from the live layer. ``exported/NAME`` are outputs of Keras with weights that `write_keras` wrote.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import torch
from keras import layers as K

from gatecast.convert import from_keras, from_torch, write_keras
from gatecast.ops import ACTIVATIONS

BATCH, TIME, INPUT, UNITS = 3, 6, 4, 5


def cases() -> dict[str, tuple[Any, bool]]:
    """Layer, and whether it is called with a mask."""
    plain = {
        "lstm": (K.LSTM(UNITS), False),
        "lstm_sequences": (K.LSTM(UNITS, return_sequences=True), False),
        "lstm_masked": (K.LSTM(UNITS, return_sequences=True), True),
        "lstm_masked_last": (K.LSTM(UNITS), True),
        "lstm_zeros": (K.LSTM(UNITS, return_sequences=True, zero_output_for_mask=True), True),
        "lstm_backwards": (K.LSTM(UNITS, return_sequences=True, go_backwards=True), False),
        "lstm_backwards_masked": (K.LSTM(UNITS, return_sequences=True, go_backwards=True), True),
        "lstm_no_bias": (K.LSTM(UNITS, return_sequences=True, use_bias=False), False),
        "lstm_dropout": (K.LSTM(UNITS, return_sequences=True, dropout=0.1, recurrent_dropout=0.2, unroll=True), False),
        "lstm_stateful": (K.LSTM(UNITS, stateful=True, return_state=False, implementation=1), False),
        "gru": (K.GRU(UNITS, return_sequences=True), False),
        "gru_before": (K.GRU(UNITS, return_sequences=True, reset_after=False), False),
        "gru_masked": (K.GRU(UNITS, go_backwards=True, return_sequences=True), True),
        "gru_no_bias": (K.GRU(UNITS, use_bias=False, reset_after=False, recurrent_activation="hard_sigmoid"), True),
        "rnn": (K.SimpleRNN(UNITS, return_sequences=True), True),
        "rnn_relu": (K.SimpleRNN(UNITS, activation="relu"), False),
        "cell": (K.RNN(K.LSTMCell(UNITS, activation="softsign"), return_sequences=True), True),
        "cells": (K.RNN(K.StackedRNNCells([K.GRUCell(UNITS), K.GRUCell(UNITS)]), return_sequences=True), True),
        "cells_backwards": (
            K.RNN(K.StackedRNNCells([K.LSTMCell(UNITS), K.LSTMCell(UNITS)]), go_backwards=True, return_sequences=True),
            True,
        ),
    }
    for mode in ("concat", "sum", "mul", "ave"):
        plain[f"both_{mode}"] = (K.Bidirectional(K.LSTM(UNITS, return_sequences=True), merge_mode=mode), True)
    plain["both_last"] = (K.Bidirectional(K.LSTM(UNITS)), True)
    plain["both_gru"] = (K.Bidirectional(K.GRU(UNITS, return_sequences=True)), False)
    plain["both_rnn"] = (K.Bidirectional(K.SimpleRNN(UNITS, return_sequences=True)), True)
    for name in ACTIVATIONS:
        plain[f"act_{name}"] = (K.LSTM(UNITS, activation=name, return_sequences=True), False)
        plain[f"gate_{name}"] = (K.GRU(UNITS, recurrent_activation=name, return_sequences=True), False)
    return plain


def randomize(layer: Any, rng: np.random.Generator, scale: float = 0.4) -> None:
    """Weights that are nowhere zero, so that each of them counts."""
    layer.set_weights([rng.normal(0, scale, array.shape).astype(np.float32) for array in layer.get_weights()])


def run(name: str, layer: Any, masked: bool, folder: Path, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Run one case and save its model."""
    x = rng.normal(0, 1, (BATCH, TIME, INPUT)).astype(np.float32)
    steps = rng.random((BATCH, TIME)) < 0.6
    model = keras.Sequential([keras.Input((TIME, INPUT), batch_size=BATCH), layer])
    randomize(layer, rng, 0.02 if name.endswith("exponential") else 0.4)  # it grows out of all bounds
    y = layer(x, mask=steps) if masked else layer(x)
    assert bool(keras.ops.all(keras.ops.isfinite(y))), name
    model.save(folder / f"{name}.keras")
    model.save_weights(folder / f"{name}.weights.h5")
    found = {"x": x, "y": keras.ops.convert_to_numpy(y), **({"steps": steps} if masked else {})}
    found |= {str(i): array for i, array in enumerate(layer.get_weights())}
    live = from_keras(layer).state
    found |= {f"live/{key}": tensor.numpy() for key, tensor in live.items()}
    return {f"{name}/{key}": array for key, array in found.items()}


def model_of_models(folder: Path, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A functional model with other layers, names, an inner model and two layers of a class; outputs of each."""
    x = given = keras.Input((None, INPUT), name="series")
    x = K.TimeDistributed(K.Dense(INPUT, activation="tanh"), name="lift")(x)
    first = x = K.Bidirectional(K.LSTM(UNITS, return_sequences=True), name="encoder")(x)
    x = keras.Sequential([K.LSTM(3, return_sequences=True, name="low"), K.LSTM(3, name="high")], name="inner")(x)
    model = keras.Model(given, [first, K.Dense(2, name="head")(x)], name="forecaster")
    randomize(model, rng)
    probe = keras.Model(given, [model.get_layer("lift").output, first, x])
    values = rng.normal(0, 1, (BATCH, TIME, INPUT)).astype(np.float32)
    lifted, encoded, high = (keras.ops.convert_to_numpy(y) for y in probe(values))
    model.save(folder / "models.keras")
    model.save_weights(folder / "models.weights.h5")
    return {"models/x": lifted, "models/encoder": encoded, "models/high": high}


def exports(folder: Path) -> dict[str, np.ndarray]:
    """Weights of PyTorch's layers, through `write_keras`, in Keras; and what it says then."""
    found: dict[str, np.ndarray] = {}
    makers = {"LSTM": K.LSTM, "GRU": K.GRU, "RNN": K.SimpleRNN}
    for kind, maker in makers.items():
        for both in (False, True):
            torch.manual_seed(1)
            module = getattr(torch.nn, kind)(INPUT, UNITS, 2, batch_first=True, bidirectional=both)
            stack = [maker(UNITS, return_sequences=True) for _ in range(2)]
            model = keras.Sequential([keras.Input((TIME, INPUT)), *(K.Bidirectional(k) if both else k for k in stack)])
            name = f"{kind}{'_both' * both}"
            model.load_weights(write_keras(from_torch(module), folder / f"{name}.weights.h5"))
            x = torch.randn(BATCH, TIME, INPUT)
            with torch.no_grad():
                expected = module(x)[0].numpy()
            found |= {f"exported/{name}": keras.ops.convert_to_numpy(model(x.numpy())), f"expected/{name}": expected}
    return found


def main(folder: Path) -> None:
    """Run everything."""
    rng = np.random.default_rng(7)
    found: dict[str, np.ndarray] = {}
    with torch.no_grad():
        for name, (layer, masked) in cases().items():
            found |= run(name, layer, masked, folder, rng)
        found |= model_of_models(folder, rng)
    found |= exports(folder)
    np.savez(folder / "cases.npz", **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
