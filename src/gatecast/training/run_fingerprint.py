"""Which run a checkpoint belongs to: data, windows and settings, so that a resumed run is the run that was stopped."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from gatecast.base.errors import ModelFileError
from gatecast.batches.windows import BatchSource, WindowOrigins
from gatecast.training.config import FitConfig

# Settings that change nothing in the numbers of the steps to come.
_FREE = {"steps", "epochs", "checkpoint", "checkpoint_every", "resume", "progress", "threads", "accelerator", "refit"}
_TASKS = ("horizon", "context", "features", "longest")
_FREE |= {"gradients", "log_dir", "log", "strategy"}


def identity_of(
    model: nn.Module,
    windows: BatchSource,
    training: WindowOrigins,
    held_back: WindowOrigins,
    config: FitConfig,
    *,
    steps: int,
    seed: int,
) -> dict[str, Any]:
    """What a run is known by, as JSON holds it: the task first, from which much of the rest follows."""
    digest = hashlib.sha256()
    for tensor in (*windows.tensors, training.series, training.first, held_back.series, held_back.first):
        digest.update(tensor.contiguous().numpy().data)
    settings = {name: value for name, value in config.to_dict().items() if name not in _FREE}
    sizes = {"training windows": training.total, "held-back windows": held_back.total}
    identity = {**_task(model, windows), "data": digest.hexdigest(), **sizes, **settings, "steps": steps, "seed": seed}
    return dict(json.loads(json.dumps(identity, default=str)))


def _task(model: nn.Module, windows: BatchSource) -> dict[str, Any]:
    """What the data are for, and the network."""
    config, *parts = (getattr(model, name, None) for name in ("config", "head", "scaler", "loss"))
    net = {f"net.{name}": value for name, value in asdict(config).items()} if config is not None else {}
    return {**windows.task, **net, **dict(zip(("net.head", "net.scaler", "net.loss"), parts, strict=True))}


def require_same(path: Path, found: dict[str, Any], mine: dict[str, Any]) -> None:
    """Refuse the checkpoint of another run.

    Raises:
        ModelFileError: naming what differs.
    """
    different = [name for name in mine if found.get(name) != mine[name]]
    task = [name for name in different if name in _TASKS or name.startswith("net.")]
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
