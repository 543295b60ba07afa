"""Logs of a run: CSV where a folder is named, TensorBoard and MLflow where they are selected."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import pytest
from fixtures.refused import refused

from gatecast.base.errors import MissingExtraError
from gatecast.training import logs
from gatecast.training.config import FitConfig
from gatecast.training.logs import run_log

ENTRIES: list[dict[str, Any]] = [
    {"step": 10, "train_loss": 1.0, "val_loss": None, "lr": 0.1, "seconds": 0.5, "gradients": {"lstm.l0": 2.0}},
    {"step": 20, "train_loss": 0.5, "val_loss": 0.25, "lr": 0.1, "seconds": 1.0, "gradients": {"lstm.l0": math.nan}},
]


def write(config: FitConfig, *, kept: int = 0, name: str = "training") -> None:
    with run_log(config, ENTRIES[:kept], name) as log:
        for entry in ENTRIES[kept:]:
            log(entry)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_nothing_is_logged_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(FitConfig())
    assert list(tmp_path.iterdir()) == []


def test_a_csv_file_has_a_row_an_evaluation(tmp_path: Path) -> None:
    write(FitConfig(log_dir=tmp_path / "new"))
    found = rows(tmp_path / "new" / "training.csv")
    assert [row["step"] for row in found] == ["10", "20"]
    assert [row["val_loss"] for row in found] == ["", "0.25"]
    assert found[0]["gradients/lstm.l0"] == "2.0"


def test_a_row_is_on_disk_at_once_and_a_resumed_run_keeps_its_rows(tmp_path: Path) -> None:
    config = FitConfig(log_dir=tmp_path)
    with run_log(config, [], "training") as log:
        log(ENTRIES[0])
        log(ENTRIES[1])  # after the checkpoint: the run resumes from before it
        assert len(rows(tmp_path / "training.csv")) == 2
    write(config, kept=1)
    assert [row["step"] for row in rows(tmp_path / "training.csv")] == ["10", "20"]


@pytest.mark.filterwarnings("ignore")
def test_tensorboard_reads_what_was_logged(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    write(FitConfig(log_dir=tmp_path, log="tensorboard"))
    events = EventAccumulator(str(tmp_path / "tensorboard" / "training")).Reload()
    assert set(events.Tags()["tensors"]) == {"train_loss", "val_loss", "lr", "seconds", "gradients/lstm.l0"}
    found = [(one.step, one.tensor_proto.float_val[0]) for one in events.Tensors("train_loss")]
    assert found == [(10, 1.0), (20, 0.5)]
    assert len(rows(tmp_path / "training.csv")) == 2


@pytest.mark.filterwarnings("ignore")
def test_mlflow_reads_what_was_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow")
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "logs"
    config = FitConfig(log_dir=folder, log="mlflow", batch_size=48)
    write(config)
    write(config, kept=1, name="training-refit0")  # another run of the same experiment
    client = MlflowClient(tracking_uri=(folder / "mlruns").as_uri())
    experiment = client.get_experiment_by_name("gatecast")
    found = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert set(found) == {"training", "training-refit0"}
    run = found["training"]
    assert run.data.params["batch_size"] == "48"
    assert run.data.metrics["val_loss"] == 0.25
    assert [one.value for one in client.get_metric_history(run.info.run_id, "train_loss")] == [1.0, 0.5]
    assert run.info.status == "FINISHED"
    assert [one.name for one in tmp_path.iterdir()] == ["logs"]


@pytest.mark.parametrize("log", ["tensorboard", "mlflow"])
def test_a_missing_package_names_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: str) -> None:
    def missing(module: str, *, extra: str, purpose: str) -> None:
        raise MissingExtraError(f"{module} is needed for {purpose}", f'pip install "gatecast[{extra}]"')

    monkeypatch.setattr(logs, "require", missing)
    with refused(
        MissingExtraError,
        problem=[f"{log} is needed", f'FitConfig(log="{log}")'],
        remedy=f'pip install "gatecast[{log}]"',
    ):
        write(FitConfig(log_dir=tmp_path, log=log))
