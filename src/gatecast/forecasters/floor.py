"""The lower bound of a forecast: a target that was never negative is not forecast below 0, by any model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gatecast.data.panel import Panel
from gatecast.evaluation.forecast import Forecast

Floor = tuple[float | None, ...]  # of each target; None: no bound


def floor_of(panel: Panel) -> Floor:
    """0 for each target without a negative value up to the origin, None for the others."""
    rows = [np.fmin.reduce(values, axis=0) for _, values in panel if len(values)]  # NaN where all are missing
    return tuple(None if low < 0 else 0.0 for low in np.fmin.reduce(rows, axis=0)) if rows else (None,) * panel.targets


def bounded(forecast: Forecast, floor: Floor) -> Forecast:
    """The forecast with points, quantiles and sample paths clipped at the lower bounds."""
    low = np.array([-np.inf if one is None else one for one in floor], dtype=forecast.mean.dtype)
    if not np.isfinite(low).any():
        return forecast
    paths = forecast.samples
    return replace(
        forecast,
        mean=np.maximum(forecast.mean, low),
        quantiles=np.maximum(forecast.quantiles, low[:, None]) if forecast.probabilities else forecast.quantiles,
        samples=None if paths is None else np.maximum(paths, low.astype(paths.dtype)),
    )
