"""Results appear together or not at all: a full disk, a late failure or a kill mixes no runs and loses nothing."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gatecast.cli import output_folder

Run = Callable[..., tuple[int, str, str]]
NAIVE = ("--model", "naive", "--windows", 0, "--out", "out")
KILLED = """
import os, signal, sys
from gatecast.base import files
from gatecast.cli import main
module, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
import importlib
target = os if module == "os" else importlib.import_module(module)
original, calls = getattr(target, name), []
def dies(*args, **kwargs):
    calls.append(1)
    if len(calls) == count:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*args, **kwargs)
setattr(target, name, dies)
sys.exit(main(sys.argv[4:]))
"""


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    path = tmp_path / "sales.csv"
    path.write_text("day,y\n" + "".join(f"2024-01-{k:02},{k % 7 + k / 9}\n" for k in range(1, 31)))
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in sorted(folder.iterdir()) if one.is_file()}


def horizons(folder: Path) -> set[int]:
    """The horizons of the runs whose files lie in the folder."""
    rows = len((folder / "forecast.csv").read_text().splitlines()) - 1
    return {rows, json.loads((folder / "run.json").read_text())["run"]["horizon"]}


def full_at(monkeypatch: pytest.MonkeyPatch, count: int) -> list[int]:
    """The disk is full at the n-th text that is written."""
    original, calls = Path.write_text, []

    def full(self: Path, *args: Any, **kwargs: Any) -> int:
        calls.append(1)
        if len(calls) == count:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(self, *args, **kwargs)

    monkeypatch.setattr(Path, "write_text", full)
    return calls


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_full_disk_leaves_the_earlier_run_whole(
    run: Run, sales: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    out = tmp_path / "out"
    assert run("forecast", sales, "--horizon", 3, *NAIVE)[0] == 0
    before = files(out)
    with monkeypatch.context() as patch:
        calls = full_at(patch, count)
        code, _, err = run("forecast", sales, "--horizon", 5, *NAIVE)
    assert len(calls) >= count
    assert code == 1
    assert "No space left on device" in err
    assert files(out) == before
    assert run("forecast", sales, "--horizon", 5, *NAIVE)[0] == 0
    assert horizons(out) == {5}
    assert {one.name for one in out.iterdir()} == set(before)


def test_a_full_disk_in_the_first_run_keeps_what_was_complete(
    run: Run, sales: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        full_at(patch, 2)  # the report: the forecast is there
        code, _, err = run("forecast", sales, "--horizon", 3, *NAIVE)
    assert code == 1
    assert "Kept: out/forecast.csv" in err
    assert sorted(files(tmp_path / "out")) == ["forecast.csv", "run.json"]
    assert run("forecast", sales, "--horizon", 3, *NAIVE)[0] == 0


@pytest.mark.parametrize(
    ("module", "name", "count"),
    [
        ("os", "replace", 2),  # forecast, report and record in the hidden folder
        ("os", "replace", 4),  # the claim
        ("os", "replace", 5),  # files are moved to their places
        ("os", "replace", 7),  # the record
        ("gatecast.cli.output_folder", "move_all", 2),  # the last step
    ],
)
def test_a_killed_run_can_be_repeated(
    run: Run, sales: Path, tmp_path: Path, module: str, name: str, count: int
) -> None:
    out = tmp_path / "out"
    assert run("forecast", sales, "--horizon", 3, *NAIVE)[0] == 0
    words = [sys.executable, "-c", KILLED, module, name, str(count), "forecast", str(sales), "--horizon", "5"]
    done = subprocess.run([*words, *map(str, NAIVE)], cwd=tmp_path, capture_output=True, check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr
    record = json.loads((out / "run.json").read_text())
    assert record["status"] == "running" or horizons(out) == {3}, "a record that is done is of files of one run"
    code, _, err = run("forecast", sales, "--horizon", 5, *NAIVE)
    assert code == 0, err
    assert horizons(out) == {5}
    assert [one.name for one in out.iterdir() if one.name.startswith(".")] == []


def test_a_failure_while_printing_loses_nothing(
    run: Run, sales: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("gatecast.cli.console.Console.forecast", broken)
    with suppress(io.UnsupportedOperation):  # the captured output has no descriptor to close
        run("forecast", sales, "--horizon", 3, *NAIVE)
    assert horizons(tmp_path / "out") == {3}


def test_a_late_failure_keeps_the_model(run: Run, sales: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gatecast.forecasters import LSTMForecaster, load

    def late(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("late")

    monkeypatch.setattr(LSTMForecaster, "predict", late)
    options = ["--fit.steps", 3, "--context", 8, "--windows", 0, "--out", "out"]
    code, _, err = run("forecast", sales, "--horizon", 3, *options)
    assert code == 1
    assert "Kept: out/model.gatecast" in err
    assert load(tmp_path / "out" / "model.gatecast").horizon == 3


def test_a_folder_of_the_user_named_unfinished_stays(
    run: Run, sales: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "out" / output_folder.UNFINISHED
    assert run("forecast", sales, "--horizon", 3, *NAIVE)[0] == 0
    mine.mkdir()
    (mine / "notes.txt").write_text("mine")
    with monkeypatch.context() as patch:
        full_at(patch, 2)
        assert run("forecast", sales, "--horizon", 5, *NAIVE)[0] == 1
    assert run("forecast", sales, "--horizon", 5, *NAIVE)[0] == 0
    assert files(mine) == {"notes.txt": b"mine"}


def test_a_folder_with_the_name_of_a_result_is_refused_before_any_work(run: Run, sales: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "forecast.csv").mkdir(parents=True)
    code, _, err = run("forecast", sales, "--horizon", 3, *NAIVE, "--overwrite")
    assert code == 2
    assert "out/forecast.csv is a folder; name another folder with --out" in err


@pytest.mark.parametrize("name", ["-05", "=1+1", "@home"])
def test_names_that_look_like_formulas_or_numbers_are_read_back(run: Run, tmp_path: Path, name: str) -> None:
    rows = "".join(f"2024-01-{k:02},{one},{k}\n" for one in (name, "other") for k in range(1, 21))
    (tmp_path / "in.csv").write_text("day,shop,y\n" + rows)
    assert run("forecast", "in.csv", "--horizon", 2, *NAIVE)[0] == 0
    lines = (tmp_path / "out" / "forecast.csv").read_text().splitlines()[1:]
    assert {line.split(",")[0] for line in lines} == {name, "other"}
