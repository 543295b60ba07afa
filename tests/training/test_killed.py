"""A run killed at any moment resumes from its last checkpoint and equals the uninterrupted run bit for bit."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from gatecast.training.checkpoint import checkpoint_facts

SCRIPT = Path(__file__).parents[1] / "fixtures" / "killed.py"


KILLED = {
    "step:8": (-signal.SIGKILL, 5),  # exit code, and the step of the checkpoint
    "write:2": (-signal.SIGKILL, 5),  # the second one is unfinished when the first exists
    "term:13": (128 + signal.SIGTERM, 13),  # SIGTERM writes a checkpoint
}


@dataclass(frozen=True)
class Runs:
    """Folder of the runs and, by what ended them, exit codes of a run and of its continuation."""

    folder: Path
    codes: dict[str, list[int]]


def logged(folder: Path) -> list[dict[str, str]]:
    """The rows of the log, without the seconds."""
    with (folder / "training.csv").open(newline="") as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("runs")
    words = [sys.executable, str(SCRIPT), str(folder), "never", *KILLED]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return Runs(folder, json.loads(done.stdout))


@pytest.mark.parametrize("where", list(KILLED))
def test_a_killed_run_resumes_to_the_same_result(runs: Runs, where: str) -> None:
    code, kept = KILLED[where]
    killed, resumed, unbroken = runs.folder / where, runs.folder / where / "resumed", runs.folder / "never"
    assert runs.codes["never"] == [0]
    assert runs.codes[where] == [code, 0]
    assert not (killed / "weights.safetensors").exists()
    assert checkpoint_facts(killed / "run.ckpt")["step"] == kept
    for name in ("weights.safetensors", "history.json"):
        assert (resumed / name).read_bytes() == (unbroken / name).read_bytes()
    assert logged(resumed) == logged(unbroken)
    assert [one.name for one in resumed.glob("*.partial")] == []
