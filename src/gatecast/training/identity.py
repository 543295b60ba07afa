"""Which run a checkpoint belongs to: data, windows and settings, so that a resumed run is the run that was stopped."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gatecast.data.windows import Origins, Windows
from gatecast.errors import ModelFileError
from gatecast.training.config import FitConfig

# Settings that change nothing in the numbers of the steps to come.
_FREE = {"steps", "checkpoint", "checkpoint_every", "resume", "progress", "threads", "accelerator", "refit"}


def identity_of(
    windows: Windows, training: Origins, held_back: Origins, config: FitConfig, *, steps: int, seed: int
) -> dict[str, Any]:
    """What a run is known by, as JSON holds it."""
    digest = hashlib.sha256()
    for tensor in (windows.values, windows.begin, windows.end, training.first, held_back.first):
        digest.update(tensor.contiguous().numpy().data)
    settings = {name: value for name, value in asdict(config).items() if name not in _FREE}
    sizes = {"training windows": training.total, "held-back windows": held_back.total}
    return {"data": digest.hexdigest(), **sizes, **settings, "steps": steps, "seed": seed}


def require_same(path: Path, found: dict[str, Any], mine: dict[str, Any]) -> None:
    """Refuse the checkpoint of another run.

    Raises:
        ModelFileError: naming what differs.
    """
    different = [name for name in mine if found.get(name) != mine[name]]
    if different:
        raise ModelFileError(
            f"the checkpoint {path} is of another run: it differs in {', '.join(different)}; "
            "name another file, or leave resume out to start anew"
        )
