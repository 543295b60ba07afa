"""Motion of rain by the optical flow of Lucas and Kanade (1981), as pysteps computes it from the latest fields."""

from __future__ import annotations

import warnings

import numpy as np
from jaxtyping import Bool, Float32

from gatecast.data.grid.grid import Grid
from gatecast.data.grid.sources import pysteps

FIELDS = 3  # the latest fields that the motion is estimated from
_DRY_DB, _LEAST_RATE = -15.0, 0.1  # of dry pixels; mm/h
_LEAST_WET = 20  # pixels: fewer give no motion


def motion_of(grid: Grid) -> Float32[np.ndarray, "2 y x"]:
    """Velocity at the end of a grid, along x and along y in pixels a step."""
    return lucas_kanade(grid.values[-FIELDS:], grid.missing[-FIELDS:])


def lucas_kanade(
    values: Float32[np.ndarray, "time y x"], missing: Bool[np.ndarray, "time y x"]
) -> Float32[np.ndarray, "2 y x"]:
    """Velocity along x and along y in pixels a step; 0 where there is too little rain to follow.

    Args:
        values: the latest fields in time order, mm/h; the last :data:`FIELDS` are used.
        missing: where they were not observed.

    Raises:
        MissingExtraError: pysteps or OpenCV is not installed.
    """
    fields, gone = values[-FIELDS:], missing[-FIELDS:]
    there = np.array([not one.all() for one in gone])
    still = np.zeros((2, *values.shape[1:]), np.float32)
    if there.sum() < 2 or not there[-1] or (fields[-1] >= _LEAST_RATE).sum() < _LEAST_WET:
        return still
    flow = pysteps("motion.lucaskanade", "the motion of rain").dense_lucaskanade
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        velocity = flow(_decibels(fields[there], gone[there]))
    velocity = np.asarray(velocity, np.float32) / _step_between(there)
    return velocity if np.isfinite(velocity).all() else still


def _decibels(values: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """10 log10 of the rates, dry and missing pixels at a low constant."""
    wet = (values >= _LEAST_RATE) & ~missing
    return np.where(wet, 10 * np.log10(np.maximum(values, _LEAST_RATE)), _DRY_DB).astype(np.float64)


def _step_between(there: np.ndarray) -> int:
    """Steps between two of the fields that are there."""
    places = np.flatnonzero(there)
    return max(1, int(np.diff(places).max()))
