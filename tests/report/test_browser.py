"""The page in a real browser: charts are drawn, nothing is complained about, nothing is loaded from outside."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.chromium import CHROMIUM, DARK, LIGHT, NAMES, visit
from report.samples import HISTORY, backtest_of, daily, forecast_of

from gatecast.data.panel import Panel
from gatecast.report import write_report

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason=f"no browser found (looked for {', '.join(NAMES)})"),
]

# Put before everything else: collects complaints, and measures what was drawn when the page has loaded.
PROBE = """<script>
const complaints = [];
for (const level of ["error", "warn"]) console[level] = (...words) => complaints.push(words.join(" "));
addEventListener("error", (event) => complaints.push(event.message), true);
addEventListener("unhandledrejection", (event) => complaints.push(String(event.reason)));
addEventListener("securitypolicyviolation", (event) => complaints.push("refused: " + event.blockedURI));
addEventListener("load", () => setTimeout(() => {
  ACTIONS
  const charts = [...document.querySelectorAll(".chart")].map((box) => ({
    id: box.id, label: box.getAttribute("aria-label"), width: box.clientWidth, height: box.clientHeight,
    lines: [...box.querySelectorAll(".scatterlayer path")].filter((path) => path.getBBox().width > 1).length,
    text: box.querySelector("text")?.style.fill,
  }));
  const entries = performance.getEntriesByType("resource").map((entry) => entry.name);
  const found = { complaints, charts, title: document.title,
    width: document.documentElement.scrollWidth, window: innerWidth,
    trouble: !document.getElementById("trouble").hidden,
    rows: document.querySelectorAll("#forecast-table tbody tr").length,
    loaded: entries.filter((name) => !name.startsWith("data:")) };
  parent.postMessage(JSON.stringify(found), "*");
}, 500));
</script>"""


# A window cannot be narrower than 500 pixels, a frame can.
FRAME = """<!doctype html><html><body><script>
addEventListener("message", (event) => { document.documentElement.dataset.found = event.data; });
</script><iframe src="probed.html" width="WIDTH" height="844"></iframe></body></html>"""


def opened(path: Path, *flags: str, width: int = 1280, actions: str = "") -> dict[str, Any]:
    """What the probe found in the page."""
    head = '<head>\n<meta charset="utf-8">'
    text = path.read_text("utf-8")
    assert head in text
    probed = text.replace(head, head + PROBE.replace("ACTIONS", actions), 1)
    path.with_name("probed.html").write_text(probed, "utf-8")
    frame = path.with_name("frame.html")
    frame.write_text(FRAME.replace("WIDTH", str(width)), "utf-8")
    done = visit(frame, *flags, "--window-size=1400,1000", "--dump-dom")
    found = re.search(r'data-found="([^"]*)"', done.stdout)
    assert found is not None, done.stderr[-2000:]
    return dict(json.loads(unescape(found[1])))


def full(folder: Path, panel: Panel) -> Path:
    """A report with everything in it."""
    return write_report(
        folder / "report.html",
        panel=panel,
        forecast=forecast_of(panel),
        backtest=backtest_of(panel),
        training=HISTORY,
        run={"seed": 1},
    )


def check(found: dict[str, Any], charts: list[str]) -> None:
    assert found["complaints"] == []
    assert found["loaded"] == []
    assert not found["trouble"]
    assert [chart["id"] for chart in found["charts"]] == charts
    for chart in found["charts"]:
        assert chart["width"] > 200, chart
        assert chart["height"] > 150, chart
        assert chart["lines"] >= 2, chart


def test_all_charts_are_drawn(panel: Panel, tmp_path: Path) -> None:
    found = opened(full(tmp_path, panel))
    check(found, ["fan", "origins", "steps", "calibration", "training"])
    assert found["rows"] == 7
    assert "history and forecast" in found["charts"][0]["label"]


def test_a_phone_shows_them_without_scrolling_sideways(panel: Panel, tmp_path: Path) -> None:
    found = opened(full(tmp_path, panel), width=390)
    check(found, ["fan", "origins", "steps", "calibration", "training"])
    assert found["window"] == 390
    assert found["width"] <= 390


def test_dark_mode_restyles_the_charts(panel: Panel, tmp_path: Path) -> None:
    path = full(tmp_path, panel)
    light = opened(path, LIGHT)
    dark = opened(path, DARK)
    check(dark, ["fan", "origins", "steps", "calibration", "training"])
    assert light["charts"][0]["text"] == "rgb(91, 96, 107)"
    assert dark["charts"][0]["text"] == "rgb(162, 168, 181)"


def test_without_backtest_and_training_there_is_the_fan(panel: Panel, tmp_path: Path) -> None:
    path = write_report(tmp_path / "report.html", panel=panel, forecast=forecast_of(panel, levels=()))
    check(opened(path), ["fan"])


def test_an_integer_index_with_two_targets(tmp_path: Path) -> None:
    panel = Panel.from_arrays([np.random.default_rng(0).normal(size=(80, 2))], ids=["pair"]).with_schema(time=("row",))
    actions = (
        "const target = document.getElementById('target'); target.value = 1; target.dispatchEvent(new Event('change'));"
    )
    found = opened(full(tmp_path, panel), actions=actions)
    check(found, ["fan", "origins", "steps", "calibration", "training"])
    assert "y1" in found["charts"][0]["label"]


def test_the_picker_and_the_legend_change_the_charts(tmp_path: Path) -> None:
    panel = daily(3).with_schema(tz="Europe/Berlin")
    actions = """
      document.getElementById("series-next").click();
      [...document.querySelectorAll("#origins-legend button")].find((b) => b.textContent === "Naive").click();"""
    path = full(tmp_path, panel)
    before, after = opened(path), opened(path, actions=actions)
    check(after, ["fan", "origins", "steps", "calibration", "training"])
    assert before["charts"][0]["label"] != after["charts"][0]["label"]
    assert "Naive" in before["charts"][2]["label"].split(", ")
    assert "Naive" not in after["charts"][2]["label"].split(", ")


def test_printing_redraws_in_light_colours(panel: Panel, tmp_path: Path) -> None:
    actions = "dispatchEvent(new Event('beforeprint'));"
    found = opened(full(tmp_path, panel), DARK, actions=actions)
    check(found, ["fan", "origins", "steps", "calibration", "training"])
    assert found["charts"][0]["text"] == "rgb(91, 96, 107)"


def test_markup_in_a_name_is_not_executed(tmp_path: Path) -> None:
    evil = "</script><img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"
    panel = daily(2, ids=[evil, "<b>b</b>"], source=evil).with_schema(target=(evil,), time=(evil,))
    path = write_report(
        tmp_path / "report.html",
        panel=panel,
        forecast=forecast_of(panel),
        backtest=backtest_of(panel),
        run={evil: evil},
    )
    found = opened(path)
    check(found, ["fan", "origins", "steps", "calibration"])
    assert found["title"].endswith("the next 7 days")
    assert "broken" in found["title"]  # as text
