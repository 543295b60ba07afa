"""A checkpoint: weights, optimiser and best weights as tensors, everything else as JSON, in one safetensors file."""

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
from gatecast.training.averages import Average
from gatecast.training.config import FitConfig
from gatecast.training.history import Run
from gatecast.training.launch import ProcessLost
from gatecast.training.run_fingerprint import require_same

FORMAT = "gatecast-checkpoint-1"


@dataclass
class State:
    """All that changes from one step to the next.

    Args:
        model, optimizer, average: with weights of their own.
        run: evaluations and the best of them.
        best: best weights so far; empty before the first evaluation.
        losses: of the steps since the last evaluation.
        step: steps done.
        seconds: of training so far.
    """

    model: nn.Module
    optimizer: Any
    average: Average
    run: Run = field(default_factory=Run)
    best: dict[str, Tensor] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)
    step: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Checkpoint:
    """The checkpoint of a run; one without ``FitConfig.checkpoint`` does nothing.

    Args:
        config: names the file, and says whether to go on from it.
        identity: of the run; a checkpoint of another one is refused.
        device: where the run draws its random numbers (dropout), beside the CPU.
        writes: False in the further processes of a run, which only read.
        first: False in further runs of one fit (members, refit), which may not have begun when it was stopped.
    """

    config: FitConfig
    identity: dict[str, Any]
    device: torch.device
    writes: bool = True
    first: bool = True

    def save(self, state: State) -> None:
        """Write the state between two steps."""
        if self.config.checkpoint is not None and self.writes:
            facts = {"run": vars(state.run), "step": state.step, "losses": state.losses, "identity": self.identity}
            save_checkpoint(self.config.checkpoint, state, {**facts, "seconds": state.seconds}, self.device)

    def resume(self, state: State) -> None:
        """Put the state of the file in place, where that is wanted; the run begins anew where there is no file.

        Raises:
            ModelFileError: the checkpoint is of another run.
        """
        path = self.config.checkpoint
        if path is None or not self.config.resume:
            return
        if not path.exists():
            if self.first and self.writes:
                warnings.warn(f"there is no checkpoint {path} to go on from; the training begins anew", stacklevel=3)
            return
        facts = checkpoint_facts(path)
        require_same(path, facts.get("identity", {}), self.identity)
        load_checkpoint(path, state, self.device)
        state.run, state.losses = Run(**facts["run"]), facts["losses"]
        state.step, state.seconds = facts["step"], facts["seconds"]

    @contextmanager
    def kept(self, state: State) -> Iterator[None]:
        """Between two steps: where another process is lost inside, the state is saved before the run ends."""
        try:
            yield
        except ProcessLost as error:
            self.save(state)
            file = self.config.checkpoint
            goes_on = f"; {file} holds the state: go on with FitConfig(resume=True)" if file is not None else ""
            raise ProcessLost(f"{error}, at step {state.step + 1}{goes_on}") from error


def save_checkpoint(path: Path, state: State, facts: dict[str, Any], device: torch.device) -> None:
    """Write the file at once: a reader never meets half a checkpoint.

    Args:
        path: file to write.
        state: whose tensors are written, with the random state of the process.
        facts: step, history and whatever else fits JSON.
        device: where random numbers are drawn, beside the CPU.
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
    """Step, history and the identity of the run; no tensor is read.

    Raises:
        ModelFileError: the file is missing or not a checkpoint.
    """
    return dict(json.loads(_read(path, tensors=False)[0]["facts"]))


def load_checkpoint(path: Path, state: State, device: torch.device) -> None:
    """Put weights, optimiser, average, best weights and random state back.

    Raises:
        ModelFileError: the file is missing, not a checkpoint, or of another network.
    """
    meta, tensors = _read(path)
    try:
        state.model.load_state_dict(_part(tensors, "model."))
    except RuntimeError as error:  # its text names tensors of PyTorch, which tell the user nothing
        raise ModelFileError(f"the checkpoint {path} is of another network; name another file") from error
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
    """Of the process, and of the GPU where dropout draws there."""
    states = {"random": torch.get_rng_state()}
    return states | {"random.cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else states


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
