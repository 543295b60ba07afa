"""Small real data sets that come with the package; nothing is downloaded.

Sources and licences are in ``bundled/LICENSES.md`` beside the files, and in each entry's ``citation``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from gatecast.base.errors import SettingError
from gatecast.base.text import nearest
from gatecast.data.panel import Panel
from gatecast.data.read import read_panel

_FOLDER = Path(__file__).parent / "bundled"
_STATES = {
    "AN": "Andaman and Nicobar Islands", "AP": "Andhra Pradesh", "AR": "Arunachal Pradesh", "AS": "Assam",
    "BR": "Bihar",
    "CH": "Chandigarh", "CT": "Chhattisgarh", "DN": "Dadra and Nagar Haveli and Daman and Diu", "DD": "Daman and Diu",
    "DL": "Delhi", "GA": "Goa", "GJ": "Gujarat", "HR": "Haryana", "HP": "Himachal Pradesh", "JK": "Jammu and Kashmir",
    "JH": "Jharkhand", "KA": "Karnataka", "KL": "Kerala", "LA": "Ladakh", "LD": "Lakshadweep", "MP": "Madhya Pradesh",
    "MH": "Maharashtra", "MN": "Manipur", "ML": "Meghalaya", "MZ": "Mizoram", "NL": "Nagaland", "OR": "Odisha",
    "PY": "Puducherry", "PB": "Punjab", "RJ": "Rajasthan", "SK": "Sikkim", "TN": "Tamil Nadu", "TG": "Telangana",
    "TR": "Tripura", "UP": "Uttar Pradesh", "UT": "Uttarakhand", "WB": "West Bengal", "UN": "State unassigned",
}  # fmt: skip


@dataclass(frozen=True)
class Dataset:
    """One bundled data set.

    Args:
        name: by which :func:`load` knows it.
        title: what it holds, with unit and range.
        file: in the folder ``bundled``.
        licence: of the data.
        citation: whom to name.
    """

    name: str
    title: str
    file: str
    licence: str
    citation: str
    read: Callable[..., Panel]


def _air_passengers(path: Path, **options: Any) -> Panel:
    return read_panel(path, **{"time": "Month", "target": "Passengers", **options})


def _covid_india(path: Path, **options: Any) -> Panel:
    frame = _confirmed(path)[["Date_YMD", "TT"]].rename(columns={"Date_YMD": "date", "TT": "confirmed"})
    return read_panel(frame, **{"time": "date", "target": "confirmed", **options})


def _covid_india_states(path: Path, **options: Any) -> Panel:
    """One series a state; DD was merged into DN in 2020, UN holds cases without a state."""
    frame = _confirmed(path).drop(columns=["Date", "Status", "TT"]).rename(columns={"Date_YMD": "date", **_STATES})
    long = frame.melt("date", var_name="state", value_name="confirmed")
    return read_panel(long, **{"time": "date", "id": "state", "target": "confirmed", **options})


def _cumulative(path: Path, **options: Any) -> Panel:
    return read_panel(path, **{"time": "date", "target": "confirmed", **options})


def _confirmed(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path)
    return frame[frame["Status"] == "Confirmed"].reset_index(drop=True)


_COVID = ("CC BY 4.0", "covid19india.org, state-wise daily table (crowd-sourced)")
_JHU = (
    "CC BY 4.0",
    "COVID-19 Data Repository by the Center for Systems Science and Engineering (CSSE) at Johns Hopkins University; "
    "Dong, Du & Gardner 2020, doi:10.1016/S1473-3099(20)30120-1",
)
_BOX = "Box, Jenkins, Reinsel: Time Series Analysis, Forecasting and Control, 1976, series G"
_ENTRIES = (
    Dataset(
        "covid_india",
        "New COVID-19 cases a day in India (persons), 2020-03-14 to 2021-08-21",
        "covid_india_daily.csv.gz",
        *_COVID,
        _covid_india,
    ),
    Dataset(
        "covid_india_states",
        "New COVID-19 cases a day in 38 states and territories of India (persons), 2020-03-14 to 2021-08-21",
        "covid_india_daily.csv.gz",
        *_COVID,
        _covid_india_states,
    ),
    Dataset(
        "covid_china",
        "Cumulative COVID-19 cases in China (persons), 2020-01-22 to 2020-06-30, as published in July 2020",
        "covid_china.csv",
        *_JHU,
        _cumulative,
    ),
    Dataset(
        "covid_canada",
        "Cumulative COVID-19 cases in Canada (persons), 2020-01-22 to 2022-04-30",
        "covid_canada.csv.gz",
        *_JHU,
        _cumulative,
    ),
    Dataset(
        "air_passengers",
        "International airline passengers a month (thousands), 1949-01 to 1960-12",
        "air_passengers.csv",
        "none stated; published figures, used with citation",
        _BOX,
        _air_passengers,
    ),
)
_BY_NAME = {entry.name: entry for entry in _ENTRIES}


def load(name: str, **options: Any) -> Panel:
    """A bundled data set as a panel; ``options`` go to :func:`gatecast.read_panel`.

    Example:
        >>> from gatecast import datasets
        >>> datasets.load("air_passengers")
        Panel(1 series, 144 rows, freq MS, target Passengers, 0 repairs)
    """
    entry = info(name)
    return replace(entry.read(path(name), **options), source=name)


def path(name: str) -> Path:
    """The file of a bundled data set."""
    return _FOLDER / info(name).file


def info(name: str) -> Dataset:
    """Title, licence and citation of a bundled data set. Raises SettingError with the nearest known name."""
    if name not in _BY_NAME:
        near = nearest(name, _BY_NAME, cutoff=0.4)
        remedy = f"expected one of {', '.join(_BY_NAME)}" + (f"; did you mean {near!r}?" if near else "")
        raise SettingError(f"there is no data set {name!r}", remedy)
    return _BY_NAME[name]


def list() -> tuple[str, ...]:
    """Names of the bundled data sets."""
    return tuple(_BY_NAME)


__all__ = ["Dataset", "info", "list", "load", "path"]
