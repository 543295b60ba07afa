"""Local clocks: from the time on the wall to UTC, with the hour that autumn repeats and the one that spring skips."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg, Finding
from gatecast.base.text import plural
from gatecast.data.calendar import local_times
from gatecast.data.read.origin import Origin, note

if TYPE_CHECKING:
    from gatecast.data.read.dates import Timestamps

# The zone to propose for (month, local hour) of the hours that came twice.
_PROPOSALS = {
    (10, 2): "Europe/Berlin",
    (10, 1): "Europe/London",
    (10, 3): "Europe/Helsinki",
    (11, 1): "America/New_York",
}
# Hour, first and last day of March on which a Sunday lacks it, and the zone to propose.
_SPRING = (
    (2, 25, 31, "Europe/Berlin"),
    (1, 25, 31, "Europe/London"),
    (3, 25, 31, "Europe/Helsinki"),
    (2, 8, 14, "America/New_York"),
)


def check_zone(tz: str) -> str:
    """The name of a time zone that this machine knows."""
    try:
        return str(ZoneInfo(tz).key)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        problem = Arg("tz", tz) + " is not a known time zone"
        raise SettingError(problem, 'expected a name like "Europe/Berlin" or "UTC"') from None


def settle_zone(
    stamps: Timestamps, codes: np.ndarray, tz: str | None, column: str, origin: Origin
) -> tuple[Timestamps, list[Finding]]:
    """UTC times and the zone to show them in; whole days have no clock and stay as they are."""
    times, zone = stamps.values, tz or stamps.tz
    if stamps.is_integer or zone is None:
        return replace(stamps, tz=None), []
    if stamps.tz is not None:
        local = local_times(times, zone)
        if (local != local.astype("datetime64[D]")).any():
            return replace(stamps, tz=zone), []
        message = f"{column} holds whole days in {zone}: kept as dates"
        return replace(stamps, values=local, tz=None), [note("time zone", message, place=column)]
    if (times == times.astype("datetime64[D]")).all():
        whole = f"{column} holds dates without a clock: " + Arg("tz", tz) + " was not needed"
        return stamps, [note("time zone", whole, place=column)]
    utc, findings = to_utc(times, codes, zone, column, origin)
    return replace(stamps, values=utc, tz=zone), findings


def to_utc(
    times: np.ndarray, codes: np.ndarray, tz: str, column: str, origin: Origin
) -> tuple[np.ndarray, list[Finding]]:
    """Local times as UTC, series by series.

    Rows of the hour that comes twice in autumn are distinguished by their order: the first row is summer time, or the
    last one in a series that runs from the newest row to the oldest.

    Raises:
        DataError: for a time that the clock in ``tz`` skips.
    """
    local = pd.DatetimeIndex(times)
    utc = local.tz_localize(tz, ambiguous="NaT", nonexistent="NaT")
    open_rows = np.flatnonzero(utc.isna())
    if not len(open_rows):
        return _naive(utc), []
    some = local[open_rows]
    skipped = some.tz_localize(tz, ambiguous=np.ones(len(some), bool), nonexistent="NaT").isna()
    if skipped.any():
        row = int(open_rows[int(np.flatnonzero(skipped)[0])])
        problem = f"{pd.Timestamp(times[row]):%Y-%m-%d %H:%M} does not exist in {tz}: the clock skips it"
        remedy = "if the times are in UTC or at a fixed offset, leave " + Arg("tz") + " out"
        raise origin.error(problem, remedy, column=column, row=row)
    doubled = pd.DataFrame({"code": codes[open_rows], "time": times[open_rows]}).groupby(["code", "time"])
    backward = _runs_backward(times, codes)[open_rows]
    nth = np.where(backward, doubled.cumcount(ascending=False), doubled.cumcount())
    result = _naive(utc)
    result[open_rows] = _naive(some.tz_localize(tz, ambiguous=nth == 0))
    which = "last" if backward.all() else "earlier" if backward.any() else "first"
    message = f"{plural(len(open_rows), 'row')} in the hour that comes twice in {tz}: the {which} counts as summer time"
    return result, [note("clock change", message, len(open_rows), column)]


def _runs_backward(times: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """``(rows,)`` whether the series of each row goes back in time at most of its steps."""
    steps = pd.Series(np.asarray(times, "datetime64[ns]").astype(np.int64)).groupby(codes).diff()
    return (np.sign(steps).groupby(codes).transform("sum") < 0).to_numpy()


def doubled_hour(times: np.ndarray) -> str | None:
    """The zone to propose where all these repeated times lie in the hour that clocks repeat in autumn."""
    stamps = pd.DatetimeIndex(times)
    if not len(stamps):
        return None
    hours = set(zip(stamps.month.tolist(), stamps.hour.tolist(), strict=True))
    last_sunday = (stamps.day_of_week == 6) & (stamps.day >= 25)
    first_sunday = (stamps.day_of_week == 6) & (stamps.day <= 7)
    sunday = last_sunday if stamps.month[0] == 10 else first_sunday
    return _PROPOSALS.get(hours.pop()) if len(hours) == 1 and sunday.all() else None


def skipped_hour(times: np.ndarray, gaps: int) -> str | None:
    """The zone to propose where most of the gaps are the one hour that clocks skip in spring."""
    stamps = pd.DatetimeIndex(times)
    stamps = stamps[(stamps.month == 3) & (stamps.day_of_week == 6)]
    for hour, first, last, zone in _SPRING:
        if ((stamps.hour == hour) & (stamps.day >= first) & (stamps.day <= last)).sum() >= max(1, gaps / 2):
            return zone
    return None


def _naive(index: pd.DatetimeIndex) -> np.ndarray:
    return index.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[ns]").copy()
