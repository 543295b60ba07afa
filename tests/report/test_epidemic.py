"""The page about an epidemic: what it says, and that it is drawn at desk and phone width."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures.chromium import CHROMIUM
from report.samples import page_data
from report.test_browser import check, opened

from gatecast import Drift, Naive, Panel, SEIRForecaster, backtest
from gatecast.base.findings import Arg, Finding
from gatecast.epidemic import Cases, Scenario, Study, StudyConfig, by_origin, study
from gatecast.report import write_epidemic_report

WAVE = np.rint(900 * np.exp(-(((np.arange(60) - 32) / 14) ** 2)) + 3 + np.arange(60) % 3)
CHARTS = ["daily", "total", "reproduction", "scenarios", "origins"]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with everything in it."""
    start = np.array([np.datetime64("2020-03-02", "ns")])
    repairs = (Finding("cases", "cases: 1 day with a <backlog>.", kind="backlog"),)
    panel = Panel.from_arrays(
        [WAVE],
        ids=["</script>town"],
        freq="D",
        starts=start,
        repairs=repairs,
        source="cases.csv",
    ).with_schema(target=("cases",))
    seir = SEIRForecaster(7, 1e5, draws=10, starts=2).fit(panel)
    forecasts = [seir.predict(levels=[50, 95], samples=50), Naive().fit(panel).predict(7, levels=[50, 95])]
    reported = replace(panel, target=panel.target.cumsum(axis=0) + 100)  # 100 cases before the first row
    scenarios = (Scenario("<b>later</b>", shift_days=5), Scenario(contacts=-0.3))
    tested = backtest([Naive(name="SEIR"), Drift(), Naive()], panel, 7, windows=3, levels=(50, 95), progress=False)
    made = Study(
        StudyConfig(horizon=7, scenarios=scenarios),
        1e5,
        Cases(reported, panel, cumulative=True),
        seir,
        {one.model: one for one in forecasts},
        tested,
        by_origin(tested),
        (Finding("No forecast by LSTM", "something to know", Arg("horizon", 3)),),
    )
    path = tmp_path_factory.mktemp("page") / "report.html"
    return write_epidemic_report(path, made, words=lambda one: f"{one.place}: {one.problem}; --horizon 3")


def test_the_page_reports_the_result(page: Path) -> None:
    text = page.read_text("utf-8")
    for words in ("Cases: 7 days from 2020-04-30", "WIS", "Who wins when", "Reproduction number", "Halving time"):
        assert words in text
    assert "cases: 1 day with a &lt;backlog&gt;." in text
    assert "No forecast by LSTM: something to know; --horizon 3" in text
    assert "</script>town" not in text
    assert "http" not in text.split("<script>")[0].replace("http-equiv", "")


def test_cases_before_the_first_row_count_in_the_sums(page: Path) -> None:
    series = page_data(page)["series"][0]
    assert series["cumulative"][-1] == 100 + WAVE.sum()
    assert series["models"]["Naive"]["cumulative"]["middle"][0] == 100 + WAVE.sum() + WAVE[-1]


def test_without_backtest_the_quality_is_unknown(tmp_path: Path) -> None:
    panel = Panel.from_arrays([WAVE], ids=["cases"], freq="D")
    path = write_epidemic_report(tmp_path / "report.html", study(panel, 1e5, horizon=7, models=["seir"], windows=0))
    text = path.read_text("utf-8")
    assert "how good these forecasts are is not known" in text
    assert "Who wins when" not in text
    assert sorted(one.name for one in tmp_path.iterdir()) == ["report.html"]


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no browser found")
@pytest.mark.parametrize("width", [1280, 390])
def test_all_charts_are_drawn_at_desk_and_phone_width(page: Path, width: int) -> None:
    press = "[...document.querySelectorAll('#%s-controls button')].find((one) => one.textContent === '%s').click();"
    actions = press % ("daily", "Log") + press % ("scenarios", "Total")
    found = opened(page, width=width, actions=actions)
    check(found, CHARTS)
    assert found["width"] <= width
