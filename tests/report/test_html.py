"""The written page: complete, self-contained, safe, for every kind of panel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report.samples import HISTORY, backtest_of, daily, forecast_of, page_data, page_text

from gatecast.data.panel import Panel
from gatecast.forecasters.backtest import Backtest
from gatecast.report import write_report
from gatecast.report.facts import data_hash, run_facts
from gatecast.report.headline import unbroken


def test_the_page_holds_every_result(panel: Panel, tested: Backtest, tmp_path: Path) -> None:
    run = {"seed": 1, "context": 28, "fit": {"learning_rate": 0.001}, "fit_seconds": 7.31}
    path = write_report(
        tmp_path / "new" / "report.html",
        panel=panel,
        forecast=forecast_of(panel),
        backtest=tested,
        training=HISTORY,
        run=run,
    )
    text = page_text(path)
    assert "cases: the next 7 days" in text
    verdict = re.sub(r"<[^>]+>|\s+", " ", text)
    assert unbroken(tested.verdict("Drift").text).split(". ")[0].split("\u00a0")[0] in verdict
    for expected in (
        "2 missing days were filled",
        "SeasonalNaive",
        "MASE",
        "learning rate",
        "0.001",
        "7.3 s",
        "cases.csv",
        "Overfitting since step 40: the held-back loss rose from",
    ):
        assert expected in text
    assert data_hash(panel) in text
    assert list(path.parent.iterdir()) == [path]


def test_nothing_is_loaded_from_elsewhere(panel: Panel, tmp_path: Path) -> None:
    path = write_report(tmp_path / "report.html", panel=panel, forecast=forecast_of(panel))
    text = page_text(path)
    assert "plotly.js v" in path.read_text("utf-8")
    assert not re.findall(r'(?:src|href)\s*=\s*"(?!#)|@import|url\(', text)
    assert "default-src 'none'" in text


def test_without_backtest_the_page_says_that_the_quality_is_unknown(panel: Panel, tmp_path: Path) -> None:
    path = write_report(tmp_path / "report.html", panel=panel, forecast=forecast_of(panel))
    assert "nothing is known yet about how good this forecast is" in page_text(path)
    assert set(page_data(path)) == {"fan", "training"}


def shifted(panel: Panel, **fields: Any) -> Panel:
    return replace(panel, **fields)


KINDS = {
    "integer index": lambda: Panel.from_arrays([np.arange(60.0) % 7], ids=["count"]),
    "two targets": lambda: Panel.from_arrays([np.random.default_rng(0).normal(size=(60, 2))], freq="h"),
    "time zone": lambda: daily(2).with_schema(tz="Asia/Seoul"),
    "monthly": lambda: Panel.from_arrays([np.arange(60.0) % 12], freq="MS"),
    "constant": lambda: Panel.from_arrays([np.full(60, 5.0)], freq="D"),
    "missing at the end": lambda: Panel.from_arrays([np.r_[np.arange(50.0), np.nan, np.nan]], freq="D"),
    "all missing": lambda: Panel.from_arrays([np.full(30, np.nan)], freq="D"),
    "one row": lambda: Panel.from_arrays([np.array([3.0])], freq="D"),
    "unequal lengths": lambda: Panel.from_arrays([np.arange(60.0), np.arange(40.0)], freq="W-SUN"),
    "held-out actuals": lambda: daily().cut(5),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore")  # what the models warn of is not the matter here
def test_every_kind_of_panel_gets_a_page(kind: str, tmp_path: Path) -> None:
    panel = KINDS[kind]()
    plain = kind in {"all missing", "one row"}
    path = write_report(
        tmp_path / "report.html",
        panel=panel,
        forecast=forecast_of(panel, 4, () if plain else (80,)),
        backtest=None if plain else backtest_of(panel, 4),
    )
    made = page_data(path)["fan"]
    assert len(made["series"]) == len(panel)
    assert all(len(series["targets"]) == panel.targets for series in made["series"])


def test_many_series_are_capped_and_the_page_notes_it(tmp_path: Path) -> None:
    panel = daily(500, rows=60)
    path = write_report(tmp_path / "a.html", panel=panel, forecast=forecast_of(panel))
    assert "The first 50 of 500 series are shown." in page_text(path)
    assert len(page_data(path)["fan"]["series"]) == 50
    tested = backtest_of(panel)
    ranked = write_report(tmp_path / "b.html", panel=panel, forecast=forecast_of(panel), backtest=tested)
    assert "50 of 500 series are shown, from the largest MASE of the backtest to the smallest" in page_text(ranked)
    scores = tested.scores(by="series", metrics=["MASE"]).xs("Drift", level="model")["MASE"]
    ids = [series["id"] for series in page_data(ranked)["fan"]["series"]]
    assert (ids[0], ids[-1]) == (scores.idxmax(), scores.idxmin())


def test_a_long_history_is_thinned(tmp_path: Path) -> None:
    panel = Panel.from_arrays([np.sin(np.arange(12_000.0))])
    path = write_report(tmp_path / "report.html", panel=panel, forecast=forecast_of(panel))
    history = page_data(path)["fan"]["series"][0]["targets"][0]["history"]
    assert history["of"] == 12_000
    assert len(history["value"]) <= 5_000


EVIL = "</script><script>document.title='broken'</script><img src=x onerror=alert(1)>"


def test_names_cannot_become_code(tmp_path: Path) -> None:
    panel = daily(2, ids=[EVIL, "b"], source=EVIL).with_schema(target=(EVIL,), time=(EVIL,))
    path = write_report(
        tmp_path / "report.html",
        panel=panel,
        forecast=forecast_of(panel).rename("Drift"),
        backtest=backtest_of(panel),
        run={EVIL: EVIL},
    )
    text = path.read_text("utf-8")
    assert "<img src=x" not in text
    assert "document.title='broken'</script>" not in text
    assert page_data(path)["fan"]["series"][0]["id"] in {EVIL, "b"}


def test_an_older_report_stays_when_writing_fails(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_text("older")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_report(path, panel=panel, forecast=forecast_of(panel))
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_input_gives_the_same_page(panel: Panel, tmp_path: Path) -> None:
    pages = [write_report(tmp_path / name, panel=panel, forecast=forecast_of(panel)) for name in ("a.html", "b.html")]
    assert pages[0].read_bytes() == pages[1].read_bytes()


def test_the_hash_follows_the_data(panel: Panel) -> None:
    changed = panel.target.copy()
    changed[0] += 1
    assert data_hash(panel) == data_hash(replace(panel, target=panel.target.copy()))
    assert data_hash(panel) != data_hash(replace(panel, target=changed))


def test_settings_as_rows() -> None:
    facts = run_facts({"seed": 3, "fit": {"lr": 0.001, "batch_size": 64}, "levels": [80, 95], "gpu": False, "x": None})
    assert facts == [
        ("seed", "3"),
        ("fit · lr", "0.001"),
        ("fit · batch size", "64"),
        ("levels", "80, 95"),
        ("gpu", "no"),
        ("x", "none"),
    ]


def test_plotly_itself_is_not_imported(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np; from gatecast.data.panel import Panel; from gatecast.evaluation import Forecast;"
        "from gatecast.report import write_report; panel = Panel.from_arrays([np.arange(9.0)]);"
        "write_report(sys.argv[1], panel=panel, forecast=Forecast('f', panel, np.ones((1, 2, 1))));"
        "print([name for name in ('plotly', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "r.html"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
