"""The files that Keras writes: a zip of JSON and HDF5 (``.keras``), or the HDF5 alone (``.weights.h5``).

Both are read as untrusted input: nothing in them is executed, links out of the file are refused, and sizes are checked
before memory is allocated.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatecast.base.errors import GatecastError, ModelFileError, require

CONFIG, WEIGHTS, METADATA = "config.json", "model.weights.h5", "metadata.json"
LIMIT_CONFIG = 64 * 2**20
LIMIT_ARRAY = 2**30
LIMIT_WEIGHTS = 8 * 2**30
LIMIT_EXPANSION = 100  # of a compressed array, where it is larger than a mebibyte
LIMIT_DEPTH = 12
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError)


class Store:
    """The arrays of an HDF5 file, by the path of their layer.

    Args:
        file: an open ``h5py.File``.
        place: name of the file in messages.
    """

    def __init__(self, file: Any, place: str) -> None:
        self.file = file
        self.place = place

    def group(self, path: str) -> Any | None:
        """The group at a path such as ``layers/lstm/cell``, or None."""
        group = self.file
        for part in path.split("/"):
            group = self._child(group, part)
            if group is None or not hasattr(group, "keys"):
                return None
        return group

    def arrays(self, path: str) -> list[Tensor]:
        """The variables 0, 1, 2, … of the layer at a path, in their order.

        Raises:
            ModelFileError: no variables there, or not plain numbers of a sensible size.
        """
        group: Any = self.group(f"{path}/vars")
        if group is None or len(group) == 0:
            raise ModelFileError(f"expected arrays in the group {path}/vars, found 0", place=self.place)
        names = [str(i) for i in range(len(group))]
        if sorted(group.keys()) != sorted(names):
            held = sorted(group.keys())[:5]
            raise ModelFileError(f"{path}/vars must hold 0, 1, 2, …; it holds {held}", place=self.place)
        return [self._tensor(self._child(group, name), f"{path}/vars/{name}") for name in names]

    def label(self, path: str) -> str:
        """The layer's name in Keras if the file has it, else the last part of the path."""
        group = self.group(f"{path}/vars")
        name = None if group is None else group.attrs.get("name")
        return name if isinstance(name, str) else path.rpartition("/")[2]

    def owners(self, group: Any = None, path: str = "", depth: int = 0) -> Iterator[str]:
        """Paths of all groups that hold variables, in the order of their names."""
        group = self.file if group is None else group
        if depth > LIMIT_DEPTH:
            raise ModelFileError(f"groups must not be nested deeper than {LIMIT_DEPTH}: {path}", place=self.place)
        for name in sorted(group.keys()):
            child: Any = self._child(group, name)
            if not hasattr(child, "keys"):
                continue
            if name == "vars" and len(child):
                yield path
            yield from self.owners(child, f"{path}/{name}" if path else name, depth + 1)

    def _child(self, group: Any, name: str) -> Any | None:
        h5py = require("h5py", extra="keras", purpose="reading Keras files")
        link = group.get(name, getlink=True) if name in group else None
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise ModelFileError(f"{group.name}/{name} is a link, which is not followed", place=self.place)
        return group[name]

    def _tensor(self, data: Any, path: str) -> Tensor:
        if not hasattr(data, "shape") or data.external or data.is_virtual:
            raise ModelFileError(f"{path} must be an array inside the file", place=self.place)
        bfloat16 = data.attrs.get("dtype") == "bfloat16" and data.dtype.itemsize == 2
        if data.dtype.kind != "f" and not bfloat16:
            raise ModelFileError(f"{path} must hold floating-point numbers, got {data.dtype}", place=self.place)
        if len(data.shape) not in (1, 2) or data.nbytes > LIMIT_ARRAY or _is_bomb(data):
            raise ModelFileError(
                f"{path} must be a vector or matrix of at most {LIMIT_ARRAY} bytes that are stored in the file, got "
                f"shape {data.shape} of {data.dtype} and {data.id.get_storage_size()} bytes stored",
                place=self.place,
            )
        array = np.ascontiguousarray(data[()])
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16) if bfloat16 else torch.from_numpy(array)


@contextmanager
def opened(path: str | Path) -> Iterator[tuple[dict[str, Any] | None, Store]]:
    """Configuration (None for a ``.weights.h5``) and arrays of a Keras file.

    Raises:
        ModelFileError: not a Keras file, or a damaged one.
        MissingExtraError: h5py is not installed.
    """
    h5py = require("h5py", extra="keras", purpose="reading Keras files")
    path = Path(path)
    if not path.is_file():
        raise ModelFileError("no such file", place=str(path))
    config, source = _unzip(path) if zipfile.is_zipfile(path) else (None, path)
    try:
        file = h5py.File(source, "r")
    except OSError as error:
        raise ModelFileError(f"must be a .keras or a .weights.h5 file: {error}", place=str(path)) from error
    with file:
        try:
            if "layer_names" in file.attrs or "model_weights" in file:
                raise _too_old(path)
            yield config, Store(file, str(path))
        except GatecastError:
            raise
        except (
            OSError,
            RuntimeError,
            KeyError,
            ValueError,
            TypeError,
        ) as error:  # raised by h5py while it reads a damaged file
            raise ModelFileError(f"the file is damaged: {error}", place=str(path)) from error


def _unzip(path: Path) -> tuple[dict[str, Any], io.BytesIO]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            for name in (CONFIG, WEIGHTS):
                if names.count(name) != 1:
                    raise ModelFileError(f"must have one {name}; it has {names[:6]}", place=str(path))
            if METADATA in names:
                metadata = _json(_member(archive, METADATA, LIMIT_CONFIG, path), path)
                if str(metadata.get("keras_version", "")).startswith("2."):
                    raise _too_old(path)
            config = _json(_member(archive, CONFIG, LIMIT_CONFIG, path), path)
            return config, io.BytesIO(_member(archive, WEIGHTS, LIMIT_WEIGHTS, path))
    except _BROKEN as error:
        raise ModelFileError(f"the file is damaged: {error}", place=str(path)) from error


def _member(archive: zipfile.ZipFile, name: str, limit: int, path: Path) -> bytes:
    info = archive.getinfo(name)
    expands = info.file_size > 2**20 and info.file_size > LIMIT_EXPANSION * info.compress_size
    if info.file_size > limit or expands:
        raise ModelFileError(
            f"{name} must be at most {limit} bytes and {LIMIT_EXPANSION} times its size in the zip, got "
            f"{info.file_size} bytes from {info.compress_size}",
            place=str(path),
        )
    with archive.open(info) as member:
        return member.read(limit)


def _json(data: bytes, path: Path) -> dict[str, Any]:
    try:
        config = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"the configuration is not JSON: {error}", place=str(path)) from error
    if not isinstance(config, dict):
        raise ModelFileError(f"the configuration must be an object, got {type(config).__name__}", place=str(path))
    return config


def _too_old(path: Path) -> ModelFileError:
    """Keras 2 has another layout, and functions of the same name that are not the same (hard_sigmoid)."""
    return ModelFileError(
        "the file was written by Keras 2",
        'load it in Keras 3 and save it as .keras: keras.models.load_model("old.h5").save("new.keras")',
        place=str(path),
    )


def _is_bomb(data: Any) -> bool:
    """Whether far more is declared than stored: fill values, or extreme compression."""
    return data.nbytes > 2**20 and data.nbytes > LIMIT_EXPANSION * data.id.get_storage_size()
