"""A checkpoint: weights, optimiser and best weights as tensors, everything else as JSON, in one safetensors file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from gatecast.errors import ModelFileError

FORMAT = "gatecast-checkpoint-1"


def save_checkpoint(
    path: Path,
    model: nn.Module,
    optimizer: Any,
    best: dict[str, Tensor],
    average: dict[str, Tensor],
    facts: dict[str, Any],
) -> None:
    """Write to a temporary name, then rename: a reader never meets half a checkpoint.

    Args:
        path: file to write.
        model, optimizer: their states, with the random state of the process.
        best: best weights so far; empty before the first evaluation.
        average: exponential average of the weights; empty where none is kept.
        facts: step, history and whatever else fits JSON.
    """
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in best.items()}
    tensors |= {f"average.{name}": value for name, value in average.items()}
    tensors["random"] = torch.get_rng_state()
    state = optimizer.state_dict()
    scalars: dict[str, Any] = {}
    for index, slots in state["state"].items():
        for name, value in slots.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{name}"] = value
            else:
                scalars[f"{index}.{name}"] = value
    meta = {"format": FORMAT, "groups": json.dumps(state["param_groups"]), "scalars": json.dumps(scalars)}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    save_file(
        {name: value.contiguous() for name, value in tensors.items()}, partial, {**meta, "facts": json.dumps(facts)}
    )
    os.replace(partial, path)


def checkpoint_facts(path: Path) -> dict[str, Any]:
    """Step, history and the identity of the run; no tensor is read.

    Raises:
        ModelFileError: the file is missing or not a checkpoint.
    """
    return dict(json.loads(_read(path, tensors=False)[0]["facts"]))


def load_checkpoint(
    path: Path, model: nn.Module, optimizer: Any, average: dict[str, Tensor]
) -> dict[str, Tensor] | None:
    """Put the states back (``average`` is filled in place) and return the best weights.

    Raises:
        ModelFileError: the file is missing, not a checkpoint, or of another network.
    """
    meta, tensors = _read(path)
    try:
        model.load_state_dict(_part(tensors, "model."))
    except RuntimeError as error:  # its text names tensors of PyTorch, which tell the user nothing
        raise ModelFileError(f"the checkpoint {path} is of another network; name another file") from error
    state: dict[int, dict[str, Any]] = {}
    for key, value in (_part(tensors, "optimizer.") | json.loads(meta["scalars"])).items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": json.loads(meta["groups"])})
    average.update(_part(tensors, "average."))
    torch.set_rng_state(tensors["random"])
    return _part(tensors, "best.") or None


def _read(path: Path, *, tensors: bool = True) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of a checkpoint."""
    try:
        with safe_open(path, framework="pt") as file:
            meta = file.metadata() or {}
            values = {name: file.get_tensor(name) for name in file.keys()} if tensors else {}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ModelFileError(f"no checkpoint can be read from {path}: {error}") from error
    if meta.get("format") != FORMAT:
        raise ModelFileError(
            f"{path} is not a gatecast checkpoint (format {meta.get('format')!r}, expected {FORMAT!r})"
        )
    return meta, values


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
