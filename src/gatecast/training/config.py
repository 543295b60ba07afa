"""Settings of training; Python, TOML, the command line and the report read the same fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg, Text
from gatecast.base.options import Float, Int, OneOf, check_options, option
from gatecast.base.suggest import suggests
from gatecast.training.optimizers.specs import optimizer_setting, optimizer_text
from gatecast.training.schedules import Plateau, Schedule, schedule_of, schedule_text


def _fit(name: str, value: Any) -> Arg:
    """A field of FitConfig with its value, for messages."""
    return Arg(name, value, of="FitConfig")


@suggests()
@dataclass(frozen=True)
class FitConfig:
    """Settings of the training loop; the defaults suit most data."""

    steps: int | None = option(
        None,
        "Largest number of optimizer steps; None: 300 to 1500, by the number of windows.",
        least=1,
        limit=10**9,
        search=Int(100, 1500, log=True),
    )
    epochs: int | None = option(
        None, "Largest number of passes over the training windows, instead of steps.", least=1, limit=10**6
    )
    batch_size: int = option(64, "Windows per batch.", least=1, limit=10**6, search=Int(16, 256, log=True))
    accumulate: int = option(1, "Batches to accumulate gradients over before each step.", least=1, limit=10**6)
    learning_rate: float = option(3e-3, "Peak learning rate.", above=0, search=Float(3e-4, 3e-2, log=True))
    schedule: str | Schedule = option(
        "one_cycle",
        "Learning-rate schedule: one_cycle (rises over the first 15 % of the steps, then falls to nearly 0), cosine, "
        "constant or plateau (cut when the loss stops falling), with settings as in 'plateau(factor=0.5, patience=3)'.",
    )
    warm_up: int = option(0, "Steps of linear warm-up before the schedule starts.", least=0)
    optimizer: str | Callable[..., Any] = option(
        "adamw",
        "Optimizer: adamw, adam, sgd, rmsprop, adadelta, adagrad, adamax, adafactor, nadam or ftrl, with settings as "
        "in 'sgd(momentum=0.9, nesterov=True)'.",
    )
    weight_decay: float | None = option(
        None,
        "Decoupled weight decay; None: 0.01 for adamw, 0 for the others.",
        least=0,
        search=Float(1e-4, 0.1, log=True),
    )
    ema: float = option(
        0.0,
        "Decay of an exponential moving average of the weights, used for evaluation and as the result; 0: off.",
        least=0,
        below=1,
    )
    swa: float = option(
        0.0,
        "Fraction of the steps, at the end, whose weights are averaged (stochastic weight averaging); 0: off.",
        least=0,
        below=1,
    )
    clip: float | None = option(1.0, "Largest gradient norm; longer gradients are rescaled; 0: no clipping.", least=0)
    clip_value: float | None = option(None, "Largest magnitude of a gradient entry; larger ones are clipped.", least=0)
    precision: str = option(
        "32",
        "32: float32; bf16: bfloat16 autocast, faster only on hardware with bfloat16 units.",
        one_of=("32", "bf16"),
    )
    validation: int | None = option(
        None, "Windows held back at the end of each series for validation; None: by the data; 0: none.", least=0
    )
    patience: int = option(6, "Early stopping: evaluations without improvement before training stops.", least=1)
    min_delta: float = option(0.0, "Least decrease of the loss that counts as an improvement.", least=0)
    evaluations: int = option(20, "Number of evaluations on the held-back windows over all steps.", least=1)
    refit: bool | None = option(
        None, "Train again on all windows for the best number of steps; None: up to 20,000 windows."
    )
    origins: str = option(
        "all",
        "Forecast origins of the training windows; all: every row; season: every full season, counted from the end.",
        one_of=("all", "season"),
    )
    loss_weight: str = option(
        "none",
        "Window weights in the loss; seasonal: by the inverse seasonal-naive error, as in MASE; none: equal.",
        one_of=("none", "seasonal"),
        search=OneOf("none", "seasonal"),
    )
    threads: int | None = option(None, "CPU threads; None: PyTorch's setting.", least=1, limit=1024)
    accelerator: str = option("cpu", "Device: cpu, cuda, mps or auto.", one_of=("cpu", "cuda", "gpu", "mps", "auto"))
    devices: int = option(1, "Processes on this machine (one per GPU, or on CPU cores); each takes a batch.", least=1)
    nodes: int = option(1, "Machines; start the program with torchrun on each, which sets nodes and devices.", least=1)
    strategy: str = option(
        "auto",
        "Parallel strategy: auto or ddp (DistributedDataParallel), or ddp_find_unused_parameters_true.",
        one_of=("auto", "ddp", "ddp_find_unused_parameters_true"),
    )
    checkpoint: Path | None = option(None, "Checkpoint file, written at intervals and when training is interrupted.")
    checkpoint_every: int = option(200, "Steps between checkpoints.", least=1)
    resume: bool = option(
        False, "Resume from the checkpoint with bit-identical results; if it is missing, start anew with a warning."
    )
    gradients: bool = option(False, "Record the gradient norm of each layer at each evaluation.")
    log_dir: Path | None = option(None, "Folder for the log of evaluations.")
    log: str = option(
        "csv",
        "Log format: csv; tensorboard and mlflow are written in addition.",
        one_of=("csv", "tensorboard", "mlflow"),
    )
    progress: bool | None = option(None, "Progress bar; None: on a terminal only.")

    def __post_init__(self) -> None:
        for name in ("checkpoint", "log_dir"):
            if isinstance(getattr(self, name), str):
                object.__setattr__(self, name, Path(getattr(self, name)))
        check_options(self)
        object.__setattr__(self, "schedule", schedule_text(self.schedule))  # text: what files and logs hold
        object.__setattr__(self, "optimizer", optimizer_setting(self.optimizer))
        self._check_combinations()

    def _check_combinations(self) -> None:
        """Raise SettingError for settings that exclude each other."""
        if self.steps is not None and self.epochs is not None:
            raise SettingError(
                Text() + _fit("steps", self.steps) + " and " + _fit("epochs", self.epochs) + " exclude each other",
                "leave one out",
            )
        if self.ema and self.swa:
            both = Text() + _fit("ema", self.ema) + " and " + _fit("swa", self.swa) + " both average the weights"
            raise SettingError(both, "leave one out")
        self._check_plateau()
        if self.resume and self.checkpoint is None:
            raise SettingError(
                Arg("resume", True, of="FitConfig") + " needs a checkpoint",
                "name the file to resume from with " + Arg("checkpoint", ..., of="FitConfig"),
            )
        if self.log != "csv" and self.log_dir is None:
            raise SettingError(
                Arg("log", self.log, of="FitConfig") + " needs a folder",
                "name the folder to write to with " + Arg("log_dir", ..., of="FitConfig"),
            )

    def _check_plateau(self) -> None:
        """Raise SettingError for a plateau schedule that early stopping always pre-empts."""
        plateau = schedule_of(str(self.schedule))
        if not isinstance(plateau, Plateau) or self.validation == 0:  # without held-back windows, nothing stops early
            return
        if plateau.patience >= self.patience and plateau.min_delta <= self.min_delta:
            raise SettingError(
                Arg("schedule", self.schedule, of="FitConfig")
                + f" would never cut the rate: training stops after {self.patience} evaluations without improvement, "
                f"and the plateau waits for {plateau.patience}",
                "take a plateau(patience=…) below " + Arg("patience", of="FitConfig") + ", or raise the latter",
            )

    def silent(self) -> FitConfig:
        """The same settings without any output, for ranks other than 0."""
        return replace(self, progress=False, log="csv", log_dir=None, checkpoint=None, resume=False)

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values: objects and paths as text."""
        fields = asdict(replace(self, optimizer=optimizer_text(self.optimizer)))
        return {name: str(value) if isinstance(value, Path) else value for name, value in fields.items()}
