"""Many ragged series as a few rectangular blocks, so that a formula over time is one NumPy expression."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gatecast.data.panel import Panel

CELLS = 2_000_000  # values held at once: 16 MB as float64


def blocks(panel: Panel, *, last: int | None = None, cells: int = CELLS) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Series of similar length side by side, right-aligned at their forecast origins.

    Args:
        panel: the series; only rows before the origin are read.
        last: at most this many rows before the origin; None for all.
        cells: values in a block, which bounds the memory.

    Yields:
        ``(series,)`` positions in the panel and ``(series, time, targets)`` float64 values; NaN where a value is
        missing or the series has not begun.
    """
    lengths = panel.lengths if last is None else np.minimum(panel.lengths, last)
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        time = max(1, int(lengths[order[start]]))
        chosen = order[start : start + max(1, cells // (time * panel.targets))]
        start += len(chosen)
        yield chosen, _block(panel, chosen, time)


def _block(panel: Panel, chosen: np.ndarray, time: int) -> np.ndarray:
    rows = panel.end[chosen, None] + np.arange(-time, 0)
    begun = rows >= panel.begin[chosen, None]
    values = panel.target[np.where(begun, rows, 0)].astype(np.float64)
    values[~begun] = np.nan
    return values
