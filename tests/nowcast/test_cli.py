"""``gatecast nowcast``: fields in, map and scores out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from nowcast.events import blobs

pytest.importorskip("h5netcdf", reason="h5netcdf is not installed: pip install gatecast[rain]")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def fields(tmp_path: Path) -> str:
    grid = blobs(steps=14, velocity=(3.0, -2.0), size=64)
    arrays = {"rain_mm_h": grid.values, "time_utc": grid.times.astype(str), "pixel_km": 2.0}
    np.savez(tmp_path / "radar.npz", **arrays)
    return "radar.npz"


def test_fields_become_a_map(run: Run, fields: str, tmp_path: Path) -> None:
    code, out, err = run("nowcast", fields, "--horizon", "1h", "--out", "n")
    assert (code, err) == (0, "")
    for words in (
        "14 fields of 64 × 64 pixels of 2 km",
        "0.5 mm/h 30 min",
        "Extrapolation",
        "6 fields to 2024-06-01 15:10",
    ):
        assert words in out
    assert sorted(one.name for one in (tmp_path / "n").iterdir()) == [
        "nowcast.nc",
        "report.html",
        "run.json",
        "scores.csv",
    ]
    page = (tmp_path / "n" / "report.html").read_text()
    for words in (
        "Rain: the next 60 minutes",
        "P(rain \\u003e 0.5 mm/h)",
        "data:image/png;base64,",
        "Beside what fell",
    ):
        assert words in page
    assert "http://" not in page.split("plotly.js v")[0]
    xarray = pytest.importorskip("xarray")
    with xarray.open_dataset(tmp_path / "n" / "nowcast.nc", engine="h5netcdf") as found:
        assert found["probability"].shape == (6, 8, 64, 64)
        assert str(found["time"].values[-1])[:16] == "2024-06-01T15:10"


def test_it_learns_from_other_events(run: Run, fields: str, tmp_path: Path) -> None:
    code, out, _ = run("nowcast", fields, "--train", fields, "--steps", 2, "--every", 0, "--out", "n", "--json")
    assert code == 0
    assert json.loads(out)["learned_from"] == ["radar.npz"]
    again = run("nowcast", fields, "--model", "n/model.gatecast", "--every", 0, "--out", "m", "--json")
    assert json.loads(again[1])["area_0.5_mm_h"] == json.loads(out)["area_0.5_mm_h"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--horizon", "soon"], "--horizon must be a time up to 24 h, got 'soon'; write it as 90min or 2h"),
        (["--steps", 5], "--steps applies to a training only; name events to learn from: --train FILE"),
        (["--model", "none.gatecast"], "none.gatecast: no such file"),
        (["--model", "radar.npz", "--train", "radar.npz"], "--model and --train were both given"),
    ],
)
def test_what_cannot_be_meant(run: Run, fields: str, options: list[object], words: str) -> None:
    code, out, err = run("nowcast", fields, *options)
    assert (code, out) == (2, "")
    assert words in err
