"""A run that is killed at any moment goes on from its last checkpoint and ends as the unbroken one does, to the bit."""

from __future__ import annotations

import csv
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gatecast.training.checkpoint import checkpoint_facts

SCRIPT = Path(__file__).parents[1] / "fixtures" / "killed.py"


def run(folder: Path, where: str = "never", *, resume: bool = False) -> int:
    """The exit code of a run in a process of its own; negative: the signal that ended it."""
    folder.mkdir(exist_ok=True)
    words = [sys.executable, str(SCRIPT), str(folder), where, "resume" if resume else "anew"]
    return subprocess.run(words, capture_output=True, timeout=120, check=False).returncode


def logged(folder: Path) -> list[dict[str, str]]:
    """The rows of the log, without the seconds."""
    with (folder / "training.csv").open(newline="") as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unbroken")
    assert run(folder) == 0
    return folder


@pytest.mark.parametrize(
    ("where", "code", "kept"),
    [
        ("step:8", -signal.SIGKILL, 5),
        ("write:2", -signal.SIGKILL, 5),  # the second one lies half done beside the first
        ("term:13", 128 + signal.SIGTERM, 13),  # a checkpoint of its own
    ],
)
def test_a_killed_run_goes_on_as_if_it_had_not_been(
    unbroken: Path, tmp_path: Path, where: str, code: int, kept: int
) -> None:
    assert run(tmp_path, where) == code
    assert not (tmp_path / "weights.safetensors").exists()
    assert checkpoint_facts(tmp_path / "run.ckpt")["step"] == kept
    assert run(tmp_path, resume=True) == 0
    for name in ("weights.safetensors", "history.json"):
        assert (tmp_path / name).read_bytes() == (unbroken / name).read_bytes()
    assert logged(tmp_path) == logged(unbroken)
    assert [one.name for one in tmp_path.glob("*.partial")] == []
