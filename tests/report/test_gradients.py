"""The page about gradients by lag."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures.chromium import CHROMIUM, DARK
from report.test_browser import opened

from gatecast.lab import Gradients, GradientsConfig, measure_gradients
from gatecast.report import write_gradients
from gatecast.report.gradients import verdict

CHARTS = ["cells", "bias", "radius", "depth", "runs", "trained", "norms", "clipping"]


@pytest.fixture(scope="module")
def found() -> Gradients:
    return measure_gradients(GradientsConfig(lag=20, hidden=6, batch=2, recall=5, updates=3))


def test_the_page_states_the_numbers(found: Gradients, tmp_path: Path) -> None:
    text = write_gradients(tmp_path / "new" / "g.html", found).read_text("utf-8")
    head = text.partition("<script>")[0]
    assert all(
        f"{curve.factor:.4f}" in head
        for curves in found.groups.values()
        for curve in curves[:2]
        if curve not in found.groups["trained"]
    )
    assert f"{found.groups['cells'][0].norms[-1]:.0e}" in verdict(found)
    assert "http://" not in head


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no browser found")
@pytest.mark.parametrize(("width", "flags"), [(1280, ()), (390, (DARK,))])
def test_it_is_drawn_at_desk_and_phone_width(
    found: Gradients, tmp_path: Path, width: int, flags: tuple[str, ...]
) -> None:
    actions = "document.querySelector('#cells-legend button').click();"
    seen = opened(write_gradients(tmp_path / "g.html", found), *flags, width=width, actions=actions)
    assert (seen["complaints"], seen["loaded"], seen["trouble"]) == ([], [], False)
    assert [chart["id"] for chart in seen["charts"]] == CHARTS
    assert all(chart["width"] > 150 and chart["height"] > 150 for chart in seen["charts"])
    assert seen["charts"][0]["lines"] == len(found.groups["cells"]) - 1  # one is switched off
    assert seen["width"] <= width
