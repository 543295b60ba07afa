"""``gatecast lab``: what its commands print and write, and what they refuse."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

Run = Callable[..., tuple[int, str, str]]


def test_cell_of_a_file(run: Run, tmp_path: Path) -> None:
    rows = pd.DataFrame({"row": range(50), "load": np.sin(np.arange(50) / 3).round(4)})
    rows.to_csv("load.csv", index=False)
    code, out, err = run("lab", "cell", "load.csv", "--horizon", 2, "--hidden", 3, "--steps", 5)
    assert (code, err) == (0, "")
    assert "longest memory first" in out
    assert sorted(os.listdir(tmp_path / "lab-out")) == ["cell.html", "run.json"]
    assert json.loads((tmp_path / "lab-out" / "run.json").read_text())["run"]["hidden_size"] == 3


def test_cell_of_bundled_data_as_json(run: Run) -> None:
    code, out, _ = run("lab", "cell", "--hidden", 2, "--steps", 5, "--json")
    found = json.loads(out)
    assert (code, len(found["memory"]), len(found["influence"]["Passengers"])) == (0, 2, 36)


def test_gradients(run: Run, tmp_path: Path) -> None:
    sizes = ("--lag", 12, "--hidden", 4, "--recall", 5, "--updates", 2)
    code, out, err = run("lab", "gradients", *sizes, "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert max(found["differences"].values()) < 1e-5
    assert sorted(os.listdir(tmp_path / "lab-gradients")) == ["gradients.csv", "gradients.html", "run.json"]
    table = pd.read_csv(tmp_path / "lab-gradients" / "gradients.csv")
    assert set(table["group"]) == {"cells", "bias", "radius", "depth", "trained"}
    assert set(table["lag"]) == {*range(13)}
    assert run("lab", "gradients", "--lag", 3)[0] == 2


def test_memory_is_resumed(run: Run, tmp_path: Path) -> None:
    command = ("lab", "memory", "2a", "--seeds", 2, "--no-rivals", "--most", 40)
    code, out, err = run(*command)
    assert (code, err) == (0, "")
    assert "5,040" in out
    assert "> 40" in out
    names = ["memory.csv", "memory.html", "outcomes.json", "run.json"]
    assert sorted(os.listdir(tmp_path / "lab-memory")) == names
    before = (tmp_path / "lab-memory" / "outcomes.json").stat().st_mtime_ns
    code, out, _ = run(*command, "--json")
    assert json.loads(out)["outcomes"][0]["sequences"] == [None, None]
    assert (tmp_path / "lab-memory" / "outcomes.json").stat().st_mtime_ns == before
    assert json.loads(run("lab", "memory", "--list", "--json")[1])["experiments"][0]["weights"] == "276"


def test_what_is_refused(run: Run) -> None:
    assert run("lab", "cell", "none.csv")[::2] == (2, "gatecast: none.csv: no such file in .; check the path\n")
    code, _, err = run("lab", "cell", "--series", "x", "--steps", 2)
    assert (code, "there is no series 'x'" in err) == (2, True)
    code, _, err = run("lab", "cell", "--hidden", 0)
    assert (code, "must be at least 1" in err) == (2, True)
    code, _, err = run("lab", "memory", "2d")
    assert (code, "there is no experiment '2d'" in err) == (2, True)
    assert run("lab", "memory", "--seeds", 0)[0] == 2
    Path("lab-memory").mkdir(exist_ok=True)
    Path("lab-memory", "outcomes.json").write_text("{}")
    code, _, err = run("lab", "memory", "2a")
    assert (code, "is not a file of gatecast lab memory" in err) == (2, True)
    code, _, err = run("lab", "celll")
    assert (code, 'Did you mean "cell"' in err) == (2, True)


def test_help_lists_the_experiments(run: Run) -> None:
    code, out, _ = run("lab", "--help")
    assert code == 0
    assert "cell" in out
