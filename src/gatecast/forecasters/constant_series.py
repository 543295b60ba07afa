"""Series that a network cannot forecast: constant ones, and those without a value in the context."""

from __future__ import annotations

import numpy as np

from gatecast.base.text import plural, shorten
from gatecast.data.panel import Panel


def constant_values(panel: Panel, least: int) -> np.ndarray:
    """``(series, targets)`` the value of targets that were constant over at least ``least`` rows; else NaN.

    Such a context has no scale, so that the network's output would be noise of an arbitrary size.
    """
    values = np.full((len(panel), panel.targets), np.nan, panel.target.dtype)
    long = np.flatnonzero(panel.lengths >= max(least, 2))
    last, before = panel.target[panel.end[long] - 1], panel.target[panel.end[long] - 2]
    moved = np.isfinite(last) & np.isfinite(before) & (last != before)  # rules out most series without reading them
    for index in long[~moved.all(axis=1)].tolist():
        rows = panel.series(index)
        low = np.fmin.reduce(rows, axis=0)
        values[index] = np.where(low == np.fmax.reduce(rows, axis=0), low, np.nan)
    return values


def with_constants(forecast: np.ndarray, constant: np.ndarray) -> np.ndarray:
    """The forecast, constant series continued (the axes of both must match)."""
    return np.where(np.isfinite(constant), constant, forecast)


def notes_of(panel: Panel, constant: np.ndarray, unobserved: np.ndarray, context: int) -> list[str]:
    """Notes on such series.

    Args:
        panel: the series.
        constant: ``(series, targets)`` of :func:`constant_values`.
        unobserved: ``(series, targets)`` True where no value was observed in the context.
        context: rows of the context.
    """
    count = int(np.isfinite(constant).sum())
    which = "the series" if constant.size == 1 else f"{count} of {plural(constant.size, 'series', 'series')}"
    notes = [f"{which} never changed: the constant is forecast"] if count else []
    for name, rows in zip(panel.target_names, unobserved.T, strict=True):
        if rows.any():
            of = f" of {shorten(list(panel.ids[rows]), 5)}" if len(panel) > 1 else ""
            notes.append(
                f"{name}{of}: no value in the last {context} rows, so that the level is unknown and the forecast near "
                "0 is meaningless"
            )
    return notes
