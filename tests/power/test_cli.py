"""``gatecast power``: two tables in, a forecast and scores out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from power.farms import power_table, weather_table

pytest.importorskip("pywt", reason="PyWavelets is not installed: pip install gatecast[wind]")
Run = Callable[..., tuple[int, str, str]]
QUICK = ("--weather", "w.csv", "--members", 1, "--steps", 2, "--out", "p")


@pytest.fixture
def tables(tmp_path: Path) -> None:
    farms = [power_table(800).assign(farm=name) for name in ("a", "b")]
    pd.concat(farms).to_csv(tmp_path / "p.csv", index=False)
    farms[0].drop(columns="farm").to_csv(tmp_path / "one.csv", index=False)
    weather_table(800).to_csv(tmp_path / "w.csv", index=False)


def test_power_and_weather_become_a_forecast(run: Run, tables: None, tmp_path: Path) -> None:
    code, out, err = run("power", "one.csv", *QUICK, "--capacity", 20, "--test", 5)
    assert (code, err) == (0, "")
    for words in ("1 site, 800 hours", "weather: ws, 67 issues, 48 h ahead", "CNN ensemble", "persistence", "curve"):
        assert words in out
    assert sorted(one.name for one in (tmp_path / "p").iterdir()) == ["forecast.csv", "run.json", "scores.csv"]
    frame = pd.read_csv(tmp_path / "p" / "forecast.csv")
    assert len(frame) == 48
    assert frame["time"].iloc[0] == "2023-02-03 08:00:00"
    assert frame["q95"].max() <= 20


def test_several_farms(run: Run, tables: None) -> None:
    options = ("--id", "farm", "--target", "power", "--capacity", 20, "--test", 0, "--kind", "lstm", "--json")
    code, out, _ = run("power", "p.csv", *QUICK, *options)
    assert code == 0
    found = json.loads(out)
    assert {row["site"] for row in found["forecast"]} == {"a", "b"}
    assert found["scores"] is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--capacity", 2), "above its capacity of 2; give --capacity"),
        (("--capacity", 20, "--lead", "hors"), "there is no column 'hors'; the columns are issued, lead, ws"),
        (("--capacity", 20, "--site", "farm"), "there is no column 'farm' in w.csv; name one with --site farm"),
    ],
)
def test_what_does_not_fit(run: Run, tables: None, options: tuple[object, ...], words: str) -> None:
    code, out, err = run("power", "one.csv", *QUICK, *options)
    assert (code, out) == (2, "")
    assert words in err
