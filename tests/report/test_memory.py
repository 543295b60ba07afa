"""The page about the experiments of 1997."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures.chromium import CHROMIUM, DARK
from report.test_browser import opened

from gatecast.lab import Outcome
from gatecast.lab.rivals import Rival
from gatecast.report import write_memory
from gatecast.report.memory import verdict

CURVE = [(100, 0.5), (200, 0.1), (300, 0.01)]
RIVALS = [Rival("Elman RNN", 1e-3, [None, None], 500, 2.0), Rival("GRU", 1e-2, [320, None], 500, 3.0)]
OUTCOMES = [
    Outcome("6a", [1, 2, 3], [20_000, 25_000, 31_000], 125_560, [0, 1, 0], CURVE, 61.0, RIVALS),
    Outcome("2a", [1, 2, 3], [5_000, None, None], 50_400, [None, None, None], CURVE, 30.0),
]


def test_the_page_has_the_figures(tmp_path: Path) -> None:
    head = write_memory(tmp_path / "new" / "m.html", OUTCOMES).read_text("utf-8").partition("<script>")[0]
    for part in (
        "25,000",
        "31,390",
        "20,000 to 31,000",
        "100 %",
        "&gt; 50,400",
        "33 %",
        "10,504",
        "1 of 2, median 320",
    ):
        assert part in head, part
    assert "http://" not in head
    assert verdict(OUTCOMES).startswith("The network of 1997 solves 1 of 2 experiments in every run. In 1 the median")


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no browser found")
@pytest.mark.parametrize(("width", "flags"), [(1280, ()), (390, (DARK,))])
def test_it_is_drawn_at_desk_and_phone_width(tmp_path: Path, width: int, flags: tuple[str, ...]) -> None:
    found = opened(write_memory(tmp_path / "m.html", OUTCOMES), *flags, width=width)
    assert (found["complaints"], found["loaded"], found["trouble"]) == ([], [], False)
    assert [chart["id"] for chart in found["charts"]] == ["success", "curves"]
    assert all(chart["width"] > 150 and chart["height"] > 150 for chart in found["charts"])
    assert found["width"] <= width
