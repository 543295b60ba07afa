"""One file for the state of a fitted model: safetensors and JSON in a zip, with a checksum of every entry.

Inside: ``manifest.json`` (format, version, checksum of every other entry), ``model.json`` (settings, shapes, schema of
the data, what ran) and ``tensors.safetensors`` (weights of each member, covariate statistics, calibration, and the last
rows of each series unless it is saved without them). Nothing in it can run code.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from gatecast.base.errors import ModelFileError
from gatecast.base.fields import field
from gatecast.base.files import whole
from gatecast.base.options import Bounds
from gatecast.base.version import VERSION
from gatecast.forecasters.learned import State, plain

FORMAT = 1
SUFFIX = ".gatecast"
_ENTRIES = ("model.json", "tensors.safetensors")
_EPOCH = (2020, 1, 1, 0, 0, 0)  # a fixed date in the zip: the same model gives the same bytes


def write(path: str | Path, facts: dict[str, Any], tensors: dict[str, Tensor]) -> Path:
    """Write the state of a fitted model; the file appears whole or not at all.

    Args:
        path: of the file; the suffix is added where it lacks.
        facts: as JSON holds them.
        tensors: by name.
    """
    path = Path(path)
    if path.suffix != SUFFIX:
        path = path.with_name(path.name + SUFFIX)
    entries = {
        "model.json": json.dumps(facts, indent=1, default=plain).encode(),
        "tensors.safetensors": save_tensors(tensors),
    }
    manifest = {
        "format": FORMAT,
        "gatecast": VERSION,
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in entries.items()},
    }
    with whole(path) as draft, zipfile.ZipFile(draft, "w") as file:
        for name, data in {"manifest.json": json.dumps(manifest, indent=1).encode(), **entries}.items():
            file.writestr(zipfile.ZipInfo(name, _EPOCH), data)
    return path


def read(path: Path) -> State:
    """The state that :func:`write` wrote, after all checks.

    Raises:
        ModelFileError: the file is missing, truncated, altered, not gatecast's, or of a newer format.
    """
    entries = _read(path)
    return json.loads(entries["model.json"]), load_tensors(entries["tensors.safetensors"])


def _read(path: Path) -> dict[str, bytes]:
    """The checked entries of the file."""
    try:
        with zipfile.ZipFile(path) as file:
            names = set(file.namelist())
            packed = [one.filename for one in file.infolist() if one.compress_type != zipfile.ZIP_STORED]
            if packed:  # a few bytes could unpack to fill the memory
                raise ModelFileError(
                    f"{packed[0]} is compressed, which gatecast's files never are",
                    "do not use the file",
                    place=str(path),
                )
            if "manifest.json" not in names:
                raise ModelFileError("a zip but not a gatecast model: it has no manifest.json", place=str(path))
            manifest = json.loads(file.read("manifest.json"))
            if field(manifest, "format", "int", Bounds(least=1)) > FORMAT:
                raise ModelFileError(
                    f"format {manifest['format']}, written by gatecast {manifest.get('gatecast')}; this is gatecast "
                    f"{VERSION}, which reads up to format {FORMAT}",
                    "pip install -U gatecast",
                    place=str(path),
                )
            missing = [name for name in _ENTRIES if name not in names]
            if missing:
                lacking = f"the file is incomplete: it lacks {', '.join(missing)}"
                raise ModelFileError(lacking, "save the model again", place=str(path))
            entries = {name: file.read(name) for name in _ENTRIES}
            known = dict(manifest.get("sha256", {}))
    except FileNotFoundError as error:
        raise ModelFileError("there is no such model file", place=str(path)) from error
    except ModelFileError:
        raise
    except Exception as error:  # zipfile raises a dozen kinds for damaged sizes, flags and names
        raise _unreadable(path, error) from error
    for name, data in entries.items():
        if hashlib.sha256(data).hexdigest() != known.get(name):
            altered = f"{name} was altered after it was saved (its checksum differs)"
            raise ModelFileError(altered, "do not use the file", place=str(path))
    return entries


def _unreadable(path: Path, error: Exception) -> ModelFileError:
    """The error for an invalid zip file: damaged if it begins as one does, else something else."""
    with suppress(OSError), path.open("rb") as file:
        if isinstance(error, zipfile.BadZipFile) and file.read(2) == b"PK":
            remedy = "copy it again, or save the model again"
            return ModelFileError(f"the file is damaged or cut off ({error})", remedy, place=str(path))
    return ModelFileError(f"not a gatecast model: {error}", place=str(path))
