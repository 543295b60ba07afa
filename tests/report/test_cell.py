"""The page about the inside of an LSTM."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from fixtures.chromium import CHROMIUM, DARK
from report.test_browser import opened

from gatecast.data import datasets
from gatecast.data.panel import Panel
from gatecast.lab import Inside, InsideConfig, look_inside
from gatecast.report import write_cell


@pytest.fixture(scope="module")
def inside() -> Inside:
    return look_inside(InsideConfig(steps=20, hidden_size=4).forecaster().fit(datasets.load("air_passengers")))


def test_the_page_has_the_numbers(inside: Inside, tmp_path: Path) -> None:
    text = write_cell(tmp_path / "new" / "cell.html", inside).read_text("utf-8")
    data = json.loads(re.search(r'id="report-data">(.*?)</script>', text, re.DOTALL)[1])  # type: ignore[index]
    top = data["units"][0]
    np.testing.assert_allclose(data["parts"]["f"][0], inside.seen["f"][0, :, 0, top], atol=1e-5)
    assert len(data["influence"]["Passengers"][0]) == len(data["value"]) == 36
    assert len(data["forecast"]) == 12
    assert "http://" not in text.partition("<script>")[0]


ACTIONS = """
  document.getElementById("step-before").click();
  dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft" }));
  document.getElementById("unit").value = 2; document.getElementById("unit").dispatchEvent(new Event("change"));
  document.title = [document.getElementById("step").value, document.querySelectorAll("#four li").length,
    document.querySelector("#four code").textContent,
    document.querySelector("#valve-f .blade").getAttribute("transform"),
    document.getElementById("step-words").textContent].join(" | ");"""


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no browser found")
@pytest.mark.parametrize(("width", "flags"), [(1280, ()), (390, (DARK,))])
def test_it_moves_at_desk_and_phone_width(inside: Inside, tmp_path: Path, width: int, flags: tuple[str, ...]) -> None:
    found = opened(write_cell(tmp_path / "cell.html", inside), *flags, width=width, actions=ACTIONS)
    assert (found["complaints"], found["loaded"], found["trouble"]) == ([], [], False)
    assert [chart["id"] for chart in found["charts"]] == ["maps", "influence"]
    assert all(chart["width"] > 200 and chart["height"] > 150 for chart in found["charts"])
    assert found["width"] <= width
    step, count, first, turned, words = found["title"].split(" | ")
    unit = inside.unit_order()[2]
    gate = float(inside.seen["f"][0, 33, 0, unit])
    assert (step, count, words) == ("33", "4", "1960-10: 461")
    assert first.endswith(f"= {gate:.2f}")
    assert float(turned[7:-1]) == pytest.approx(90 * (1 - gate), abs=0.01)


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no browser found")
def test_names_are_text_and_missing_values_are_gaps(tmp_path: Path) -> None:
    evil = "</script><script>document.title='broken'</script><b>y"
    values = np.sin(np.arange(60) / 3)
    values[55] = np.nan
    panel = Panel.from_arrays([values]).with_schema(target=(evil,), time=("row",))
    fitted = InsideConfig(horizon=1, context=12, hidden_size=2, steps=3).forecaster().fit(panel)
    found = opened(write_cell(tmp_path / "cell.html", look_inside(fitted)))
    assert (found["complaints"], found["loaded"], found["trouble"]) == ([], [], False)
    assert found["title"].endswith(evil)
