"""The fingerprint of a run (data, windows and settings): a checkpoint is resumed by the run that wrote it only."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from gatecast.base.errors import ModelFileError
from gatecast.base.findings import Arg
from gatecast.batches.windows import BatchSource, WindowOrigins
from gatecast.training.config import FitConfig

# Settings that may differ in a resumed run, since they do not change its numbers.
_IGNORED = {
    "steps", "epochs", "checkpoint", "checkpoint_every", "resume", "progress", "threads", "accelerator", "refit",
    "gradients", "log_dir", "log", "strategy",
}  # fmt: skip
_TASK = ("horizon", "context", "features", "longest")


def fingerprint_of(
    model: nn.Module,
    windows: BatchSource,
    origins: tuple[WindowOrigins, WindowOrigins],
    config: FitConfig,
    *,
    steps: int,
    seed: int,
) -> dict[str, Any]:
    """The fingerprint as JSON values; the task first, since most other differences follow from it.

    ``origins`` are the windows to train on and those held back.
    """
    digest = hashlib.sha256()
    training, held_back = origins
    for tensor in (*windows.tensors, *(one for part in origins for one in (part.series, part.first))):
        digest.update(tensor.contiguous().numpy().data)
    settings = {name: value for name, value in config.to_dict().items() if name not in _IGNORED}
    sizes = {"training windows": training.total, "held-back windows": held_back.total}
    task = _task(model, windows)
    fingerprint = {**task, "data": digest.hexdigest(), **sizes, **settings, "steps": steps, "seed": seed}
    return dict(json.loads(json.dumps(fingerprint, default=str)))


def _task(model: nn.Module, windows: BatchSource) -> dict[str, Any]:
    """The task and the network."""
    config, *parts = (getattr(model, name, None) for name in ("config", "head", "scaler", "loss"))
    net = {f"net.{name}": value for name, value in asdict(config).items()} if config is not None else {}
    return {**windows.task, **net, **dict(zip(("net.head", "net.scaler", "net.loss"), parts, strict=True))}


def check_same_run(path: Path, found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Raise ModelFileError, naming the differences, if the checkpoint belongs to another run."""
    different = [name for name in expected if found.get(name) != expected[name]]
    task = [name for name in different if name in _TASK or name.startswith("net.")]
    if different:
        words = "; ".join(_difference(name, found.get(name), expected[name]) for name in task or different)
        raise ModelFileError(
            f"the checkpoint belongs to another run: it was written {words}",
            "name another file, or leave out " + Arg("resume", of="FitConfig") + " to start anew",
            place=str(path),
        )


def _difference(name: str, found: Any, expected: Any) -> str:
    if name == "data":
        return "for other data"
    return f"for {name.removeprefix('net.')} {found}, this run has {expected}"
