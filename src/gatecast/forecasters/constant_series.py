"""Series that a network can say nothing about: those that never changed, and those not observed in the context."""

from __future__ import annotations

import numpy as np

from gatecast.base.text import shorten
from gatecast.data.panel import Panel


def never_changed(panel: Panel, least: int) -> np.ndarray:
    """``(series, targets)`` the value of targets that had one value only, over at least so many rows; else NaN.

    A scale cannot be had from such a context, so that whatever the network gives would be noise of a made-up size.
    """
    values = np.full((len(panel), panel.targets), np.nan, panel.target.dtype)
    long = np.flatnonzero(panel.lengths >= max(least, 2))
    last, before = panel.target[panel.end[long] - 1], panel.target[panel.end[long] - 2]
    moved = np.isfinite(last) & np.isfinite(before) & (last != before)  # most series, told without a look at every row
    for index in long[~moved.all(axis=1)].tolist():
        rows = panel.series(index)
        low = np.fmin.reduce(rows, axis=0)
        values[index] = np.where(low == np.fmax.reduce(rows, axis=0), low, np.nan)
    return values


def held(values: np.ndarray, still: np.ndarray) -> np.ndarray:
    """The forecasts, with the one value of the series that never changed in its place (axes of both must match)."""
    return np.where(np.isfinite(still), still, values)


def notes_of(panel: Panel, still: np.ndarray, blind: np.ndarray, context: int) -> list[str]:
    """What the user should know about them.

    Args:
        panel: the series.
        still: ``(series, targets)`` of :func:`never_changed`.
        blind: ``(series, targets)`` True where no value was observed in the context.
        context: rows of it.
    """
    count = int(np.isfinite(still).sum())
    which = "the series" if still.size == 1 else f"{count} of {still.size} series"
    notes = [f"{which} never changed and is forecast to stay as it is"] if count else []
    if not blind.any():
        return notes
    for name, series in zip(panel.target_names, blind.T, strict=True):
        if series.any():
            of = f" of {shorten(list(panel.ids[series]), 5)}" if len(panel) > 1 else ""
            notes.append(
                f"{name}{of}: no value in the last {context} rows, so its level is not known and its forecast near 0 "
                "says nothing"
            )
    return notes
