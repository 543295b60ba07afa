"""Checkpoints: one safetensors file with weights, optimizer state and best weights, and everything else as JSON."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field as default
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gatecast.base.errors import ModelFileError
from gatecast.base.fields import COUNT, FINITE, check_field, entries, field, shown
from gatecast.base.findings import Arg, Text
from gatecast.base.options import Bounds
from gatecast.training import checkpoint_file
from gatecast.training.averages import Average
from gatecast.training.checkpoint_file import OTHER_FILE, START_ANEW
from gatecast.training.config import FitConfig
from gatecast.training.history import History, check_evaluation
from gatecast.training.launch import ProcessLost
from gatecast.training.run_fingerprint import check_same_run

_FACTOR = ("row_var", "col_var")  # slots of adafactor: sums over the columns or rows of a weight


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
    history: History = default(default_factory=History)
    best: dict[str, Tensor] = default(default_factory=dict)
    losses: list[float] = default(default_factory=list)
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
            ModelFileError: the checkpoint is damaged, or belongs to another run.
        """
        path = self.config.checkpoint
        if path is None or not self.config.resume:
            return
        if not path.exists():
            if self.first and self.writes:
                warnings.warn(f"no checkpoint {path} to resume from; training starts anew", stacklevel=3)
            return
        meta, tensors = checkpoint_file.read(path)
        with _parts_fit(path):
            facts = dict(json.loads(meta["facts"]))
            check_same_run(path, field(facts, "fingerprint", "dict"), self.fingerprint)
            _check_facts(facts, steps=self.fingerprint["steps"])
            _restore(path, state, self.device, meta, tensors)
            state.history, state.losses = History(**facts["history"]), facts["losses"]
            state.step, state.seconds = facts["step"], facts["seconds"]
            if bool(state.best) != bool(state.history.entries):
                raise ValueError("best weights and evaluations must come together")

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
    values = {"groups": inner["param_groups"], "scalars": scalars, "facts": facts}
    checkpoint_file.write(path, {name: json.dumps(value) for name, value in values.items()}, tensors)


def checkpoint_facts(path: Path) -> dict[str, Any]:
    """Step, history and fingerprint of the run.

    Raises:
        ModelFileError: the file is missing, damaged or not a checkpoint.
    """
    meta, _ = checkpoint_file.read(path)
    with _parts_fit(path):
        return dict(json.loads(meta["facts"]))


def _restore(
    path: Path, state: TrainingState, device: torch.device, meta: dict[str, str], tensors: dict[str, Tensor]
) -> None:
    """Restore weights, optimizer, average, best weights and random state."""
    weights = state.model.state_dict()
    if not _alike(_part(tensors, "model."), weights):
        raise ModelFileError("the checkpoint belongs to another network", OTHER_FILE, place=str(path))
    best, average = _part(tensors, "best."), _part(tensors, "average.")
    for name, found, needed in (("best", best, False), ("average", average, bool(state.average.weights))):
        if (found or needed) and not _alike(found, weights):
            raise ValueError(f"the tensors {name} are not those of the network")
    slots: dict[int, dict[str, Any]] = {}
    for key, value in (_part(tensors, "optimizer.") | dict(json.loads(meta["scalars"]))).items():
        index, name = key.split(".", 1)
        slots.setdefault(int(index), {})[name] = value
    groups = json.loads(meta["groups"])
    _check_optimizer(slots, groups, list(state.model.parameters()), state.optimizer.state_dict()["param_groups"])
    state.model.load_state_dict(_part(tensors, "model."))
    state.optimizer.load_state_dict({"state": slots, "param_groups": groups})
    state.average.weights = {name: value.to(device) for name, value in average.items()}
    state.best = best
    torch.set_rng_state(tensors["random"])
    if device.type == "cuda" and "random.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random.cuda"], device)


def _check_facts(facts: dict[str, Any], *, steps: int) -> None:
    """Check kinds and bounds of the facts of a checkpoint (all but its tensors); a run has ``steps`` steps."""
    step = field(facts, "step", "int", Bounds(least=0, most=steps))
    field(facts, "seconds", "float", Bounds(least=0, below=math.inf))
    entries(facts, "losses", "float", FINITE)
    evaluations = entries(facts, "history.entries", "dict")
    field(facts, "history.best_step", "int", Bounds(least=0, most=step))
    field(facts, "history.best_loss", "float")
    field(facts, "history.stale", "int", Bounds(least=0, most=len(evaluations)))
    for place, entry in enumerate(evaluations):
        check_evaluation(f"history.entries[{place}]", entry, steps=steps)


def _check_optimizer(slots: dict[int, dict[str, Any]], groups: Any, weights: list[nn.Parameter], own: Any) -> None:
    """Check that the optimizer's state fits its weights: kernels read it without looking at its size."""
    changing = {"lr": None, "initial_lr": None}
    expected = [{**group, **changing} for group in own]
    found = [{**dict(group), **changing} for group in groups]
    if json.dumps(found, sort_keys=True) != json.dumps(expected, sort_keys=True):  # as text: 0 is not False
        raise ValueError(f"settings of the optimizer: expected {shown(expected)}, got {shown(groups)}")
    for group in groups:
        check_field("lr", group.get("lr"), "float", COUNT)
    for index, values in slots.items():
        if not 0 <= index < len(weights):
            raise ValueError(f"optimizer.{index}: there are {len(weights)} weights")
        for name, value in values.items():
            if not isinstance(value, Tensor):
                check_field(f"optimizer.{index}.{name}", value, "float", optional=True)
            elif not _fits(name, value, weights[index]):
                form = f"{tuple(value.shape)} of {value.dtype}"
                raise ValueError(
                    f"optimizer.{index}.{name}: {form} does not fit a weight {tuple(weights[index].shape)}"
                )


def _fits(name: str, slot: Tensor, weight: Tensor) -> bool:
    """Whether a tensor of the optimizer can belong to the weight."""
    if not slot.is_floating_point():
        return False
    if name in _FACTOR:
        return slot.dim() == weight.dim() and all(a in (1, b) for a, b in zip(slot.shape, weight.shape, strict=True))
    return (slot.dim() == 0 and name not in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")) or (
        slot.shape == weight.shape and slot.dtype == weight.dtype
    )


@contextmanager
def _parts_fit(path: Path) -> Iterator[None]:
    """Errors from a checkpoint whose checksum is right and whose parts are not those of a checkpoint."""
    try:
        yield
    except ModelFileError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RuntimeError) as error:
        problem = f"the checkpoint's parts do not fit together ({type(error).__name__}: {error})"
        raise ModelFileError(problem, START_ANEW, place=str(path)) from error


def _alike(found: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    """Whether both have the same names, with the same shapes and dtypes."""
    forms = [{name: (one.shape, one.dtype) for name, one in tensors.items()} for tensors in (found, expected)]
    return forms[0] == forms[1]


def _random_states(device: torch.device) -> dict[str, Tensor]:
    """Random state of the CPU, and of the GPU if dropout runs there."""
    states = {"random": torch.get_rng_state()}
    return states | {"random.cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else states


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
