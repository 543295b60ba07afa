"""Warnings of a training that diverged, and of a forecast far outside all values seen; notes of the forecast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from gatecast.base.text import number, plural
from gatecast.batches.windows import WindowOrigins, Windows
from gatecast.data.blocks import blocks
from gatecast.evaluation.forecast import Forecast
from gatecast.models.model import ForecastModel

RANGES = 10.0  # ranges of the history beyond it, from which a forecast is far outside
WORSE = 0.2  # share by which the loss of a trained network may exceed that of an untrained one
LOSS_WINDOWS = 256  # windows on which the two are compared


def diverged(
    untrained: ForecastModel, models: Sequence[ForecastModel], windows: Windows, training: WindowOrigins
) -> tuple[float, float] | None:
    """Loss before and after training where training made it worse; None otherwise.

    The untrained network forecasts the mixture of naive forecasts that it corrects, so a useful one has a lower loss.
    """
    count = min(training.total, LOSS_WINDOWS)
    chosen = torch.linspace(0, training.total - 1, count).round().long()
    with torch.no_grad():
        batch = windows.gather(*training.locate(chosen))
        before = float(untrained.eval()(batch))
        after = float(np.mean([float(model(batch)) for model in models]))
    return (before, after) if not after - before <= WORSE * abs(before) else None


def divergence_note(losses: Sequence[float] | None) -> tuple[str, ...]:
    """The warning for the forecast of a network whose training diverged."""
    if not losses:
        return ()
    before, after = losses
    return (
        f"Training diverged: the loss is {number(after)} after it and was {number(before)} before. Do not use this "
        "forecast; train with a lower learning rate.",
    )


def far_outside(forecast: Forecast) -> tuple[str, ...]:
    """The warning for point forecasts that no history gives reason for."""
    far = np.zeros(len(forecast.mean), bool)
    for chosen, values in blocks(forecast.panel):
        far[chosen] = _are_far(values, forecast.mean[chosen])
    count = int(far.sum())
    if not count:
        return ()
    of = "The forecast" if len(forecast.mean) == 1 else f"The forecast of {plural(count, 'series', 'series')}"
    return (f"{of} lies far outside all values seen, by more than {RANGES:g} times their range. Do not rely on it.",)


def _are_far(values: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """``(series,)`` whether any of ``ahead`` lies far outside ``values``, both ``(series, time, targets)``."""
    if not values.shape[1]:
        return np.zeros(len(values), bool)
    low, high = np.fmin.reduce(values, axis=1), np.fmax.reduce(values, axis=1)  # NaN where all are missing
    room = RANGES * np.maximum(high - low, np.maximum(np.abs(low), np.abs(high)) * 0.1)
    beyond = np.maximum(low[:, None] - ahead, ahead - high[:, None])
    return np.asarray(((beyond > room[:, None]) & (room[:, None] > 0)).any(axis=(1, 2)))
