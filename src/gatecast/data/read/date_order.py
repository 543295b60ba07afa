"""Which number of 3/4/24 is the day: the order that was given, or that the rows prove; never a guess."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

# What stands first, second and third: positions of year, month and day.
ORDERS = {"day-first": (2, 1, 0), "month-first": (2, 0, 1), "year-first": (0, 1, 2)}
WORDS = {"day-first": "day first", "month-first": "month first", "year-first": "year first"}
_MOST_OFF = 0.1  # share of rows that may be impossible dates, each an error, where every order has some


def proven_order(readings: Mapping[str, pd.Series], texts: pd.Series, *, dotted: bool) -> tuple[str | None, str]:
    """The order that the dates prove, and why; None where it stays open.

    Args:
        readings: the distinct dates in file order by each possible order, NaT where a date is impossible.
        texts: the dates as written, for the reason.
        dotted: the dates are written with points and years of four digits, which is day first everywhere.
    """
    holes = {order: float(times.isna().mean()) for order, times in readings.items()}
    possible = [order for order, share in holes.items() if not share]
    if not possible:
        best = min(holes, key=lambda order: holes[order])
        others = [share for order, share in holes.items() if order != best]
        return (best, "by nearly all rows") if holes[best] <= _MOST_OFF < min(others, default=1.0) else (None, "")
    if len(possible) == 1:
        decisive = np.logical_or.reduce([times.isna().to_numpy() for times in readings.values()])
        return possible[0], f"{texts[decisive].iloc[0]!r} has no other reading"
    if dotted and "day-first" in possible:
        return "day-first", "dates with points always are"
    regular = [order for order in possible if is_regular(readings[order].to_numpy())]
    if not regular:  # rows in no order
        regular = [order for order in possible if is_regular(np.sort(readings[order].to_numpy()))]
    return (regular[0], "no other order is regular") if len(regular) == 1 else (None, "")


def is_regular(times: np.ndarray, *, gaps: bool = True) -> bool:
    """Whether distinct times in file order run one way by one step, or by one with small gaps (weekends, holidays).

    Args:
        times: datetime64[ns].
        gaps: small gaps are allowed.
    """
    times = np.asarray(times, "datetime64[ns]")
    steps = np.diff(times).astype(np.int64)
    if len(steps) < 2:
        return False
    steps = -steps if steps[0] < 0 else steps
    if not (steps > 0).all():
        return False
    months = np.abs(np.diff(times.astype("datetime64[M]").astype(np.int64)))
    within = times - times.astype("datetime64[M]")
    if len(np.unique(steps)) == 1 or (len(np.unique(months)) == 1 and months[0] and len(np.unique(within)) == 1):
        return True
    if not gaps:
        return False
    widths, counts = np.unique(steps, return_counts=True)
    common = widths[counts.argmax()]
    return bool(len(steps) >= 7 and counts.max() >= 0.5 * len(steps) and steps.max() <= 7 * common)
