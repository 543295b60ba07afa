"""The file of a checkpoint: safetensors, with a checksum over all tensors and all other values."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from gatecast.base.errors import ModelFileError
from gatecast.base.files import whole
from gatecast.base.findings import Arg
from gatecast.training.own_files import FORMATS

FORMAT = FORMATS + "2"
OTHER_FILE = "name another file with " + Arg("checkpoint", ..., of="FitConfig")
START_ANEW = "leave out " + Arg("resume", of="FitConfig") + " to start anew"


def write(path: Path, meta: dict[str, str], tensors: dict[str, Tensor]) -> None:
    """Write a checkpoint; the file appears whole or not at all.

    Args:
        path: of the file; its folder is created.
        meta: values other than tensors, as text.
        tensors: by name.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    meta = {**meta, "format": FORMAT}
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as draft:
        draft.write_bytes(save(tensors, {**meta, "sha256": _checksum(meta, tensors)}))


def read(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """What :func:`write` wrote, after its checksum was compared.

    Raises:
        ModelFileError: the file is missing, damaged, altered, not a checkpoint, or of another format.
    """
    try:
        with safe_open(path, framework="pt") as file:
            meta = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, RuntimeError, AttributeError) as error:
        raise ModelFileError(f"cannot read a checkpoint: {error}", OTHER_FILE, place=str(path)) from error
    found = meta.get("format", "")
    if not found.startswith(FORMATS):
        problem = f"not a gatecast checkpoint (format {found!r}, expected {FORMAT!r})"
        raise ModelFileError(problem, OTHER_FILE, place=str(path))
    if found != FORMAT:
        problem = f"a checkpoint of another version of gatecast (format {found!r}, this one reads {FORMAT!r})"
        raise ModelFileError(problem, START_ANEW, place=str(path))
    if meta.pop("sha256", None) != _checksum(meta, tensors):
        problem = "the checkpoint was damaged or altered after it was written (its checksum differs)"
        raise ModelFileError(problem, "copy it again, or " + START_ANEW, place=str(path))
    return meta, tensors


def _checksum(meta: dict[str, str], tensors: dict[str, Tensor]) -> str:
    """SHA-256 of all values with their names, and of dtype and shape of each tensor."""
    digest = hashlib.sha256(json.dumps(meta, sort_keys=True).encode())
    for name, value in sorted(tensors.items()):
        digest.update(json.dumps([name, str(value.dtype), list(value.shape)]).encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
