"""Series of extreme size in a unit of their own: values near 1, so that their squares neither overflow nor vanish.

The unit is a power of two, and multiplying by one is exact: a series of 1e25 gives the forecast of the same series of
size 1, times 1e25. Series of usual size (2^-40 to 2^40, about 1e-12 to 1e12) keep their unit and their bits.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gatecast.data.panel import Panel

_USUAL = 40  # exponents of two, either way, that float32 squares without harm


def exponents(panel: Panel) -> np.ndarray:
    """``(series, targets)`` int: the power of two of each series' largest value where that is extreme; otherwise 0."""
    if not len(panel):
        return np.zeros((0, panel.targets), np.int64)
    sizes = np.abs(panel.target)
    sizes = np.concatenate([sizes, np.zeros_like(sizes[:1])])  # so that the last row has a row behind it
    bounds = np.stack([panel.begin, panel.end], axis=1).reshape(-1)
    largest = np.fmax.reduceat(sizes, bounds, axis=0)[::2].astype(np.float64)
    largest[panel.end == panel.begin] = 0.0
    found = np.frexp(np.nan_to_num(largest, posinf=0.0))[1].astype(np.int64) - 1
    return np.where((np.abs(found) > _USUAL) & (largest > 0), found, 0)


def in_unit(panel: Panel) -> tuple[Panel, np.ndarray]:
    """The panel with extreme series divided by their power of two, and the exponents; unchanged without such series."""
    found = exponents(panel)
    extreme = np.flatnonzero(found.any(axis=1))
    if not len(extreme):
        return panel, found
    target = panel.target.copy()
    for index in extreme:
        rows = slice(int(panel.begin[index]), int(panel.end[index]))
        target[rows] = np.ldexp(target[rows], -found[index])
    return replace(panel, target=target), found


def from_unit(values: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Values times two to these exponents, in float64 where there are any.

    Args:
        values: of a forecast.
        found: exponents, with an axis of one for each axis of ``values`` that they lack.
    """
    return np.ldexp(values.astype(np.float64), found) if found.any() else values
