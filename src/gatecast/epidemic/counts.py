"""Daily counts from new or cumulative ones; withdrawn cases, days without reports and backlogs are repaired and listed.

Counts are what somebody reported. Cumulative columns fall when cases are withdrawn; offices close at weekends and
report three days on Monday; a definition changes, and weeks of cases appear on one day. Each repair uses only the
counts up to the panel's origin, so that a backtest which moves the origin sees what could be known then. Totals are
kept: cases are moved to the days they belong to, never dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from gatecast.base.errors import DataError, SettingError
from gatecast.base.findings import Arg, Finding
from gatecast.base.text import percent, plural, time_text
from gatecast.data.panel import Panel

_SILENT = 13  # zeros in a row that may be missing reports; a longer run ends the epidemic or the reporting
_LEVEL = 10.0  # counts per day from which a zero is unlikely to be chance (Poisson: 1 in 20,000)
_BACKLOG = 3.0  # multiple of the expected count
_FALLS = 0.25  # share of the changes that may be falls in a cumulative column, by withdrawn cases
_BACK = 28  # days over which a backlog is spread


@dataclass
class _Found:
    """Repairs of one series: rows and cases by kind."""

    rows: dict[str, list[int]]
    cases: dict[str, float]

    def add(self, kind: str, row: int, cases: float) -> None:
        self.rows.setdefault(kind, []).append(row)
        self.cases[kind] = self.cases.get(kind, 0.0) + cases


_WORDS = {
    "cumulative gap": "{days} without a number in a cumulative column, first {first}: the rise over each gap is spread "
    "evenly over its days, {cases:,.0f} cases",
    "withdrawn": "{days} with a negative count, first {first}: {cases:,.0f} cases withdrawn are taken from the {back} "
    "days before, in proportion to their counts, and the day is set to missing",
    "silent days": "{days} of silence, zeros before a larger count, first {first}: that count is spread evenly over "
    "them, {cases:,.0f} cases",
    "backlog": "{days} with a backlog or a change of definition, first {first}: more than three times what the week "
    "before gives; {cases:,.0f} cases are spread back over the {back} days before, in proportion to their counts",
    "not yet reported": "zero on the last {days}, where {cases:,.0f} a day were usual, from {first} on: not yet "
    "reported, and set to missing",
}


def daily_counts(panel: Panel, *, cumulative: bool | str = "auto", repair: bool = True) -> Panel:
    """New counts per day from a panel of new or cumulative counts; every repair is listed in ``repairs``.

    Args:
        panel: counts up to its origin; rows after the origin become missing.
        cumulative: True, False, or ``"auto"``: a column that hardly ever falls and ends near its largest value is.
        repair: repair withdrawn cases, days without reports and backlogs; False only takes differences.

    Raises:
        DataError: a column read as cumulative keeps falling.

    Returns:
        A panel of the same rows. The first day of a cumulative column is missing, unless it is 0.

    Example:
        >>> import numpy as np
        >>> from gatecast import Panel
        >>> from gatecast.epidemic import daily_counts
        >>> total = Panel.from_arrays([np.cumsum([0, 20, 25, 30, 0, 60, 30, 28])], freq="D")
        >>> daily_counts(total, cumulative=True).target[:, 0].tolist()
        [0.0, 20.0, 25.0, 30.0, 30.0, 30.0, 30.0, 28.0]
    """
    if cumulative not in (True, False, "auto"):
        raise SettingError(Arg("cumulative") + f" must be True, False or 'auto', got {cumulative!r}")
    target = np.full(panel.target.shape, np.nan, np.float64)
    repairs = []
    for column, name in enumerate(panel.target_names):
        sums = bool(cumulative) if cumulative != "auto" else looks_cumulative(panel, column)
        if sums:
            _require_rising(panel, column)
            how = "never falls, or hardly ever, and is" if cumulative == "auto" else "is"
            text = f"{name} {how} read as cumulative; new counts are the differences of two days"
            repairs.append(Finding(name, text, kind="cumulative", count=len(panel)))
        for index in range(len(panel)):
            found = _Found({}, {})
            rows = slice(panel.begin[index], panel.end[index])
            target[rows, column] = _daily(panel.target[rows, column].astype(np.float64), sums, repair, found)
            repairs += _listed(found, panel, index, name)
    kind = np.float32 if np.nanmax(np.abs(target), initial=0.0) < 2**24 else np.float64
    return replace(panel, target=target.astype(kind), repairs=(*panel.repairs, *repairs))


def looks_cumulative(panel: Panel, column: int = 0) -> bool:
    """Whether most series of a target hardly ever fall and end near their largest value."""
    votes = [_rises(panel.series(index)[:, column]) for index in range(len(panel))]
    seen = [vote for vote in votes if vote is not None]
    return bool(seen) and sum(seen) > len(seen) / 2


def _require_rising(panel: Panel, column: int) -> None:
    """Refuse a column that keeps falling, as new counts do and a cumulative column does not."""
    shares = [_falling(panel.series(index)[:, column]) for index in range(len(panel))]
    seen = [share for share in shares if share is not None]
    if not seen or np.median(seen) <= _FALLS:
        return
    name = panel.target_names[column]
    raise DataError(
        f"{name} falls at {percent(float(np.median(seen)))} of its changes, and a count of all cases so far does not "
        "fall",
        "read it as new cases: leave out " + Arg("cumulative", True) + ", or give " + Arg("cumulative", False),
        place=panel.source,
    )


def _falling(values: np.ndarray) -> float | None:
    """Share of the changes of a series that are falls; None where it changes too rarely to tell."""
    steps = np.diff(values[np.isfinite(values)].astype(np.float64))
    moves = steps[steps != 0]
    return float((moves < 0).mean()) if len(moves) >= 10 else None


def _rises(values: np.ndarray) -> bool | None:
    """Whether a series hardly ever falls; None where it changes too rarely to decide."""
    seen = values[np.isfinite(values)].astype(np.float64)
    steps = np.diff(seen)
    moves = steps[steps != 0]
    if len(moves) < 10:
        return None
    return bool((moves > 0).mean() > 0.95 and seen[-1] >= 0.9 * seen.max() and seen.min() >= 0)


def _daily(values: np.ndarray, cumulative: bool, repair: bool, found: _Found) -> np.ndarray:
    if cumulative:
        values = _differences(values, found)
    if repair:
        values = _not_negative(values, found)
        values = _reported_late(values, found)
        values = _not_yet(values, found)
    return values


def _differences(values: np.ndarray, found: _Found) -> np.ndarray:
    """Differences from one day to the next; the first day is missing unless the count starts at 0."""
    new = np.full(len(values), np.nan)
    seen = np.flatnonzero(np.isfinite(values))
    if not len(seen):
        return new
    if values[seen[0]] == 0:
        new[seen[0]] = 0.0
    for last, now in pairwise(seen.tolist()):
        rise = values[now] - values[last]
        new[last + 1 : now + 1] = _shares(np.ones(now - last), rise)
        if now - last > 1:
            for row in range(last + 1, now):
                found.add("cumulative gap", row, 0.0)
            found.cases["cumulative gap"] += rise
    return new


def _not_negative(values: np.ndarray, found: _Found) -> np.ndarray:
    """Take the cases of a negative day from the days before; the new cases of that day are unknown."""
    values = values.copy()
    for row in np.flatnonzero(values < 0).tolist():
        owed = -values[row]
        found.add("withdrawn", row, float(owed))
        values[row] = np.nan
        start = max(0, row - _BACK)
        if np.nansum(values[start:row]) < owed:
            start = 0
        days = np.nan_to_num(values[start:row])
        values[start:row] -= _shares(days, min(owed, days.sum())) if days.sum() else 0.0
    return values


def _reported_late(values: np.ndarray, found: _Found) -> np.ndarray:
    """Spread counts that include days without reports, or a backlog, over the days they belong to."""
    values = values.copy()
    for row in np.flatnonzero(values > 0).tolist():
        silent = _zeros_before(values, row)
        level = _level(values[: row - silent])
        expected = level * (silent + 1)
        sudden = len(values[: row - silent]) >= 7 and level >= 2 * _LEVEL and values[row] > _BACKLOG * expected
        if sudden and not _stays(values[row + 1 :], values[row]):
            extra = values[row] - np.rint(expected)
            start = max(0, row - silent - _BACK)
            days = np.nan_to_num(values[start : row - silent])
            values[start : row - silent] += _shares(days, extra)
            values[row - silent : row + 1] = _shares(np.ones(silent + 1), values[row] - extra)
            found.add("backlog", row, float(extra))
        elif silent and _is_silence(values, row, silent):
            found.cases["silent days"] = found.cases.get("silent days", 0.0) + float(values[row])
            found.rows.setdefault("silent days", []).extend(range(row - silent, row))
            values[row - silent : row + 1] = _shares(np.ones(silent + 1), values[row])
    return values


def _zeros_before(values: np.ndarray, row: int) -> int:
    """Zeros directly before a row; 0 where there are too many to be missing reports, or nothing before them."""
    run = 0
    while run < row and values[row - run - 1] == 0:
        run += 1
    return run if run <= _SILENT and run < row else 0


def _level(before: np.ndarray) -> float:
    """The usual count: median of the latest seven counts above 0, or of the latest three where that is higher."""
    seen = before[np.isfinite(before) & (before > 0)]
    return float(max(np.median(seen[-7:]), np.median(seen[-3:]))) if len(seen) else 0.0


def _stays(after: np.ndarray, count: float) -> bool:
    """Whether the following days are about as high, which rules out a backlog."""
    seen = after[np.isfinite(after)][:7]
    return len(seen) >= 2 and float(np.median(seen)) > count / 2


def _is_silence(values: np.ndarray, row: int, silent: int) -> bool:
    """Whether zeros before a row are missing reports: the mean of the days around them is far from zero."""
    around = np.concatenate([values[max(0, row - silent - 7) : row - silent], values[row : row + 8]])
    seen = around[np.isfinite(around)]
    return bool(len(seen) and seen.mean() >= _LEVEL and values[row] >= _LEVEL)


def _not_yet(values: np.ndarray, found: _Found) -> np.ndarray:
    """Set zeros at the end to missing where the days before were far from zero: their reports are still to come."""
    values = values.copy()
    run = 0
    while run < len(values) and values[len(values) - run - 1] == 0:
        run += 1
    level = _level(values[: len(values) - run])
    if 0 < run <= _SILENT and level >= _LEVEL:
        for row in range(len(values) - run, len(values)):
            found.add("not yet reported", row, 0.0)
        found.cases["not yet reported"] = level
        values[len(values) - run :] = np.nan
    return values


def _shares(weights: np.ndarray, total: float) -> np.ndarray:
    """The total divided in proportion to the weights; in whole numbers where the total is one."""
    sums = (
        np.cumsum(weights) / weights.sum() * total if weights.sum() > 0 else np.linspace(0, total, len(weights) + 1)[1:]
    )
    sums = np.rint(sums) if total == np.rint(total) else sums
    return np.diff(sums, prepend=0.0)


def _listed(found: _Found, panel: Panel, index: int, name: str) -> Iterator[Finding]:
    place = name if len(panel) == 1 else f"{name} of {panel.ids[index]}"
    for kind, rows in found.rows.items():
        first = panel.times(index)[rows[0]]
        day = f"row {first}" if panel.freq.is_integer else time_text(first)
        days = plural(len(rows), "day")
        text = _WORDS[kind].format(days=days, cases=found.cases[kind], first=day, back=_BACK)
        yield Finding(place, f"{place}: {text}.", kind=kind, count=len(rows))
