"""Damaged files of Keras and ONNX: refused by an error that names the file, or read as layers that run.

Neither format has checksums, so that a number, a name or an attribute may change unseen; nothing else may happen.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fixtures.mutations import damaged, unless_refused

from gatecast import nn
from gatecast.convert import LayerWeights, from_layer, read_keras, read_onnx, to_onnx, write_keras

HEAD = 4096  # bytes at the beginning of a file of HDF5 that hold its tables
Read = Callable[[Path], list[LayerWeights]]


def layer() -> LayerWeights:
    torch.manual_seed(0)
    return from_layer(nn.LSTM(3, 4, bidirectional=True))


def runs(layers: list[LayerWeights]) -> bool:
    """Whether each layer can be made and takes a sequence."""
    for one in layers:
        module = one.make(getattr(nn, one.kind))
        module(torch.ones(2, 1, module.input_size, dtype=module.first_weight.dtype))
    return True


def read_damaged(read: Read, path: Path, whole: bytes, head: int) -> dict[str, int]:
    """Read damaged copies of a file; how many were refused and how many were read."""
    found = {"read": 0, "refused": 0}
    for what, data in damaged(whole, head, seed=1):
        path.write_bytes(data)
        ran = unless_refused(lambda: runs(read(path)), what, name=path.name)
        found["read" if ran else "refused"] += 1
    return found


def test_files_of_keras(tmp_path: Path) -> None:
    pytest.importorskip("h5py", reason="h5py is not installed: pip install gatecast[keras]")
    whole = write_keras(layer(), tmp_path / "whole.weights.h5").read_bytes()
    found = read_damaged(lambda path: list(read_keras(path).values()), tmp_path / "a.weights.h5", whole, HEAD)
    assert min(found.values()) > 10


def test_files_of_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed: pip install gatecast[onnx]")
    to_onnx(layer(), tmp_path / "whole.onnx")
    whole = (tmp_path / "whole.onnx").read_bytes()
    found = read_damaged(lambda path: list(read_onnx(path).values()), tmp_path / "a.onnx", whole, len(whole))
    assert min(found.values()) > 10
