"""``gatecast future``: the file to fill in with known covariates."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

Run = Callable[..., tuple[int, str, str]]
KNOWN = ("--target", "sold", "--known", "price,promo", "--horizon", 3)


@pytest.fixture
def sales(tmp_path: Path) -> str:
    days = np.arange(60)
    promo = np.where(days % 5 == 0, "big", "small")
    table = {"day": pd.date_range("2024-01-01", periods=60), "sold": days % 7, "price": 1.0 + days % 3, "promo": promo}
    pd.DataFrame(table).to_csv(tmp_path / "sales.csv", index=False)
    return "sales.csv"


def test_the_file_to_fill_in_is_taken_back(run: Run, sales: str, tmp_path: Path) -> None:
    code, out, _ = run("future", sales, *KNOWN)
    assert (code, out) == (0, "day,price,promo\n2024-03-01,,\n2024-03-02,,\n2024-03-03,,\n")
    (tmp_path / "plan.csv").write_text(out)
    quick = ("--fit.steps", 2, "--net.hidden-size", 8, "--windows", 0, "--out", "f")
    code, _, err = run("forecast", sales, *KNOWN, "--future", "plan.csv", *quick)
    assert code == 2
    assert "'price' of series 'sold' has no value at 2024-03-01, 2024-03-02, 2024-03-03" in err
    pd.read_csv(io.StringIO(out)).assign(price=1.0, promo="big").to_csv(tmp_path / "plan.csv", index=False)
    assert run("forecast", sales, *KNOWN, "--future", "plan.csv", *quick)[0] == 0


def test_what_is_known_already_is_filled_in(run: Run, sales: str, tmp_path: Path) -> None:
    table = pd.read_csv(tmp_path / sales).astype({"sold": object})
    table.loc[58:, "sold"] = ""
    table.to_csv(tmp_path / sales, index=False)
    rows = json.loads(run("future", sales, *KNOWN, "--json")[1])["future"]
    assert [row["price"] for row in rows] == [2, 3, None]
    assert [row["promo"] for row in rows] == ["small", "small", None]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--horizon", 3), "nothing to fill in without covariates that are known in advance"),
        (("--horizon", 0, "--known", "price"), "--horizon must be at least 1, got 0"),
    ],
)
def test_nothing_to_fill_in_is_refused(run: Run, sales: str, options: tuple[object, ...], words: str) -> None:
    code, out, err = run("future", sales, "--target", "sold", *options)
    assert (code, out) == (2, "")
    assert words in err
