"""Several processes train as one: the same numbers, one writer, and an end in every case."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fixtures import processes
from fixtures.cases import panel_of, wave
from fixtures.processes import CASES, DIES, PROCESSES
from fixtures.refused import refused

from gatecast.base.errors import SettingError, TrainingError
from gatecast.base.findings import Arg
from gatecast.forecasters.neural import LSTMForecaster
from gatecast.models.config import NetConfig
from gatecast.training.checkpoint import checkpoint_facts
from gatecast.training.config import FitConfig
from gatecast.training.launch import World, launch, needs_launch, resolve_world

pytestmark = pytest.mark.slow
PLACE = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "x"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("processes")


@pytest.fixture(scope="module")
def lost(folder: Path) -> str:
    """The message of a run whose second process was killed."""
    with pytest.raises(TrainingError) as caught:
        launch(processes.killed, folder, processes=PROCESSES, threads=1)
    return str(caught.value)


@pytest.fixture(scope="module")
def answers(folder: Path, lost: str) -> dict[str, Any]:
    return launch(processes.all_of_it, folder, processes=PROCESSES, threads=1)


@pytest.mark.parametrize("name", list(CASES))
def test_two_processes_are_one_with_the_doubled_batch(answers: dict[str, Any], name: str) -> None:
    config = replace(CASES[name], devices=1, batch_size=PROCESSES * CASES[name].batch_size)
    expected, found = processes.result(*processes.run(config)), answers[name]
    np.testing.assert_allclose(found["losses"], expected["losses"], rtol=0, atol=1e-6)
    for key, weight in expected["weights"].items():
        np.testing.assert_allclose(found["weights"][key], weight, rtol=0, atol=1e-6, err_msg=key)
    assert found["best_step"] == expected["best_step"]
    assert len(found["losses"]) == 4


def test_a_killed_process_ends_the_run_with_an_error_and_a_checkpoint(folder: Path, lost: str) -> None:
    assert "process 1 of 2 was ended by SIGKILL; process 0 of 2 lost the connection to another one, at step 6; " in lost
    assert f"{folder / 'run.ckpt'} holds the state: resume with FitConfig(resume=True)" in lost
    assert checkpoint_facts(folder / "run.ckpt")["step"] == processes.STEPS


def test_a_run_with_a_killed_process_resumes_bit_for_bit(answers: dict[str, Any]) -> None:
    assert answers["resumed"]["losses"] == answers["whole"]["losses"]
    for key, weight in answers["whole"]["weights"].items():
        np.testing.assert_array_equal(answers["resumed"]["weights"][key], weight)
    assert answers["whole"]["losses"] != answers["adamw"]["losses"]  # dropout did something


def test_the_first_process_alone_writes(folder: Path, answers: dict[str, Any]) -> None:
    written = [{path.name for path in (folder / f"process-{rank}").rglob("*.*")} for rank in range(PROCESSES)]
    assert written == [{"run.ckpt", "training.csv"}, set()]


def test_an_error_in_one_process_is_reported_by_it(folder: Path, answers: dict[str, Any]) -> None:
    first, second = ((folder / f"error-{rank}").read_text() for rank in range(PROCESSES))
    assert first.startswith("ProcessLost: the loss of another process is not finite, at step 1")
    assert second.startswith("TrainingError: the loss is nan at step 1, in a batch with series")


def test_an_error_in_a_process_comes_back_with_its_traceback() -> None:
    with pytest.raises(RuntimeError, match=r"in process \d: Traceback(?s:.*)ZeroDivisionError: by nothing"):
        launch(processes.fails, processes=1, threads=1)


def test_a_forecaster_learns_in_processes_what_it_learns_in_one() -> None:
    panel = panel_of(wave(90), wave(70, 5), freq="MS")

    def fitted(devices: int) -> LSTMForecaster:
        fit = FitConfig(steps=6, devices=devices, batch_size=32 // devices, evaluations=3, refit=True, progress=False)
        net = NetConfig(hidden_size=8, dropout=0.0)
        return LSTMForecaster(4, context=12, net=net, fit=fit, members=2).fit(panel)

    one, two = fitted(1), fitted(2)
    np.testing.assert_allclose(two.predict().quantiles, one.predict().quantiles, rtol=1e-4, atol=1e-5)
    assert two.best_steps_ == one.best_steps_
    assert two.panel_ is panel
    assert two.fit_seconds_ > 0
    assert not torch.distributed.is_initialized()


# ── from a terminal ──────────────────────────────────────────────────────────────────────────────────────────────────
def script(folder: Path, text: str) -> Path:
    file = folder / "main.py"
    file.write_text(text)
    return file


COMMAND = "from gatecast.cli import main\nif __name__ == '__main__':\n    raise SystemExit(main())\n"


def csv(folder: Path) -> Path:
    file = folder / "data.csv"
    rows = [f"{np.datetime64('2020-01') + k},{value:.4f}" for k, value in enumerate(wave(80))]
    file.write_text("\n".join(["month,y", *rows]) + "\n")
    return file


def forecast(folder: Path, *more: str) -> list[str]:
    fit = ["--windows", "0", "--fit.checkpoint", str(folder / "run.ckpt"), "--fit.no-refit"]
    return ["forecast", str(csv(folder)), "--horizon", "4", "--out", str(folder / "out"), *fit, *more]


def test_ctrl_c_reaches_all_processes_and_leaves_a_checkpoint(tmp_path: Path) -> None:
    more = ("--fit.devices", "2", "--fit.steps", "100000", "--fit.patience", "100000", "--fit.checkpoint-every", "5")
    command = [sys.executable, str(script(tmp_path, COMMAND)), *forecast(tmp_path, *more)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        end = time.monotonic() + 120
        while not (tmp_path / "run.ckpt").exists() and time.monotonic() < end and process.poll() is None:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        try:
            _, printed = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130, printed
    assert f"{tmp_path / 'run.ckpt'} holds the state: add --fit.resume to the same command to resume" in printed
    assert checkpoint_facts(tmp_path / "run.ckpt")["step"] >= 5


def test_under_torchrun_only_the_first_process_prints(tmp_path: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, str(script(tmp_path, COMMAND)), *forecast(tmp_path, "--fit.steps", "4", "--json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    fit = json.loads(done.stdout)["run"]["model"]["fit"]
    assert (fit["devices"], fit["nodes"]) == (2, 1)
    assert (tmp_path / "out" / "forecast.csv").exists()


def test_a_script_without_a_main_guard_is_named_as_the_cause(tmp_path: Path) -> None:
    text = "from fixtures import processes\nfrom gatecast.training.launch import launch\n"
    file = script(tmp_path, text + "launch(processes.fails, processes=1, threads=1)\n")
    path = os.pathsep.join([str(Path(processes.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(file)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert 'process 0 of 1 ended with exit code 1 before it began; call it under if __name__ == "__main__":' in (
        done.stderr
    )


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_rank_and_world_size_of_torchrun_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert World.here() == World(0, 1, 1)
    for name, value in PLACE.items():
        monkeypatch.setenv(name, value)
    assert World.here() == World(0, 1, 1)  # without a port it is something else's
    monkeypatch.setenv("MASTER_PORT", "1")
    assert World.here() == World(3, 4, 2)
    config = resolve_world(FitConfig())
    assert (config.devices, config.nodes) == (2, 2)
    assert not needs_launch(config)
    problem = "devices=3 and nodes=1 make 3 processes, torchrun started 4"
    with refused(SettingError, problem=problem, remedy=Arg("devices", of="FitConfig")):
        resolve_world(FitConfig(devices=3))


def test_impossible_settings_are_refused() -> None:
    nodes = Arg("nodes", 2, of="FitConfig")
    with refused(SettingError, problem=nodes, remedy="torchrun --nnodes 2 --nproc-per-node 1"):
        resolve_world(FitConfig(nodes=2))
    strategy = Arg("strategy", of="FitConfig")
    with refused(SettingError, problem=[strategy, "auto, ddp", "got 'fsdp'"]):
        FitConfig(strategy="fsdp")
    with refused(SettingError, problem=[Arg("devices", of="FitConfig"), "at least 1", "got 0"]):
        FitConfig(devices=0)
    custom = FitConfig(devices=2, optimizer=lambda weights, lr: torch.optim.SGD(weights, lr=lr))
    with refused(SettingError, problem=Arg("devices"), remedy=["define", "at the top of a module"]):
        LSTMForecaster(4, fit=custom).fit(panel_of(wave(60)))
    assert DIES < processes.STEPS
