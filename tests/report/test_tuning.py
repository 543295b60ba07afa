"""The page about a search."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.chromium import CHROMIUM
from report.test_browser import opened

from gatecast.base.options import Float, OneOf
from gatecast.forecasters.neural import LSTMForecaster
from gatecast.report import write_tuning
from gatecast.tuning import Finalist, Tested, Trial, Tuning
from gatecast.tuning.folds import Folds

DEFAULT = {"net.dropout": 0.1, "scaler": "standard"}


def outcome(**changes: object) -> Tuning:
    """A search of four trials that the second one won."""
    better = {"net.dropout": 0.25, "scaler": "<b>last"}
    trials = [
        Trial(0, "complete", {}, DEFAULT, [[1.0], [1.2]], 3.0),
        Trial(1, "complete", better, better, [[0.8], [0.9]], 2.0),
        Trial(2, "pruned", DEFAULT, {**DEFAULT, "net.dropout": 0.4}, [[9.0]], 1.0),
        Trial(3, "failed", better, {**better, "net.dropout": 0.5}, [], 0.0, "<i>too long"),
    ]
    found = Tuning(
        model=LSTMForecaster(4),
        settings=better,
        metric="MASE",
        folds=Folds(4, 2, 3, 2, 6, 2),
        fields={"net.dropout": Float(0.0, 0.5), "scaler": OneOf("standard", "<b>last")},
        trials=trials,
        finalists=[Finalist(1, better, 0.85, 0.2, 0.05, True), Finalist(0, {}, 1.1, 0.0, 0.0)],
        test=Tested(1.0, 0.9, 2, 3),
        importance={"net.dropout": 0.75, "scaler": 0.25},
        notes=["1 of 4 trials failed"],
        seconds=75.0,
        source="sales.csv",
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def page(tmp_path: Path, found: Tuning) -> str:
    return write_tuning(tmp_path / "new" / "t.html", found).read_text("utf-8")


def test_the_page_reports_the_result(tmp_path: Path) -> None:
    text = page(tmp_path, outcome())
    words = re.sub(r"<[^>]+>", " ", text.partition("<script>")[0])
    for part in (
        "Trial 1 of 4 wins: MASE 0.850 on the folds against 1.100 of the default.",
        "their MASE is 0.900 against 1.000 of the default: 10.0 % lower",
        "1 stopped early, 1 failed",
        "net.dropout",
        "1 of 4 trials failed",
        "1 min 15 s",
    ):
        assert part in " ".join(words.split()), part
    assert "http://" not in text.partition("<script>")[0]


def test_names_from_outside_are_not_read_as_html(tmp_path: Path) -> None:
    text = page(tmp_path, outcome())
    assert "<b>last" not in text
    assert "<i>too long" not in text
    data = json.loads(re.search(r'id="report-data">(.*?)</script>', text, re.DOTALL)[1])  # type: ignore[index]
    assert data["trials"][1]["params"]["scaler"] == "<b>last"
    assert data["trials"][3]["loss"] is None
    assert data["winner"] == 1


def test_a_winner_that_fails_the_test_is_reported(tmp_path: Path) -> None:
    text = outcome(test=Tested(1.0, 1.3, 2, 3)).text
    assert "30.0 % higher. The folds did not predict the test: take the default" in text


def test_a_default_that_stays(tmp_path: Path) -> None:
    finalists = [Finalist(1, {"scaler": "last"}, 0.9, 0.1, 0.2), Finalist(0, {}, 1.1, 0.0, 0.0, True)]
    found = outcome(settings={}, finalists=finalists, test=None, importance={})
    text = page(tmp_path, found)
    assert "The default settings stay: of 4 trials, none is significantly better on the folds" in text
    assert "There was no test part" in text
    assert 'id="importance"' not in text


def test_the_settings_are_a_file(tmp_path: Path) -> None:
    import tomllib

    path = tmp_path / "best.toml"
    path.write_text(outcome().to_toml(), "utf-8")
    assert tomllib.loads(path.read_text("utf-8")) == {"scaler": "<b>last", "net": {"dropout": 0.25}}


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no browser found")
@pytest.mark.parametrize("width", [1280, 390])
def test_the_charts_are_drawn_at_desk_and_phone_width(tmp_path: Path, width: int) -> None:
    found = opened(write_tuning(tmp_path / "t.html", outcome()), width=width)
    assert (found["complaints"], found["loaded"], found["trouble"]) == ([], [], False)
    assert [chart["id"] for chart in found["charts"]] == ["history", "importance", "slices"]
    assert all(chart["width"] > 150 and chart["height"] > 150 and chart["text"] for chart in found["charts"])
    assert found["width"] <= width
