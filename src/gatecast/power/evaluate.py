"""Scores on the latest issues, which the networks have not learned from, beside forecasts that need no network."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from gatecast.power.clipped_normal import crps
from gatecast.power.forecaster import PowerForecast, PowerForecaster, training_rows
from gatecast.power.plant import Plant
from gatecast.power.windows import PowerWindows

BASES = ("persistence", "climatology", "curve")


def score_latest(model: PowerForecaster, plant: Plant, days: int) -> pd.DataFrame:
    """Fit on all but the latest days, and score the issues of these days.

    Args:
        model: fitted anew; it holds what it learned afterwards.
        plant: power and weather.
        days: at the end of the power, to test on.

    Returns:
        One row for each model: RMSE, MAE and CRPS in shares of capacity, and the shares inside the 50, 80 and 90 %
        intervals.

    Raises:
        DataError: too few issues are left to learn from.
    """
    early = plant.cut(24 * days)
    model.fit(early)
    rows = training_rows(plant, model.horizon)
    rows = rows[rows >= len(early.times) - 1]
    windows = PowerWindows(plant, rows, model.horizon, model.learned_)
    found = model.predict(plant, plant.times[rows])
    table = [
        {"model": f"{model.name} ensemble", **_scores(found.mean, windows.target), **_spread(found, windows.target)}
    ]
    table += [{"model": name, **_scores(windows.bases[name], windows.target)} for name in BASES]
    for one in table[1:]:
        one["CRPS"] = one["MAE"]  # a forecast without a distribution
    return pd.DataFrame(table)


def _scores(mean: np.ndarray, target: np.ndarray) -> dict[str, float]:
    error = (mean - target)[np.isfinite(target)]
    return {"RMSE": float(np.sqrt(np.mean(error**2))), "MAE": float(np.mean(np.abs(error)))}


def _spread(found: PowerForecast, target: np.ndarray) -> dict[str, float]:
    seen = np.isfinite(target)
    spread = torch.from_numpy(np.sqrt(found.model + found.noise))
    losses = crps(torch.from_numpy(found.centre), spread, torch.from_numpy(np.nan_to_num(target))).numpy()
    shares = {}
    for level in (50, 80, 90):
        low, high = (found.quantile(0.5 + sign * level / 200) for sign in (-1, 1))
        shares[f"inside {level} %"] = float(((low <= target) & (target <= high))[seen].mean())
    return {"CRPS": float(losses[seen].mean()), **shares}
