"""Daily counts from new or cumulative ones; withdrawn cases, days without reports and backlogs are repaired and listed.

Counts are what somebody reported. Cumulative columns fall when cases are withdrawn; offices close at weekends and
report three days on Monday; a definition changes, and weeks of cases appear on one day. Each repair uses only the
counts up to the panel's origin, so that a backtest which moves the origin sees what could be known then. Totals are
kept: cases are moved to the days they belong to, never dropped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from gatecast.base.errors import DataError, SettingError
from gatecast.base.findings import Arg, Finding
from gatecast.base.text import percent, plural, shorten, time_text
from gatecast.data.panel import Panel

_SILENT = 13  # zeros in a row that may be missing reports; a longer run ends the epidemic or the reporting
_LEVEL = 10.0  # counts per day from which a zero is unlikely to be chance (Poisson: 1 in 20,000)
_BACKLOG = 3.0  # multiple of the expected count
_FALLS = 0.25  # share of the changes that may be falls in a cumulative column, by withdrawn cases
_BACK = 28  # days over which a backlog is spread
_ANEW = 0.1  # share of the total before, from which on a fall is no correction
_LEAST_TOTAL = 20.0  # cases of a total whose fall is noticed
_GROWTH = 30  # changes from which on a series decides for itself whether it is cumulative
_TOTALS = 4  # totals of several days at equal distances, at least


@dataclass
class _Found:
    """Repairs of one series: rows and cases by kind."""

    rows: dict[str, list[int]]
    cases: dict[str, float]

    def add(self, kind: str, row: int, cases: float) -> None:
        self.rows.setdefault(kind, []).append(row)
        self.cases[kind] = self.cases.get(kind, 0.0) + cases


_WORDS = {
    "restart": "{days} on which the cumulative count begins anew, first {first}: counted from 0 there, and the "
    "{cases:,.0f} cases counted before are kept",
    "dip": "{days} on which a cumulative count falls to nearly 0 and comes back, first {first}: taken as missing",
    "totals of several days": "{days} without a number between regular ones, first {first}: each number is the total "
    "of the days since the one before, and is spread evenly over them, {cases:,.0f} cases",
    "late report": "{days} without a number before a larger count, first {first}: that count is spread evenly over "
    "them, {cases:,.0f} cases",
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


def daily_counts(panel: Panel, *, cumulative: bool | str | Collection[str] = "auto", repair: bool = True) -> Panel:
    """New counts per day from a panel of new or cumulative counts; every repair is listed in ``repairs``.

    Args:
        panel: counts up to its origin; rows after the origin become missing.
        cumulative: True, False, the names of the series that are, or ``"auto"``: a series that hardly ever falls and
            ends near its largest value is, also where it begins anew; short series follow the others.
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
    if isinstance(cumulative, str) and cumulative != "auto":
        raise SettingError(Arg("cumulative") + f" must be True, False or 'auto', got {cumulative!r}")
    target = np.full(panel.target.shape, np.nan, np.float64)
    repairs: list[Finding] = []
    for column, name in enumerate(panel.target_names):
        sums = cumulative_series(panel, cumulative, column)
        if sums.any():
            _require_rising(panel, column, sums)
        repairs += _read_as(panel, name, sums, found_out=cumulative == "auto")
        for index in range(len(panel)):
            found = _Found({}, {})
            rows = slice(panel.begin[index], panel.end[index])
            values = panel.target[rows, column].astype(np.float64)
            target[rows, column] = _daily(values, bool(sums[index]), repair, found)
            repairs += _listed(found, panel, index, name)
    kind = np.float32 if np.nanmax(np.abs(target), initial=0.0) < 2**24 else np.float64
    return replace(panel, target=target.astype(kind), repairs=(*panel.repairs, *repairs))


def cumulative_series(panel: Panel, cumulative: bool | str | Collection[str] = "auto", column: int = 0) -> np.ndarray:
    """``(series,)`` whether each series counts all cases so far.

    Args:
        panel: counts as they were reported.
        cumulative: as in :func:`daily_counts`.
        column: of the targets.
    """
    if isinstance(cumulative, bool):
        return np.full(len(panel), cumulative)
    if not isinstance(cumulative, str):
        return np.array([str(name) in cumulative for name in panel.ids], dtype=bool)
    votes = [_rises(panel.series(index)[:, column]) for index in range(len(panel))]
    decided = [vote for vote, _ in votes if vote is not None]
    most = bool(decided) and sum(decided) > len(decided) / 2
    return np.array([vote if vote is not None and moves >= _GROWTH else most for vote, moves in votes], dtype=bool)


def _require_rising(panel: Panel, column: int, sums: np.ndarray) -> None:
    """Refuse a column that keeps falling, as new counts do and a cumulative column does not."""
    shares = [_falling(panel.series(index)[:, column]) for index in np.flatnonzero(sums).tolist()]
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


def _rises(values: np.ndarray) -> tuple[bool | None, int]:
    """Whether a series hardly ever falls, falls to nearly 0 left aside, and the changes that show it; None: too few."""
    seen = values[np.isfinite(values)].astype(np.float64)
    falls = _falls(seen)
    steps = np.diff(seen)
    steps[falls - 1] = 0  # a count that begins anew
    moves = steps[steps != 0]
    if len(moves) < 10:
        return None, len(moves)
    parts = np.split(seen, falls)
    ends_high = all(part[-1] >= 0.9 * part.max() for part in parts)
    rare = len(falls) <= len(seen) / 20
    return bool((moves > 0).mean() > 0.95 and ends_high and rare and seen.min() >= 0), len(moves)


