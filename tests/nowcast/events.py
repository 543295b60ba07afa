"""Made-up events: blobs of rain that move at a constant velocity."""

from __future__ import annotations

import numpy as np

from gatecast.data.grid import Grid, read_grid


def blobs(steps: int, velocity: tuple[float, float], *, rate: float = 4.0, size: int = 128, decay: float = 0.0) -> Grid:
    """A dozen blobs that move along x and y, in pixels a step of 10 minutes, and weaken by ``decay`` a step."""
    draw = np.random.default_rng(1)
    centres, widths = draw.uniform(-size / 2, 1.5 * size, (40, 2)), draw.uniform(4, 9, 40)
    y, x = np.indices((size, size))
    fields = np.zeros((steps, size, size))
    for k in range(steps):
        for (cx, cy), width in zip(centres, widths, strict=True):
            far = (x - cx - k * velocity[0]) ** 2 + (y - cy - k * velocity[1]) ** 2
            fields[k] += rate * (1 - decay) ** k * np.exp(-far / (2 * width**2))
    times = np.datetime64("2024-06-01T12:00", "s") + np.arange(steps) * np.timedelta64(600, "s")
    return read_grid(np.where(fields < 0.05, 0, fields), units="mm/h", times=times, pixel_km=2)
