"""Cases of an epidemic: as they were reported, and repaired as daily counts."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gatecast.base.errors import DataError, SettingError
from gatecast.base.findings import Arg
from gatecast.base.text import shorten
from gatecast.data.panel import Panel
from gatecast.epidemic.counts import cumulative_series, daily_counts, total_counted

# names of case columns: counts per day are preferred to totals
_CASES = (r"new.*(case|confirm|positive)|(case|confirm).*(new|daily)", r"confirm|case|positive|infect")
_DEATHS = r"death|deceas|died|fatal|mortal"

Population = float | Mapping[str, float] | str


@dataclass(frozen=True, eq=False)
class Cases:
    """Reported and repaired counts of the same rows.

    Args:
        reported: as they were read.
        daily: new cases per day, repaired with all that was reported up to the origin.
        cumulative: whether the reported column is cumulative; the names of the series that are, where they differ.
    """

    reported: Panel
    daily: Panel
    cumulative: bool | frozenset[str]

    @classmethod
    def of(cls, reported: Panel, cumulative: bool | str = "auto") -> Cases:
        """Repair the counts of a panel; ``cumulative`` as in :func:`gatecast.epidemic.daily_counts`."""
        sums = cumulative_series(reported, cumulative)
        alike = bool(sums.all()) if len(set(sums.tolist())) < 2 else frozenset(map(str, reported.ids[sums]))
        return cls(reported, daily_counts(reported, cumulative=cumulative), alike)

    @property
    def before(self) -> list[float]:
        """Cases of each series before its first row, which the differences of a cumulative column do not include."""
        sums = cumulative_series(self.reported, self.cumulative)
        return [
            max(total_counted(self.reported.series(row)[:, 0]) - float(np.nansum(self.daily.series(row))), 0.0)
            if sums[row]
            else 0.0
            for row in range(len(self.daily))
        ]


def read_cases(
    source: Any, population: Population | None = None, *, cumulative: bool | str = "auto", **reading: Any
) -> Cases:
    """Read cases; the column is found by its name where ``target`` does not give it.

    Args:
        source: file or frame (see :func:`gatecast.read_panel`).
        population: the name of a column of ``source`` is read as a static column; anything else is not used.
        cumulative: True, False or ``"auto"``, as in :func:`gatecast.epidemic.daily_counts`.
        **reading: further arguments of :func:`gatecast.read_panel`.

    Raises:
        DataError: for deaths without ``target``, or several columns.
        SettingError: the population is no column of the file.

    Example:
        >>> import io
        >>> from gatecast.epidemic import read_cases
        >>> file = io.StringIO("date,confirmed,deaths\\n2020-03-01,5,0\\n2020-03-02,9,0\\n2020-03-03,7,1\\n")
        >>> read_cases(file, target="confirmed").daily.target_names
        ('confirmed',)
    """
    names = _columns(source, reading)
    roles = {} if reading.get("target") else _case_column(names)
    if isinstance(population, str):
        if names and population not in names:
            raise SettingError(
                Arg("population", population) + f" is neither a number of persons nor a column of {_name(source)}",
                f"the columns are {shorten(names, 20)}",
            )
        static = reading.get("static", ())
        given = (static,) if isinstance(static, str) else static
        reading["static"] = [population, *(name for name in given if name != population)]
    from gatecast.data import read_panel

    panel = read_panel(source, **{**roles, **reading})
    column = panel.target_names[0]
    if not reading.get("target") and re.search(_DEATHS, column, re.IGNORECASE):
        raise DataError(
            f"{column} counts deaths, and the equations are fitted to new cases",
            "give a file with cases, or take the deaths for cases with " + Arg("target", column),
            place=panel.source,
        )
    if panel.targets > 1:
        raise DataError(
            f"one column of cases is expected, got {', '.join(panel.target_names)}",
            "name it, e.g. " + Arg("target", column),
            place=panel.source,
        )
    return Cases.of(panel, cumulative)


def _case_column(names: list[str]) -> dict[str, Any]:
    """The target, where exactly one column is named like cases."""
    cases = [name for name in names if not re.search(_DEATHS, name, re.IGNORECASE)]
    for pattern in _CASES:
        found = [name for name in cases if re.search(pattern, name, re.IGNORECASE)]
        if len(found) == 1:
            return {"target": found}
    return {}


def _columns(source: Any, reading: Mapping[str, Any]) -> list[str]:
    """Column names of a frame or text file; empty where only reading it shows them."""
    if hasattr(source, "read") and hasattr(source, "seek"):
        text = source.read()
        source.seek(0)
        head = (text if isinstance(text, str) else text.decode("utf-8-sig", "replace")).partition("\n")[0]
        return _header(io.StringIO(head + "\n"), reading)
    if not isinstance(source, str | Path):
        return [str(name) for name in getattr(source, "columns", ())]
    from gatecast.base.files import require_file

    file = Path(source)
    require_file(file)  # before pandas is loaded
    if ".parquet" in file.suffixes or reading.get("header") is not None:
        return []
    return _header(file, reading)


def _header(file: Any, reading: Mapping[str, Any]) -> list[str]:
    import pandas as pd

    try:
        head = pd.read_csv(file, nrows=0, sep=reading.get("delimiter"), engine="python")
    except (ValueError, OSError, UnicodeError):
        return []  # read_panel reports the problem
    return [str(name) for name in head.columns]


def _name(source: Any) -> str:
    return Path(source).name if isinstance(source, str | Path) else "the frame"
