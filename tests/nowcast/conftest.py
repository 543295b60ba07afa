"""Without pysteps the motion of the made-up events is given; with it, it is found."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from gatecast.data.grid import Grid
from gatecast.nowcast import forecaster, rivals, windows


def _given(values: np.ndarray) -> np.ndarray:
    moves = values[-1].any()
    return np.stack([np.full(values.shape[1:], one, np.float32) for one in (3.0 * moves, -2.0 * moves)])


@pytest.fixture(autouse=True, scope="session")
def motion() -> object:
    patch = pytest.MonkeyPatch()
    if importlib.util.find_spec("pysteps") is None:
        patch.setattr(windows, "lucas_kanade", lambda values, missing: _given(values))
        for module in (forecaster, rivals):
            patch.setattr(module, "motion_of", lambda grid: _given(grid.values))
    yield patch
    patch.undo()


@pytest.fixture
def small() -> Grid:
    from nowcast.events import blobs

    return blobs(steps=14, velocity=(3.0, -2.0))
