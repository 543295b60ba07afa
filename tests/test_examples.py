"""Every script of ``examples/`` runs, stays short, and is listed in the folder's README."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SHOWS = {
    "forecast.py": ["The LSTM is", "passengers.gatecast: the loaded model forecasts"],
    "covariates.py": ["MASE, deaths alone: LSTM", "MASE, with cases:   LSTM"],
    "many_series.py": ["Kerala", "Odisha"],
    "layer.py": ["runs: ", "step 90: mean absolute error"],
    "classifier.py": ["LSTM: ", "the trend continues: "],
    "epidemic.py": ["backlog", "R0", "SEIR"],
}


def test_every_script_is_tested_and_listed() -> None:
    scripts = {path.name for path in EXAMPLES.glob("*.py")}
    readme = (EXAMPLES / "README.md").read_text("utf-8")
    assert scripts == set(SHOWS)
    assert [name for name in scripts if f"]({name})" not in readme] == []


@pytest.mark.parametrize("name", SHOWS)
def test_a_script_runs_and_prints_its_result(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [name])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    printed = capsys.readouterr().out
    assert [words for words in SHOWS[name] if words not in printed] == []
    assert len((EXAMPLES / name).read_text("utf-8").splitlines()) <= 60
