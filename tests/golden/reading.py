"""Small inputs of every shape: the values read and the repairs made."""

from __future__ import annotations

import io
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from golden.panels import summary, with_future

from gatecast import Panel, read_panel

INPUTS = tomllib.loads(Path(__file__).with_name("inputs.toml").read_text("utf-8"))
DAYS, VALUES = pd.date_range("2024-01-01", periods=4), [1.0, 2.0, np.nan, 4.0]
FRAME = pd.DataFrame({"ds": DAYS, "y": VALUES})
HOURS = pd.date_range("2024-03-31", periods=4, freq="h", tz="Europe/Berlin")
LEVELS = pd.MultiIndex.from_product([["b", "a"], DAYS], names=["shop", "day"])

OBJECTS: dict[str, Callable[[], Panel]] = {
    "frame": lambda: read_panel(FRAME),
    "frame, index of dates": lambda: read_panel(FRAME.set_index("ds")),
    "frame, unnamed index": lambda: read_panel(pd.DataFrame({"y": VALUES}, index=DAYS)),
    "frame, periods": lambda: read_panel(pd.DataFrame({"y": VALUES}, index=DAYS.to_period("D"))),
    "frame, objects": lambda: read_panel(FRAME.astype(object)),
    "frame, two levels": lambda: read_panel(pd.DataFrame({"sales": range(8)}, index=LEVELS)),
    "frame, categories": lambda: read_panel(
        pd.DataFrame({"sales": range(8)}, index=LEVELS).reset_index().astype({"shop": "category"})
    ),
    "frame, hours in a zone": lambda: read_panel(pd.DataFrame({"ds": HOURS, "y": range(4)})),
    "frame, days in a zone": lambda: read_panel(
        pd.DataFrame({"ds": pd.date_range("2024-03-29", periods=5, tz="Europe/Berlin"), "y": range(5)})
    ),
    "series": lambda: read_panel(pd.Series(VALUES, index=DAYS, name="y")),
    "open text": lambda: read_panel(io.StringIO(FRAME.to_csv(index=False))),
    "open bytes": lambda: read_panel(io.BytesIO(FRAME.to_csv(index=False).encode())),
    "dict of columns": lambda: read_panel({"ds": DAYS.to_numpy(), "y": VALUES}),
    "dict of series": lambda: read_panel({"a": np.arange(5.0), "b": np.arange(3.0)}),
    "list of series": lambda: read_panel([np.arange(5.0), np.arange(3.0)]),
    "array": lambda: read_panel(np.arange(5.0)),
    "array, series by time": lambda: read_panel(np.arange(12.0).reshape(3, 4)),
    "array, targets": lambda: read_panel(np.zeros((2, 5, 3)) + np.arange(5)[:, None]),
    "array, wide": lambda: read_panel(np.array([[1.0, 5.0], [2.0, 6.0], [3.0, 7.0]]), layout="wide"),
    "array, from a start": lambda: read_panel(np.arange(5.0), freq="h", start="2024-01-01T06"),
    "array, month ends": lambda: read_panel(np.arange(24.0), freq="ME", start="2024-02-29"),
    "array, a code": lambda: read_panel(np.array([1.0, -9999.0, 3.0, 4.0]), missing=-9999),
    "array, doubles": lambda: read_panel({"ds": DAYS, "y": 1e9 + np.arange(4.0)}),
    "cut": lambda: shops().cut(2),
    "frame of a panel": lambda: read_panel(shops().to_frame(), **ROLES),
    "future": lambda: with_future(shops(), shops().future_frame(2).assign(holiday=[1.0, 2.0, 3.0, 4.0])),
    "future of a cut panel": lambda: with_future(shops().cut(1), shops().cut(1).future_frame(2).assign(holiday=7.0)),
    "future in a zone": lambda: with_future(shops("Europe/Berlin"), shops("Europe/Berlin").future_frame(1).fillna(1.0)),
}
ROLES: dict[str, Any] = {"id": "shop", "target": "y", "known": "holiday", "past": "temp", "category": "kind"}


def shops(tz: str | None = None) -> Panel:
    """Two shops of unequal lengths with every kind of covariate."""
    times = pd.date_range("2024-01-01", periods=5, freq="h", tz=tz)
    frame = pd.DataFrame({"time": [*times, *times[2:]], "shop": ["a"] * 5 + ["b"] * 3, "y": np.arange(8.0)})
    kinds = frame["shop"].map({"a": "x", "b": "z"})
    return read_panel(frame.assign(holiday=frame["y"] % 2, temp=frame["y"] + 10, kind=kinds), **ROLES)


def read(entry: dict[str, Any]) -> Panel:
    """An entry of ``inputs.toml`` as a file, read."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "data.csv"
        file.write_bytes(entry["text"].encode(entry.get("encoding", "utf-8")))
        return read_panel(file, **entry.get("options", {}))


def build() -> dict[str, Any]:
    """The summary of each input."""
    files = {name: summary(read(entry)) for name, entry in INPUTS["reading"].items()}
    return files | {name: summary(make()) for name, make in OBJECTS.items()}