def _falls(seen: np.ndarray) -> np.ndarray:
    """Positions at which a total falls to a small share of what it was."""
    before, after = seen[:-1], seen[1:]
    return np.flatnonzero((before >= _LEAST_TOTAL) & (after <= _ANEW * before)) + 1


def total_counted(values: np.ndarray) -> float:
    """All cases that a cumulative series counts, those before it began anew among them."""
    kept = _without_dips(values.astype(np.float64), _Found({}, {}))
    seen = kept[np.isfinite(kept)]
    return float(sum(part.max() for part in np.split(seen, _falls(seen)))) if len(seen) else 0.0


def _read_as(panel: Panel, name: str, sums: np.ndarray, *, found_out: bool) -> Iterator[Finding]:
    """What is read as cumulative: all series, or some of them by name."""
    if not sums.any():
        return
    how = "never falls, or hardly ever, and is" if found_out else "is"
    if sums.all():
        text = f"{name} {how} read as cumulative; new counts are the differences of two days"
        yield Finding(name, text, kind="cumulative", count=len(panel))
        return
    names = shorten([str(one) for one in panel.ids[sums]])
    text = (
        f"{name} is cumulative in {plural(int(sums.sum()), 'series', 'series')} ({names}), where it hardly ever falls, "
        f"and counts per day in the other {int((~sums).sum())}; new counts of the former are differences of two days"
    )
    remedy = "give " + Arg("cumulative", True) + " or " + Arg("cumulative", False) + " where all are alike"
    yield Finding(name, text, remedy, kind="cumulative", count=int(sums.sum()))


def _daily(values: np.ndarray, cumulative: bool, repair: bool, found: _Found) -> np.ndarray:
    if cumulative:
        values = _differences(_without_dips(values, found), found)
    if repair:
        if not cumulative:
            values = _totals_of_days(values, found)
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
    anew = {int(seen[k]) for k in _falls(values[seen])}
    for last, now in pairwise(seen.tolist()):
        rise = values[now] - (0.0 if now in anew else values[last])
        if now in anew:
            found.add("restart", now, float(values[last]))
        new[last + 1 : now + 1] = _shares(np.ones(now - last), rise)
        if now - last > 1:
            for row in range(last + 1, now):
                found.add("cumulative gap", row, 0.0)
            found.cases["cumulative gap"] += rise
    return new


def _without_dips(values: np.ndarray, found: _Found) -> np.ndarray:
    """Totals that fall to nearly 0 for a few days and come back, set to missing."""
    values = values.copy()
    seen = np.flatnonzero(np.isfinite(values))
    for k in _falls(values[seen]).tolist():
        before = values[seen[k - 1]]
        after = values[seen[k : k + 8]]
        back = np.flatnonzero(after >= before / 2)
        if np.isfinite(before) and len(back) and back[0]:
            for row in seen[k : k + back[0]].tolist():
                found.add("dip", row, 0.0)
                values[row] = np.nan
    return values


def _totals_of_days(values: np.ndarray, found: _Found) -> np.ndarray:
    """Spread numbers with empty days before them over those days, where they are totals of the days since the last.

    A weekly report is a run of such numbers; after a weekend without reports it is one. Where counts per day are known,
    a total is nearer to their level times the days than to the level; where none are, the run has to be regular.
    """
    made = values.copy()
    seen = np.flatnonzero(np.isfinite(values))
    gaps = np.diff(seen)
    edges = np.diff(np.concatenate([[0], (gaps > 1).astype(int), [0]]))
    for start, stop in zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True):
        rows, days = seen[start : stop + 1], gaps[start:stop]
        if not _are_totals(values, made[: rows[0] + (start > 0)], rows, days):
            continue
        kind = "totals of several days" if len(rows) >= _TOTALS else "late report"
        if start == 0:  # the first number is a total as well, mostly of days before the first row
            rows, days = np.append(rows[0], rows), np.append(int(np.median(days)), days)
        for row, count in zip(rows[1:].tolist(), days.tolist(), strict=True):
            begin = max(0, row - count + 1)
            made[begin : row + 1] = _shares(np.ones(count), values[row])[begin - row - 1 :]
            found.rows.setdefault(kind, []).extend(range(begin, row))
            found.cases[kind] = found.cases.get(kind, 0.0) + float(values[row])
    return made


def _are_totals(values: np.ndarray, before: np.ndarray, rows: np.ndarray, days: np.ndarray) -> bool:
    """Whether the numbers of a run are totals of the days since the one before.

    Args:
        values: of the series.
        before: counts per day before the run.
        rows: positions of the numbers; the first is the last before the gaps.
        days: from one number to the next.
    """
    several, level = len(rows) >= _TOTALS, _level(before)
    if np.isfinite(before).sum() < 7 or level < _LEVEL:
        regular = several and (days == np.median(days)).mean() >= 0.8 and days.max() <= _BACK + 3
        return bool(regular and np.median(values[rows]) >= _LEVEL)
    if np.median(values[rows[1:]] / np.sqrt(days)) < level:
        return False
    after = values[rows[-1] + 1 :]
    after = after[np.isfinite(after)][:7]
    return several or bool(len(after) >= 2 and np.median(after) <= values[rows[-1]] / np.sqrt(days[-1]))


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
