"""How a network is trained, as data: fields that Python, TOML, the command line and the report all read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gatecast.base.errors import SettingError
from gatecast.base.named import did_you_mean
from gatecast.base.options import Float, Int, OneOf, check_options, option
from gatecast.training.optimizers.choices import Optimizer, settled_optimizer, written_optimizer
from gatecast.training.schedules import Plateau, Schedule, schedule_of, schedule_text

_CHOICES = {
    "precision": ("32", "bf16"),
    "origins": ("all", "season"),
    "loss_weight": ("none", "seasonal"),
    "strategy": ("auto", "ddp", "ddp_find_unused_parameters_true"),
    "log": ("csv", "tensorboard", "mlflow"),
}
_POSITIVE = (
    "batch_size",
    "accumulate",
    "devices",
    "nodes",
    "learning_rate",
    "evaluations",
    "patience",
    "checkpoint_every",
)
_SHARES = ("ema", "swa")


@dataclass(frozen=True)
class FitConfig:
    """Settings of the training loop; every default can be left alone."""

    steps: int | None = option(
        None, "most optimiser steps; None: by the number of windows, 300 to 1500", search=Int(100, 1500, log=True)
    )
    epochs: int | None = option(None, "most passes over the training windows, in the place of steps")
    batch_size: int = option(64, "windows in one step", search=Int(16, 256, log=True))
    accumulate: int = option(1, "batches whose gradients make one step: the step of a batch so many times as large")
    learning_rate: float = option(3e-3, "highest learning rate of the schedule", search=Float(3e-4, 3e-2, log=True))
    schedule: str | Schedule = option(
        "one_cycle",
        "one_cycle: up over the first 15 %, down to nearly 0; cosine: down; constant; plateau: cut where the loss no "
        "longer falls; settings as in plateau(factor=0.5, patience=3)",
    )
    warm_up: int = option(0, "steps of a straight rise before the schedule begins")
    optimizer: str | Optimizer | Callable[..., Any] = option(
        "adamw",
        "rule of the steps: adamw, adam, sgd, rmsprop, adadelta, adagrad, adamax, adafactor, nadam or ftrl; with "
        "settings: 'sgd(momentum=0.9, nesterov=True)'",
    )
    weight_decay: float | None = option(
        None,
        "share of each weight, times the learning rate, that a step takes off; None: 0.01 for adamw, else 0",
        search=Float(1e-4, 0.1, log=True),
    )
    ema: float = option(0.0, "decay of an exponential average of the weights, which is evaluated and kept; 0: none")
    swa: float = option(0.0, "last share of the steps whose weights are averaged, evaluated and kept; 0: none")
    clip: float | None = option(1.0, "largest gradient norm; longer ones are cut to it; 0: not cut")
    clip_value: float | None = option(None, "largest value of one gradient, either way; larger ones are cut to it")
    precision: str = option(
        "32", "32, or bf16: products in bfloat16, for processors with units for it; slower on others"
    )
    validation: int | None = option(None, "windows of each series held back at the end; None: by the data; 0: none")
    patience: int = option(6, "stop after this many evaluations without a better one")
    min_delta: float = option(0.0, "an evaluation is better where its loss is lower by more than this")
    evaluations: int = option(20, "evaluations on the held-back windows over all steps")
    refit: bool | None = option(
        None, "train again on all windows for the best number of steps; None: where that is cheap (20,000 windows)"
    )
    origins: str = option("all", "all: windows at every row; season: only at whole seasons from the end")
    loss_weight: str = option(
        "none",
        "seasonal: weight windows by their seasonal naive error, as MASE does; none",
        search=OneOf("none", "seasonal"),
    )
    threads: int | None = option(None, "CPU threads; None: PyTorch's setting")
    accelerator: str = option("cpu", "cpu, cuda, mps or auto")
    devices: int = option(
        1, "processes on this machine, each with a batch of its own in every step (GPUs, or CPU cores)"
    )
    nodes: int = option(1, "number of machines; each starts the program by torchrun, which sets this and devices")
    strategy: str = option("auto", "auto, ddp: gradients are averaged; ddp_find_unused_parameters_true: see PyTorch")
    checkpoint: Path | None = option(None, "file for checkpoints, written at intervals and when interrupted")
    checkpoint_every: int = option(200, "steps between two checkpoints")
    resume: bool = option(
        False, "go on from the checkpoint, with identical results; anew, with a warning, where there is none"
    )
    gradients: bool = option(False, "record the gradient norm of each layer at each evaluation")
    log_dir: Path | None = option(None, "folder for the log of the evaluations (CSV)")
    log: str = option("csv", "csv, or tensorboard or mlflow beside it; all write to log_dir")
    progress: bool | None = option(None, "progress bar; None: on a terminal only")

    def __post_init__(self) -> None:
        for name in ("checkpoint", "log_dir"):
            if isinstance(getattr(self, name), str):
                object.__setattr__(self, name, Path(getattr(self, name)))
        check_options(self)
        object.__setattr__(self, "schedule", schedule_text(self.schedule))  # text: what files and logs hold
        object.__setattr__(self, "optimizer", settled_optimizer(self.optimizer))
        for name in _POSITIVE:
            if not getattr(self, name) > 0:
                raise SettingError(f"FitConfig.{name} must be greater than 0, got {getattr(self, name)}")
        for name in ("clip", "clip_value", "warm_up", "min_delta", "weight_decay"):
            if not (getattr(self, name) or 0) >= 0:
                raise SettingError(f"FitConfig.{name} must be at least 0, got {getattr(self, name)}")
        for name in ("steps", "epochs"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise SettingError(f"FitConfig.{name} must be at least 1, got {value}")
        for name in _SHARES:
            if not 0 <= getattr(self, name) < 1:
                raise SettingError(
                    f"FitConfig.{name} is a share and must be 0 or less than 1; got {getattr(self, name)}"
                )
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                said = f"FitConfig.{name} must be one of {', '.join(allowed)}; got {getattr(self, name)!r}"
                raise SettingError(said, did_you_mean(str(getattr(self, name)), allowed))
        self._require_fitting()

    def _require_fitting(self) -> None:
        """Refuse settings that exclude each other."""
        if self.steps is not None and self.epochs is not None:
            raise SettingError(
                f"FitConfig takes steps or epochs, got both (steps={self.steps}, epochs={self.epochs}); leave one out"
            )
        if self.ema and self.swa:
            raise SettingError("FitConfig takes one average of the weights, got ema and swa; leave one out")
        self._require_cuts()
        if self.resume and self.checkpoint is None:
            raise SettingError("FitConfig(resume=True) needs checkpoint=, the file to go on from")
        if self.log != "csv" and self.log_dir is None:
            raise SettingError(f"FitConfig(log={self.log!r}) needs log_dir=, the folder to write to")

    def _require_cuts(self) -> None:
        """Refuse a plateau that early stopping always forestalls."""
        plateau = schedule_of(str(self.schedule))
        if not isinstance(plateau, Plateau) or self.validation == 0:  # without held-back windows, nothing stops early
            return
        if plateau.patience >= self.patience and plateau.min_delta <= self.min_delta:
            raise SettingError(
                f"FitConfig(schedule={self.schedule!r}) would never cut the rate: training stops after "
                f"FitConfig.patience={self.patience} evaluations without a better one, and the plateau waits for "
                f"{plateau.patience}; take a plateau(patience=…) below FitConfig.patience, or a longer one of FitConfig"
            )

    def silent(self) -> FitConfig:
        """The same, without anything that is written or shown: for all processes but the first."""
        return replace(self, progress=False, log="csv", log_dir=None, checkpoint=None, resume=False)

    def to_dict(self) -> dict[str, Any]:
        """Every field as files hold it: choices and paths as text."""
        fields = asdict(replace(self, optimizer=written_optimizer(self.optimizer)))
        return {name: str(value) if isinstance(value, Path) else value for name, value in fields.items()}
