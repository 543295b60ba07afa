"""The log of a run: a CSV file, and TensorBoard or MLflow in addition. Nothing is sent over a network."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from gatecast.base.errors import require
from gatecast.training.config import FitConfig

Entry = dict[str, Any]
Log = Callable[[Entry], None]


@contextmanager
def run_log(config: FitConfig, history: Sequence[Entry], name: str) -> Iterator[Log]:
    """A function that logs an evaluation; without ``log_dir`` it does nothing.

    Args:
        config: ``log_dir`` and ``log``.
        history: evaluations of a run that is resumed.
        name: of the run: ``NAME.csv``, the folder of TensorBoard, the run of MLflow.
    """
    if config.log_dir is None:
        yield lambda entry: None
        return
    config.log_dir.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        logs = [stack.enter_context(csv_log(config.log_dir / f"{name}.csv", history))]
        if config.log == "tensorboard":
            logs.append(stack.enter_context(tensorboard_log(config.log_dir / "tensorboard" / name, history)))
        if config.log == "mlflow":
            logs.append(stack.enter_context(mlflow_log(config.log_dir / "mlruns", history, name, config)))

        def log(entry: Entry) -> None:
            for one in logs:
                one(entry)

        yield log


@contextmanager
def csv_log(path: Path, history: Sequence[Entry]) -> Iterator[Log]:
    """One row per evaluation, flushed at once; a resumed run keeps its rows."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows: list[csv.DictWriter[str]] = []

        def log(entry: Entry) -> None:
            values = flat(entry)
            if not rows:
                rows.append(csv.DictWriter(file, list(values), extrasaction="ignore"))
                rows[0].writeheader()
            rows[0].writerow(values)
            file.flush()

        for entry in history:
            log(entry)
        yield log


@contextmanager
def tensorboard_log(folder: Path, history: Sequence[Entry]) -> Iterator[Log]:
    """Scalars for ``tensorboard --logdir FOLDER``, by step."""
    require("tensorboard", extra="tensorboard", purpose='FitConfig(log="tensorboard")')
    from torch.utils.tensorboard import SummaryWriter

    purge = history[-1]["step"] + 1 if history else None  # a resumed run: hide what came after its checkpoint
    with SummaryWriter(str(folder), purge_step=purge) as writer:

        def log(entry: Entry) -> None:
            for name, value in numbers(entry).items():
                writer.add_scalar(name, value, entry["step"], new_style=True)
            writer.flush()

        yield log


@contextmanager
def mlflow_log(folder: Path, history: Sequence[Entry], name: str, config: FitConfig) -> Iterator[Log]:
    """A run in MLflow's file store in ``folder``, for ``mlflow ui --backend-store-uri FOLDER``."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # no usage reports
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # mlflow-skinny has no database
    require("mlflow", extra="mlflow", purpose='FitConfig(log="mlflow")')
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param

    client = MlflowClient(tracking_uri=folder.resolve().as_uri())
    known = client.get_experiment_by_name("gatecast")
    experiment = known.experiment_id if known else client.create_experiment("gatecast")
    run = client.create_run(experiment, run_name=name).info.run_id
    client.log_batch(run, params=[Param(key, str(value)) for key, value in config.to_dict().items()])

    def log(entry: Entry) -> None:
        stamp, step = int(1000 * entry["seconds"]), entry["step"]
        client.log_batch(run, [Metric(key, value, stamp, step) for key, value in numbers(entry).items()])

    for entry in history:
        log(entry)
    status = "FAILED"
    try:
        yield log
        status = "FINISHED"
    finally:
        client.set_terminated(run, status)


def flat(entry: Entry) -> Entry:
    """The entry without nesting: gradient norms become columns ``gradients/lstm.l0``."""
    inner = {f"gradients/{layer}": norm for layer, norm in entry.get("gradients", {}).items()}
    return {name: value for name, value in entry.items() if name != "gradients"} | inner


def numbers(entry: Entry) -> dict[str, float]:
    """The finite numbers of an entry, without its step."""
    return {
        name: float(value)
        for name, value in flat(entry).items()
        if name != "step" and value is not None and math.isfinite(value)
    }
