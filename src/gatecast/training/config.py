"""How a network is trained, as data: fields that Python, TOML, the command line and the report all read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gatecast.errors import SettingError
from gatecast.option import option
from gatecast.training.optimizers.choices import Optimizer, settled_optimizer, written_optimizer

SCHEDULES = ("one_cycle", "cosine", "constant")


@dataclass(frozen=True)
class FitConfig:
    """Settings of the training loop; every default can be left alone."""

    steps: int | None = option(None, "most optimiser steps; None: by the number of windows, 300 to 1500")
    batch_size: int = option(64, "windows in one step")
    learning_rate: float = option(3e-3, "highest learning rate of the schedule")
    schedule: str = option("one_cycle", "one_cycle: up over the first 15 %, down to nearly 0; cosine: down; constant")
    optimizer: str | Optimizer | Callable[..., Any] = option(
        "adamw",
        "rule of the steps: adamw, adam, sgd, rmsprop, adadelta, adagrad, adamax, adafactor, nadam or ftrl; with "
        "settings: 'sgd(momentum=0.9, nesterov=True)'",
    )
    weight_decay: float | None = option(
        None, "share of each weight, times the learning rate, that a step takes off; None: 0.01 for adamw, else 0"
    )
    ema: float = option(0.0, "decay of an exponential average of the weights, which is evaluated and kept; 0: none")
    clip: float = option(1.0, "largest gradient norm; longer ones are cut to it")
    validation: int | None = option(None, "windows of each series held back at the end; None: by the data; 0: none")
    patience: int = option(6, "stop after this many evaluations without a better one")
    evaluations: int = option(20, "evaluations on the held-back windows over all steps")
    refit: bool | None = option(
        None, "train again on all windows for the best number of steps; None: where that is cheap (20,000 windows)"
    )
    origins: str = option("all", "all: windows at every row; season: only at whole seasons from the end")
    loss_weight: str = option("none", "seasonal: weight windows by their seasonal naive error, as MASE does; none")
    threads: int | None = option(None, "CPU threads; None: PyTorch's setting")
    accelerator: str = option("cpu", "cpu, cuda, mps or auto")
    checkpoint: Path | None = option(None, "file for checkpoints, written at intervals and when interrupted")
    checkpoint_every: int = option(200, "steps between two checkpoints")
    resume: bool = option(False, "go on from the checkpoint, with identical results")
    progress: bool | None = option(None, "progress bar; None: on a terminal only")

    def __post_init__(self) -> None:
        for name in ("batch_size", "learning_rate", "clip", "evaluations", "patience", "checkpoint_every"):
            if not getattr(self, name) > 0:
                raise SettingError(f"FitConfig.{name} must be greater than 0, got {getattr(self, name)}")
        object.__setattr__(self, "optimizer", settled_optimizer(self.optimizer))  # text: what files and logs hold
        if self.weight_decay is not None and not self.weight_decay >= 0:
            raise SettingError(f"FitConfig.weight_decay must be at least 0, got {self.weight_decay}")
        if self.steps is not None and self.steps < 1:
            raise SettingError(f"FitConfig.steps must be at least 1, got {self.steps}")
        if self.schedule not in SCHEDULES:
            raise SettingError(f"FitConfig.schedule must be one of {', '.join(SCHEDULES)}; got {self.schedule!r}")
        for name, allowed in (("origins", ("all", "season")), ("loss_weight", ("none", "seasonal"))):
            if getattr(self, name) not in allowed:
                raise SettingError(f"FitConfig.{name} must be one of {', '.join(allowed)}; got {getattr(self, name)!r}")
        if self.resume and self.checkpoint is None:
            raise SettingError("FitConfig(resume=True) needs checkpoint=, the file to go on from")

    def to_dict(self) -> dict[str, Any]:
        """Every field as files hold it: choices and paths as text."""
        fields = asdict(replace(self, optimizer=written_optimizer(self.optimizer)))
        return {name: str(value) if isinstance(value, Path) else value for name, value in fields.items()}
