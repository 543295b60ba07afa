"""New data read as the training data was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gatecast import read_panel
from gatecast.data.read import read_new
from gatecast.data.schema import Schema


def test_three_working_days_continue_business_days() -> None:
    days = pd.bdate_range("2024-01-01", periods=40)
    schema = read_panel({"day": days, "y": np.arange(40.0)}).schema
    new = pd.bdate_range("2024-03-05", periods=3)
    assert read_panel({"day": new, "y": [1.0, 2.0, 4.0]}).freq.alias == "D"
    assert read_new({"day": new, "y": [1.0, 2.0, 4.0]}, schema).freq.alias == "B"


def test_another_step_is_still_seen() -> None:
    schema = read_panel({"day": pd.date_range("2024-01-01", periods=40), "y": np.arange(40.0)}).schema
    hours = pd.date_range("2024-03-05", periods=5, freq="h")
    assert read_new({"day": hours, "y": np.arange(5.0)}, schema).freq.alias == "h"
    weeks = pd.date_range("2024-03-05", periods=30, freq="7D")
    assert read_new({"day": weeks, "y": np.arange(30.0)}, schema).freq.alias == "W-TUE"


FORMS = {
    "missing": ({"missing": [-200]}, "day,y\n{a},1\n{b},-200\n{c},3\n", [1.0, np.nan, 3.0]),
    "missing text": ({"missing": "closed"}, "day,y\n{a},1\n{b},closed\n{c},3\n", [1.0, np.nan, 3.0]),
    "decimal": ({"decimal": ","}, "day;y\n{a};1,250\n{b};2,500\n{c};3,125\n", [1.25, 2.5, 3.125]),
    "duplicates": ({"duplicates": "sum"}, "day,y\n{a},1\n{b},2\n{b},5\n{c},3\n", [1.0, 7.0, 3.0]),
    "infinite": ({"infinite": "missing"}, "day,y\n{a},1\n{b},inf\n{c},3\n", [1.0, np.nan, 3.0]),
    "header": ({"header": 2}, "a,b\nday,y\n{a},1\n{b},2\n{c},3\n", [1.0, 2.0, 3.0]),
    "delimiter": ({"delimiter": "~"}, "day~y\n{a}~1\n{b}~2\n{c}~3\n", [1.0, 2.0, 3.0]),
    "encoding": ({"encoding": "cp1250", "target": "šum"}, "day,šum\n{a},1\n{b},2\n{c},3\n", [1.0, 2.0, 3.0]),
    "pattern": ({"date_format": "%Y-%d-%m"}, "day,y\n{a},1\n{b},2\n{c},3\n", [1.0, 2.0, 3.0]),
}


@pytest.mark.parametrize("name", FORMS)
def test_what_was_given_for_training_holds_for_new_data(name: str, tmp_path: Path) -> None:
    given, text, wanted = FORMS[name]
    paths = []
    for k, months in enumerate((("01", "02", "03"), ("04", "05", "06"))):
        order = "2024-01-{}" if name == "pattern" else "2024-{}-01"
        dates = dict(zip("abc", map(order.format, months), strict=True))
        paths.append(tmp_path / f"{k}.csv")
        paths[k].write_text(text.format(**dates), encoding=str(given.get("encoding", "utf-8")))
    old = read_panel(paths[0], **given)
    schema = Schema.from_dict(old.schema.to_dict())
    assert schema == old.schema
    new = read_new(paths[1], schema)
    assert new.series(0)[:, 0].tolist() == pytest.approx(wanted, nan_ok=True)
    assert new.times(0)[0] == np.datetime64("2024-04-01")


def test_the_zone_travels() -> None:
    hours = pd.date_range("2024-01-01", periods=30, freq="h").strftime("%Y-%m-%d %H:%M")
    old = read_panel({"time": hours, "y": np.arange(30.0)}, tz="Europe/Berlin")
    new = read_new({"time": ["2024-07-01 12:00", "2024-07-01 13:00"], "y": [1.0, 2.0]}, old.schema)
    assert (new.tz, new.times(0)[0]) == ("Europe/Berlin", np.datetime64("2024-07-01T10:00"))


def test_what_was_found_is_found_anew(tmp_path: Path) -> None:
    old = read_panel(_written(tmp_path / "a.csv", "day;y\n2024-01-01;1\n2024-01-02;2\n"))
    new = read_new(_written(tmp_path / "b.csv", "# of the shop\nday,y\n2024-01-03,1\n2024-01-04,2\n"), old.schema)
    assert new.series(0)[:, 0].tolist() == [1.0, 2.0]


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path
