"""Series that never changed: the network's rounding has nothing to add to them."""

from __future__ import annotations

import numpy as np

from gatecast.data.panel import Panel


def never_changed(panel: Panel, least: int) -> np.ndarray:
    """``(series, targets)`` the value of targets that had one value only, over at least so many rows; else NaN.

    A scale cannot be had from such a context, so that whatever the network gives would be noise of a made-up size.
    """
    values = np.full((len(panel), panel.targets), np.nan, panel.target.dtype)
    for index in np.flatnonzero(panel.lengths >= least).tolist():
        rows = panel.series(index)
        low = np.fmin.reduce(rows, axis=0)
        values[index] = np.where(low == np.fmax.reduce(rows, axis=0), low, np.nan)
    return values


def kept(values: np.ndarray, still: np.ndarray) -> np.ndarray:
    """The values, with the unchanging one in the place of those where there is one."""
    return np.where(np.isfinite(still), still, values) if np.isfinite(still).any() else values


def note_of(still: np.ndarray) -> tuple[str, ...]:
    """What the user should know about them."""
    count = int(np.isfinite(still).sum())
    which = "the series" if still.size == 1 else f"{count} of {still.size} series"
    return (f"{which} never changed and is forecast to stay as it is",) if count else ()
