"""Checkpoints: one safetensors file with weights, optimizer state and best weights, and everything else as JSON."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from gatecast.base.errors import ModelFileError
from gatecast.base.files import whole
from gatecast.base.findings import Arg, Text
from gatecast.training.averages import Average
from gatecast.training.config import FitConfig
from gatecast.training.history import History
from gatecast.training.launch import ProcessLost
from gatecast.training.run_fingerprint import check_same_run

FORMAT = "gatecast-checkpoint-1"
_OTHER_FILE = "name another file with " + Arg("checkpoint", ..., of="FitConfig")


@dataclass
class TrainingState:
    """Everything that changes from one step to the next.

    Args:
        model, optimizer, average: objects with tensors.
        history: evaluations so far.
        best: best weights so far; empty before the first evaluation.
        losses: training losses since the last evaluation.
        step: steps done.
        seconds: training time so far.
    """

    model: nn.Module
    optimizer: Any
    average: Average
    history: History = field(default_factory=History)
    best: dict[str, Tensor] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)
    step: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Checkpoint:
    """The checkpoint file of a run; without ``FitConfig.checkpoint`` it does nothing.

    Args:
        config: file, and whether to resume from it.
        fingerprint: of the run; the checkpoint of another run is refused.
        device: device whose random state is saved in addition to the CPU's (dropout).
        writes: False in ranks other than 0, which only read.
        first: False in later runs of one fit (members, refit), which may not have begun when it was stopped.
    """

    config: FitConfig
    fingerprint: dict[str, Any]
    device: torch.device
    writes: bool = True
    first: bool = True

    def save(self, state: TrainingState) -> None:
        """Write the state; call it between two steps."""
        if self.config.checkpoint is not None and self.writes:
            facts = {
                "history": vars(state.history),
                "step": state.step,
                "losses": state.losses,
                "seconds": state.seconds,
                "fingerprint": self.fingerprint,
            }
            save_checkpoint(self.config.checkpoint, state, facts, self.device)

    def resume(self, state: TrainingState) -> None:
        """Restore the state from the file if the settings say so; start anew if there is no file.

        Raises:
            ModelFileError: the checkpoint belongs to another run.
        """
        path = self.config.checkpoint
        if path is None or not self.config.resume:
            return
        if not path.exists():
            if self.first and self.writes:
                warnings.warn(f"no checkpoint {path} to resume from; training starts anew", stacklevel=3)
            return
        facts = checkpoint_facts(path)
        check_same_run(path, facts.get("fingerprint", {}), self.fingerprint)
        load_checkpoint(path, state, self.device)
        state.history, state.losses = History(**facts["history"]), facts["losses"]
        state.step, state.seconds = facts["step"], facts["seconds"]

    @contextmanager
    def saved_if_lost(self, state: TrainingState) -> Iterator[None]:
        """Save the state if another process is lost in the block, which must not change it."""
        try:
            yield
        except ProcessLost as error:
            self.save(state)
            problem, file = Text(f"{error}, at step {state.step + 1}"), self.config.checkpoint
            if file is None:
                raise ProcessLost(problem) from error
            remedy = f"{file} holds the state: resume with " + Arg("resume", True, of="FitConfig")
            raise ProcessLost(problem, remedy) from error


def save_checkpoint(path: Path, state: TrainingState, facts: dict[str, Any], device: torch.device) -> None:
    """Write a checkpoint atomically.

    Args:
        path: file to write.
        state: its tensors are written, with the random state of the process.
        facts: step, history and other JSON values.
        device: device whose random state is saved in addition to the CPU's.
    """
    tensors = {f"model.{name}": value for name, value in state.model.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in state.best.items()}
    tensors |= {f"average.{name}": value for name, value in state.average.weights.items()}
    tensors |= _random_states(device)
    inner = state.optimizer.state_dict()
    scalars: dict[str, Any] = {}
    for index, slots in inner["state"].items():
        for name, value in slots.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{name}"] = value
            else:
                scalars[f"{index}.{name}"] = value
    meta = {"format": FORMAT, "groups": json.dumps(inner["param_groups"]), "scalars": json.dumps(scalars)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as draft:
        save_file(
            {name: value.contiguous() for name, value in tensors.items()}, draft, {**meta, "facts": json.dumps(facts)}
        )


def checkpoint_facts(path: Path) -> dict[str, Any]:
    """Step, history and fingerprint of the run; no tensor is read.

    Raises:
        ModelFileError: the file is missing or not a checkpoint.
    """
    return dict(json.loads(_read(path, tensors=False)[0]["facts"]))


def load_checkpoint(path: Path, state: TrainingState, device: torch.device) -> None:
    """Restore weights, optimizer, average, best weights and random state.

    Raises:
        ModelFileError: the file is missing, not a checkpoint, or belongs to another network.
    """
    meta, tensors = _read(path)
    try:
        state.model.load_state_dict(_part(tensors, "model."))
    except RuntimeError as error:  # PyTorch's message lists tensors, which do not help the user
        raise ModelFileError("the checkpoint belongs to another network", _OTHER_FILE, place=str(path)) from error
    slots: dict[int, dict[str, Any]] = {}
    for key, value in (_part(tensors, "optimizer.") | json.loads(meta["scalars"])).items():
        index, name = key.split(".", 1)
        slots.setdefault(int(index), {})[name] = value
    state.optimizer.load_state_dict({"state": slots, "param_groups": json.loads(meta["groups"])})
    state.average.weights = {name: value.to(device) for name, value in _part(tensors, "average.").items()}
    state.best = _part(tensors, "best.")
    torch.set_rng_state(tensors["random"])
    if device.type == "cuda" and "random.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random.cuda"], device)


def _random_states(device: torch.device) -> dict[str, Tensor]:
    """Random state of the CPU, and of the GPU if dropout runs there."""
    states = {"random": torch.get_rng_state()}
    return states | {"random.cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else states


def _read(path: Path, *, tensors: bool = True) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of a checkpoint."""
    try:
        with safe_open(path, framework="pt") as file:
            meta = file.metadata() or {}
            values = {name: file.get_tensor(name) for name in file.keys()} if tensors else {}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ModelFileError(f"cannot read a checkpoint: {error}", _OTHER_FILE, place=str(path)) from error
    if meta.get("format") != FORMAT:
        raise ModelFileError(
            f"not a gatecast checkpoint (format {meta.get('format')!r}, expected {FORMAT!r})",
            _OTHER_FILE,
            place=str(path),
        )
    return meta, values


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
