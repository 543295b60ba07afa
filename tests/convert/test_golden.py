"""Files that Keras wrote once, read without it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from convert.player import TOLERANCE, play

from gatecast.convert import LayerWeights, from_keras, read_keras

pytest.importorskip("h5py", reason="h5py is not installed: pip install gatecast[keras]")
FOLDER = Path(__file__).parent / "golden"
OPTIONS = {  # which a .weights.h5 does not hold
    "both": {"activation": "softsign"},
    "gru_after": {},
    "gru_before": {"go_backwards": True},
    "last": {"return_sequences": False},
}


def check(layers: dict[str, LayerWeights]) -> None:
    """Each layer, on what the layer below gave in Keras, gives what it gave in Keras."""
    with np.load(FOLDER / "stack.npz", allow_pickle=False) as file:
        arrays = {name: torch.from_numpy(file[name]) for name in file.files}
    x = arrays["x"].transpose(0, 1)
    for name, layer in layers.items():
        y = play(layer, x).output(layer)
        expected = arrays[name].transpose(0, 1) if layer.option("return_sequences") else arrays[name]
        torch.testing.assert_close(y, expected, **TOLERANCE)
        x = expected


def test_the_model_file() -> None:
    layers = read_keras(FOLDER / "stack.keras")
    assert {name: layer.kind for name, layer in layers.items()} == {
        "both": "LSTM",
        "gru_after": "GRU",
        "gru_before": "GRU",
        "last": "RNN",
    }
    check(layers)


def test_the_weights_file_with_its_options_given(tmp_path: Path) -> None:
    path = tmp_path / "stack.weights.h5"
    with zipfile.ZipFile(FOLDER / "stack.keras") as archive:
        path.write_bytes(archive.read("model.weights.h5"))
    check({name: from_keras(path, name, options=options) for name, options in OPTIONS.items()})
