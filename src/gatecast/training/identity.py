"""Which run a checkpoint belongs to: data, windows and settings, so that a resumed run is the run that was stopped."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from gatecast.data.windows import Origins, Windows
from gatecast.errors import ModelFileError
from gatecast.training.config import FitConfig

# Settings that change nothing in the numbers of the steps to come.
_FREE = {"steps", "epochs", "checkpoint", "checkpoint_every", "resume", "progress", "threads", "accelerator", "refit"}
_FREE |= {"gradients", "log_dir", "log"}


def identity_of(
    model: nn.Module,
    windows: Windows,
    training: Origins,
    held_back: Origins,
    config: FitConfig,
    *,
    steps: int,
    seed: int,
) -> dict[str, Any]:
    """What a run is known by, as JSON holds it: the task first, from which much of the rest follows."""
    digest = hashlib.sha256()
    for tensor in (windows.values, windows.begin, windows.end, training.first, held_back.first):
        digest.update(tensor.contiguous().numpy().data)
    settings = {name: value for name, value in asdict(config).items() if name not in _FREE}
    sizes = {"training windows": training.total, "held-back windows": held_back.total}
    identity = {**_task(model, windows), "data": digest.hexdigest(), **sizes, **settings, "steps": steps, "seed": seed}
    return dict(json.loads(json.dumps(identity, default=str)))


def _task(model: nn.Module, windows: Windows) -> dict[str, Any]:
    """Horizon, context and network."""
    config, head, scaler = (getattr(model, name, None) for name in ("config", "head", "scaler"))
    net = {f"net.{name}": value for name, value in asdict(config).items()} if config is not None else {}
    return {"horizon": windows.horizon, "context": windows.context, **net, "net.head": head, "net.scaler": scaler}


def require_same(path: Path, found: dict[str, Any], mine: dict[str, Any]) -> None:
    """Refuse the checkpoint of another run.

    Raises:
        ModelFileError: naming what differs.
    """
    different = [name for name in mine if found.get(name) != mine[name]]
    task = [name for name in different if name in ("horizon", "context") or name.startswith("net.")]
    if different:
        words = "; ".join(_difference(name, found.get(name), mine[name]) for name in task or different)
        raise ModelFileError(
            f"the checkpoint {path} is of another run: it was made {words}; name another file, or leave resume out to "
            "start anew"
        )


def _difference(name: str, found: Any, mine: Any) -> str:
    if name == "data":
        return "from other data"
    return f"for {name.removeprefix('net.')} {found}, this is {mine}"
