"""The panel: views, origins, times."""

from __future__ import annotations

import numpy as np
import pytest
from fixtures.cases import panel_of

from gatecast.data.frequency import Frequency
from gatecast.data.panel import Panel


def months() -> Panel:
    starts = np.array(["2023-11-01", "2024-01-01"], "datetime64[ns]")
    return panel_of([1, 2, 3, 4, 5], [10, 20, 30], freq="MS", starts=starts, ids=["a", "b"])


def test_sizes() -> None:
    panel = months()
    assert len(panel) == 2
    assert panel.lengths.tolist() == [5, 3]
    assert panel.targets == 1
    assert panel.clock.tolist() == [0, 2]
    assert repr(panel) == "Panel(2 series, 8 rows, freq MS, target y, 0 repairs)"


def test_series_are_views() -> None:
    panel = months()
    assert panel.series(1)[:, 0].tolist() == [10, 20, 30]
    assert np.shares_memory(panel.series(1), panel.target)
    assert np.shares_memory(panel.cut(1).target, panel.target)
    assert [name for name, _ in panel] == ["a", "b"]


def test_cut_moves_the_origin_and_hides_the_targets() -> None:
    panel = months().cut(2)
    assert panel.series(0)[:, 0].tolist() == [1, 2, 3]
    assert panel.cutoffs.astype("datetime64[D]").astype(str).tolist() == ["2024-01-01", "2024-01-01"]
    assert panel.future_times(2).astype("datetime64[D]").astype(str).tolist() == [["2024-02-01", "2024-03-01"]] * 2
    assert panel.actual(3)[..., 0].tolist()[0][:2] == [4, 5]
    assert np.isnan(panel.actual(3)[0, 2, 0])


def test_cut_leaves_out_series_that_would_be_empty() -> None:
    panel = months().cut(3)
    assert panel.ids.tolist() == ["a"]
    assert panel.series(0)[:, 0].tolist() == [1, 2]


def test_select_and_take() -> None:
    panel = months().select(["b"])
    assert panel.ids.tolist() == ["b"]
    assert panel.series(0)[:, 0].tolist() == [10, 20, 30]
    with pytest.raises(KeyError, match="no series named 'c'; the panel has 2 series: a, b"):
        months().select(["c"])


def test_several_targets_have_names() -> None:
    panel = panel_of(np.zeros((4, 3)))
    assert (panel.targets, panel.target_names) == (3, ("y0", "y1", "y2"))


@pytest.mark.parametrize(
    ("alias", "rows", "season"),
    [("MS", 24, 12), ("MS", 23, 1), ("h", 100, 24), ("D", 100, 7), ("D", 13, 1), ("15min", 200, 96), ("", 50, 1)],
)
def test_season_is_the_shortest_that_is_held_twice(alias: str, rows: int, season: int) -> None:
    assert panel_of(np.zeros(rows), freq=alias).season == season


def test_named_seasons_of_data_without_dates() -> None:
    assert Panel.from_arrays([np.zeros(30)], freq=Frequency("", seasons=(6, 30))).season == 6


@pytest.mark.parametrize(
    ("alias", "start", "expected"),
    [
        ("h", "2024-02-28T23:00", ["2024-02-29T00:00", "2024-02-29T01:00"]),
        ("15min", "2024-01-01T00:00", ["2024-01-01T00:15", "2024-01-01T00:30"]),
        ("W-SUN", "2024-01-07T00:00", ["2024-01-14T00:00", "2024-01-21T00:00"]),
        ("MS", "2023-12-01T00:00", ["2024-01-01T00:00", "2024-02-01T00:00"]),
        ("QS", "2023-10-01T00:00", ["2024-01-01T00:00", "2024-04-01T00:00"]),
        ("ME", "2024-01-31T00:00", ["2024-02-29T00:00", "2024-03-31T00:00"]),
        ("B", "2024-01-05T00:00", ["2024-01-08T00:00", "2024-01-09T00:00"]),
    ],
)
def test_times_and_back(alias: str, start: str, expected: list[str]) -> None:
    freq, moment = Frequency(alias), np.datetime64(start, "ns")
    times = freq.times(moment, 1, 2)
    assert times.astype("datetime64[m]").astype(str).tolist() == expected
    assert freq.position(moment, times).tolist() == [1, 2]


def test_integer_times() -> None:
    freq = Frequency("", step=5)
    assert freq.times(np.int64(100), 0, 3).tolist() == [100, 105, 110]
    assert freq.position(np.int64(100), np.array([100, 110])).tolist() == [0, 2]
