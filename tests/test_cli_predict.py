"""``gatecast predict`` on files that continue the history of a model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

Run = Callable[..., tuple[int, str, str]]
QUICK = ["--horizon", 3, "--windows", 0, "--fit.steps", 5, "--net.hidden-size", 8]


def months(first: int, rows: int) -> pd.DataFrame:
    steps = np.arange(first, first + rows)
    when = pd.Timestamp("2010-01-01").to_period("M") + steps
    return pd.DataFrame({"Month": when.astype(str), "Riders": np.round(200 + steps + 30 * np.sin(steps * np.pi / 6))})


@pytest.fixture
def model(run: Run, tmp_path: Path) -> Path:
    months(0, 90).to_csv(tmp_path / "riders.csv", index=False)
    assert run("forecast", "riders.csv", *QUICK, "--out", "m")[0] == 0
    return tmp_path / "m" / "model.gatecast"


def test_three_new_months_continue_the_history(run: Run, model: Path, tmp_path: Path) -> None:
    months(90, 3).to_csv(tmp_path / "new.csv", index=False)
    months(0, 93).to_csv(tmp_path / "all.csv", index=False)
    code, out, _ = run("predict", model, "new.csv")
    assert code == 0
    assert "history: continues the history of the model: 36 rows kept + 3 new" in out
    assert "2017-10-01" in out
    forecasts = [json.loads(run("predict", model, name, "--json")[1])["forecast"] for name in ("new.csv", "all.csv")]
    assert forecasts[0] == forecasts[1]


@pytest.mark.parametrize(("first", "rows"), [(92, 3), (10, 3)])
def test_rows_that_do_not_continue_it_are_refused_with_numbers(
    run: Run, model: Path, tmp_path: Path, first: int, rows: int
) -> None:
    months(first, rows).to_csv(tmp_path / "new.csv", index=False)
    code, _, err = run("predict", model, "new.csv")
    assert code == 2
    assert "new.csv: 3 rows of Riders" in err
    assert "the model reads 36 rows" in err
    assert "give all rows from" in err


def test_no_history(run: Run, model: Path, tmp_path: Path) -> None:
    assert run("forecast", "riders.csv", *QUICK, "--out", "bare", "--no-history")[0] == 0
    months(90, 3).to_csv(tmp_path / "new.csv", index=False)
    code, _, err = run("predict", "bare/model.gatecast", "new.csv")
    assert code == 2
    assert "leave out --no-history" in err
    assert run("predict", "bare/model.gatecast", "riders.csv")[0] == 0


def test_the_model_knows_its_missing_codes(run: Run, tmp_path: Path) -> None:
    frame = months(0, 90)
    frame.loc[[20, 70], "Riders"] = -200
    frame.to_csv(tmp_path / "coded.csv", index=False)
    assert run("forecast", "coded.csv", *QUICK, "--missing=-200", "--out", "m")[0] == 0
    document = json.loads(run("predict", "m/model.gatecast", "coded.csv", "--json")[1])
    assert document["data"]["missing"] == 2


def test_a_target_of_another_name_is_named(run: Run, model: Path, tmp_path: Path) -> None:
    months(90, 3).rename(columns={"Riders": "guests"}).to_csv(tmp_path / "new.csv", index=False)
    months(90, 3).to_csv(tmp_path / "same.csv", index=False)
    code, _, err = run("predict", model, "new.csv")
    assert code == 2
    assert "there is no column 'Riders' (--target); the columns are Month, guests" in err
    code, out, _ = run("predict", model, "new.csv", "--target", "guests", "--json")
    assert code == 0
    named = json.loads(out)
    assert named["forecast"] == json.loads(run("predict", model, "same.csv", "--json")[1])["forecast"]
    assert "renamed target" in out
