"""Weather forecasts as they were known: several issues for an hour, of which an origin sees the newest that existed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from jaxtyping import Float32

from gatecast.base.errors import DataError
from gatecast.base.findings import Arg
from gatecast.base.text import plural, shorten
from gatecast.data.read.columns import Column
from gatecast.data.read.dates import parse_times
from gatecast.data.read.origin import Origin

OLDER = 6  # issues before the newest that may fill its holes
HOUR = np.timedelta64(1, "h")


@dataclass(frozen=True, eq=False)
class Vintages:
    """Forecasts by time of issue and hours ahead.

    Args:
        issued: rising times of issue, ``datetime64[h]``.
        values: ``(issues, leads, variables)``; lead k is k + 1 hours after the issue; NaN where withheld.
        names: of the variables.
    """

    issued: np.ndarray
    values: Float32[np.ndarray, "issues leads variables"]
    names: tuple[str, ...]

    @classmethod
    def read(cls, source: Any, *, issued: str, lead: str, variables: Sequence[str] = (), name: str = "") -> Self:
        """A table with a row for each issue and hour ahead.

        Args:
            source: pandas frame, or path of a CSV file.
            issued: column with the time of issue.
            lead: column with the whole hours ahead, from 1 on.
            variables: columns of the forecast; () for all others.
            name: of the source, for messages.

        Raises:
            DataError: a column is missing, an issue repeats an hour, or leads are not whole hours.

        Example:
            >>> import pandas as pd
            >>> from gatecast.power import Vintages
            >>> rows = {"issued": ["2024-01-01 00:00"] * 2, "lead": [1, 2], "wind": [5.0, 6.0]}
            >>> Vintages.read(pd.DataFrame(rows), issued="issued", lead="lead").values.ravel().tolist()
            [5.0, 6.0]
        """
        place = name or (Path(source).name if isinstance(source, str | Path) else "weather")
        table = source if isinstance(source, pd.DataFrame) else pd.read_csv(source)
        for role, column in (("issued", issued), ("lead", lead), *(("variables", one) for one in variables)):
            if column not in table.columns:
                problem = f"there is no column {column!r}; the columns are {shorten(list(table.columns))}"
                raise DataError(problem, "name one of these with " + Arg(role, "…"), place=place)
        hours = pd.to_numeric(table[lead], errors="coerce")
        odd = np.flatnonzero(~(hours.ge(1) & hours.eq(hours.round())))
        if len(odd):
            shown = f"row {odd[0] + 1}: {table[lead].iloc[odd[0]]}"
            remedy = "give hours ahead of the issue in " + Arg("lead", lead) + ", not minutes or times"
            raise DataError(f"leads must be whole hours from 1 on, got {shown}", remedy, place=place)
        names = tuple(variables) or tuple(str(name) for name in table.columns if name not in (issued, lead))
        read, _ = parse_times(Column(issued, table[issued].astype(str), Origin(place)), None)
        if read.is_integer:
            raise DataError("times of issue are plain numbers", "write them as 2024-01-31 12:00", place=place)
        times = read.values.astype("datetime64[h]")
        return cls(*_cube(times, hours.to_numpy(int), table[list(names)].to_numpy(np.float32), place), names)

    def at(self, origins: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        """What was known at origins about the hours after them.

        Args:
            origins: times; an issue of the same time is known.
            horizon: hours ahead.

        Returns:
            ``(origins, horizon, variables)`` of the newest issue of each hour, NaN where no issue holds it, and the age
            of the newest issue in hours.
        """
        moments = np.asarray(origins).astype("datetime64[h]")
        newest = np.searchsorted(self.issued, moments, side="right") - 1
        found = np.full((len(moments), horizon, len(self.names)), np.nan, np.float32)
        for back in range(OLDER + 1):
            issue = newest - back
            age = ((moments - self.issued[np.maximum(issue, 0)]) / HOUR).astype(int)
            leads = age[:, None] + np.arange(horizon)
            inside = (issue[:, None] >= 0) & (leads < self.values.shape[1])
            values = self.values[np.maximum(issue, 0)[:, None], leads.clip(0, self.values.shape[1] - 1)]
            found = np.where(np.isnan(found) & inside[..., None], values, found)
        first = ((moments - self.issued[np.maximum(newest, 0)]) / HOUR).astype(np.float32)
        return found, np.where(newest >= 0, first, np.float32(np.nan))


def _cube(times: np.ndarray, leads: np.ndarray, rows: np.ndarray, place: str) -> tuple[np.ndarray, np.ndarray]:
    issued, which = np.unique(times, return_inverse=True)
    pairs = which * (leads.max() + 1) + leads
    repeated = len(pairs) - len(np.unique(pairs))
    if repeated:
        raise DataError(f"{plural(repeated, 'row')} repeat an issue and lead", "keep one of them", place=place)
    values = np.full((len(issued), leads.max(), rows.shape[1]), np.nan, np.float32)
    values[which, leads - 1] = rows
    return issued, values
