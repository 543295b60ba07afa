"""Write the Keras files that later versions must still read: ``python make_golden.py``, with Keras installed.

``stack.keras`` holds a model (packed anew, for HDF5 is mostly air); ``stack.npz`` holds an input and what each layer
gave for it.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
from keras import layers as K

FOLDER = Path(__file__).parent


def main() -> None:
    """Make a model with one layer of each kind, and keep what it gives."""
    keras.utils.set_random_seed(3)
    given = keras.Input((None, 2))
    both = K.Bidirectional(K.LSTM(3, return_sequences=True, activation="softsign"), name="both")(given)
    gru = K.GRU(3, return_sequences=True, name="gru_after")(both)
    before = K.GRU(2, return_sequences=True, reset_after=False, go_backwards=True, name="gru_before")(gru)
    rnn = K.SimpleRNN(2, name="last")(before)
    model = keras.Model(given, [both, gru, before, rnn])
    rng = np.random.default_rng(3)
    model.set_weights([rng.normal(0, 0.5, array.shape).astype(np.float32) for array in model.get_weights()])
    x = rng.normal(0, 1, (2, 4, 2)).astype(np.float32)
    outputs = [keras.ops.convert_to_numpy(y.detach()) for y in model(x)]
    model.save(FOLDER / "stack.keras")
    pack(FOLDER / "stack.keras")
    np.savez_compressed(
        FOLDER / "stack.npz", x=x, **dict(zip(("both", "gru_after", "gru_before", "last"), outputs, strict=True))
    )


def pack(path: Path) -> None:
    """The same members, compressed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


if __name__ == "__main__":
    main()
