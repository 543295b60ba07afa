"""How far the covariates known in advance reach: rows after the origin, and where each column ends."""

from __future__ import annotations

import numpy as np

from gatecast.base.text import plural, time_text
from gatecast.data.panel import Panel


def complete_ahead(panel: Panel) -> np.ndarray:
    """``(series,)`` number of rows after the origin for which every known covariate is given."""
    return _reach(panel).min(axis=1, initial=np.iinfo(np.int64).max)


def ends_ahead(panel: Panel, horizon: int | None = None) -> str:
    """Where known covariates end, in words, of the series that reaches least far; "" where all are complete.

    Args:
        panel: with known covariates.
        horizon: rows that are needed; None for all that the panel holds.
    """
    if not panel.known.shape[1] or not len(panel):
        return ""
    reach = _reach(panel)
    wanted = panel.stop - panel.end if horizon is None else np.full(len(panel), horizon)
    least = reach.min(axis=1)
    short = np.flatnonzero(least < wanted)
    if not len(short):
        return ""
    k = int(short[least[short].argmin()])
    columns = [
        _end(panel, k, c, int(reach[k, c])) for c in np.argsort(reach[k], kind="stable") if reach[k, c] < wanted[k]
    ]
    of = f" of series {panel.ids[k]}" if len(panel) > 1 else ""
    return f"complete for {plural(int(least[k]), 'row')} after the origin{of}: {', '.join(dict.fromkeys(columns))}"


def _end(panel: Panel, k: int, column: int, rows: int) -> str:
    when = panel.freq.times(panel.starts[k], int(panel.lengths[k]) + rows - 1, 1)[0]
    return f"{panel.schema.source_of(panel.known_names[column])} ends at {time_text(when)}"


def _reach(panel: Panel) -> np.ndarray:
    """``(series, known)`` rows after the origin up to the first that has no value."""
    longest = int((panel.stop - panel.end).max(initial=0))
    rows = panel.end[:, None] + np.arange(longest + 1)
    inside = rows < panel.stop[:, None]
    given = inside[..., None] & np.isfinite(panel.known[np.where(inside, rows, 0)])
    return np.argmin(given, axis=1)  # the row behind the last is never given
