"""How a network is trained, as data: fields that Python, TOML, the command line and the report all read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gatecast.errors import SettingError
from gatecast.option import Choice, Float, Int, option

SCHEDULES = ("one_cycle", "cosine", "constant")


@dataclass(frozen=True)
class FitConfig:
    """Settings of the training loop; every default can be left alone."""

    steps: int | None = option(
        None, "most optimiser steps; None: by the number of windows, 300 to 1500", search=Int(100, 1500, log=True)
    )
    batch_size: int = option(64, "windows in one step", search=Int(16, 256, log=True))
    learning_rate: float = option(3e-3, "highest learning rate of the schedule", search=Float(3e-4, 3e-2, log=True))
    schedule: str = option("one_cycle", "one_cycle: up over the first 15 %, down to nearly 0; cosine: down; constant")
    weight_decay: float = option(1e-2, "decoupled weight decay of AdamW", search=Float(1e-4, 0.1, log=True))
    ema: float = option(0.0, "decay of an exponential average of the weights, which is evaluated and kept; 0: none")
    clip: float = option(1.0, "largest gradient norm; longer ones are cut to it")
    validation: int | None = option(None, "windows of each series held back at the end; None: by the data; 0: none")
    patience: int = option(6, "stop after this many evaluations without a better one")
    evaluations: int = option(20, "evaluations on the held-back windows over all steps")
    refit: bool | None = option(
        None, "train again on all windows for the best number of steps; None: where that is cheap (20,000 windows)"
    )
    origins: str = option("all", "all: windows at every row; season: only at whole seasons from the end")
    loss_weight: str = option(
        "none",
        "seasonal: weight windows by their seasonal naive error, as MASE does; none",
        search=Choice("none", "seasonal"),
    )
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
        if self.steps is not None and self.steps < 1:
            raise SettingError(f"FitConfig.steps must be at least 1, got {self.steps}")
        if self.schedule not in SCHEDULES:
            raise SettingError(f"FitConfig.schedule must be one of {', '.join(SCHEDULES)}; got {self.schedule!r}")
        for name, allowed in (("origins", ("all", "season")), ("loss_weight", ("none", "seasonal"))):
            if getattr(self, name) not in allowed:
                raise SettingError(f"FitConfig.{name} must be one of {', '.join(allowed)}; got {getattr(self, name)!r}")
        if self.resume and self.checkpoint is None:
            raise SettingError("FitConfig(resume=True) needs checkpoint=, the file to go on from")
