"""A model and a panel know the columns that they were read from, whatever the columns are called.

Names that hold a separator, and several columns that belong together, are lost where columns are joined to one text.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from gatecast import add_future, read_panel

Run = Callable[..., tuple[int, str, str]]
QUICK = ["--windows", 0, "--fit.steps", 2, "--net.hidden-size", 4, "--horizon", 2]
DAYS = pd.date_range("2024-01-01", periods=40).strftime("%Y-%m-%d")


def series(days: pd.Index, **columns: Any) -> pd.DataFrame:
    """One series: a wave, and columns of one value."""
    return pd.DataFrame({"date": days, "y": [10.0 + k % 7 for k in range(len(days))], **columns})


def forecast_and_predict(run: Run, frame: pd.DataFrame, *options: object) -> None:
    """A model reads the file that it was made from."""
    frame.to_csv("data.csv", index=False)
    code, _, err = run("forecast", "data.csv", *QUICK, "--target", "y", *options)
    assert (code, err) == (0, "")
    code, _, err = run("predict", "gatecast-out/model.gatecast", "data.csv", "--out", "again")
    assert (code, err) == (0, "")
    first, again = (pd.read_csv(Path(folder) / "forecast.csv") for folder in ("gatecast-out", "again"))
    pd.testing.assert_frame_equal(first, again)


def test_predict_knows_an_id_column_with_a_slash(run: Run) -> None:
    parts = [series(DAYS).assign(**{"Country/Region": name}) for name in ("Chad", "Peru")]
    forecast_and_predict(run, pd.concat(parts), "--id", "Country/Region")


def test_predict_knows_a_time_column_with_a_plus(run: Run) -> None:
    forecast_and_predict(run, series(DAYS).rename(columns={"date": "date + time"}), "--time", "date + time")


def test_a_future_file_has_two_id_columns(run: Run) -> None:
    frame = pd.concat([series(DAYS, store=store, item=item, price=1.5) for store in "ab" for item in "xy"])
    ahead = frame["date"].isin(DAYS[-2:])
    frame[~ahead].to_csv("past.csv", index=False)
    frame[ahead].drop(columns="y").to_csv("future.csv", index=False)
    roles = ["--id", "store,item", "--target", "y", "--known", "price"]
    code, _, err = run("forecast", "past.csv", *QUICK, *roles, "--future", "future.csv")
    assert (code, err) == (0, "")
    assert len(pd.read_csv("gatecast-out/forecast.csv")) == 4 * 2


def test_a_future_frame_has_date_and_clock_apart() -> None:
    hours = pd.date_range("2024-01-01", periods=30, freq="h")
    frame = pd.DataFrame({"date": hours.strftime("%Y-%m-%d"), "clock": hours.strftime("%H:%M")})
    frame = frame.assign(y=[float(k) for k in range(30)], price=[k + 0.5 for k in range(30)])
    panel = read_panel(frame[:28], time=["date", "clock"], target="y", known="price")
    extended = add_future(panel, frame[28:].drop(columns="y"))
    assert extended.known[-2:, 0].tolist() == [28.5, 29.5]
    assert (extended.stop - extended.end).tolist() == [2]
