"""What the epidemic benchmarks share: cumulative counts as panels, models per series, rolling origins, scores.

At every origin the counts up to it are turned into daily ones and repaired (``gatecast.data.daily_counts``), so that a
repair never knows what was reported later. Forecasts are compared with the daily counts of the whole series, repaired
with all that is known today, and by their sums with the cumulative numbers as they were reported.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from tasks import data_folder

from gatecast import Forecast, Forecaster, GatecastError, Panel, fit_each
from gatecast.epidemic import daily_counts
from gatecast.evaluation import weighted_interval_score

LEVELS = (50, 80, 95)


def panel_of(frame: pd.DataFrame) -> Panel:
    """A frame with a column a series and a row a day, as a panel."""
    start = frame.index[0].to_datetime64().astype("datetime64[ns]")
    series = [frame[name].to_numpy(np.float64) for name in frame.columns]
    flat = np.concatenate(series)[:, None]
    panel = Panel.from_arrays(series, ids=list(frame.columns), freq="D", starts=np.array([start] * len(series)))
    return replace(panel, target=flat).with_schema(target=("cases",))  # float64: counts of millions


def countries() -> pd.DataFrame:
    """Cumulative cases of ten countries, 2020-01-22 to 2023-03-09 (JHU CSSE, final version)."""
    table = pd.read_csv(data_folder() / "covid19_countries" / "countries.csv.gz", parse_dates=["date"])
    return table.pivot(index="date", columns="country", values="confirmed").astype(float)


class PerSeries(Forecaster):
    """One model of its own for every series, behind the doors of one.

    Args:
        model: forecaster that is cloned for each.
        name: column of the forecast.
    """

    def __init__(self, model: Forecaster, name: str) -> None:
        self.model = model
        self.name = name

    def fit(self, panel: Panel) -> Self:
        self.models_ = list(fit_each(self.model, panel).values())
        self.panel_ = panel
        return self

    def predict(self, horizon: int | None = None, *, panel: Panel | None = None, **options: Any) -> Forecast:
        panel = self.panel_ if panel is None else panel
        parts = [one.predict(horizon, panel=_only(panel, k), **options) for k, one in enumerate(self.models_)]
        mean, quantiles = (np.concatenate([getattr(part, name) for part in parts]) for name in ("mean", "quantiles"))
        return Forecast(self.name, panel, mean, parts[0].probabilities, quantiles)


def _only(panel: Panel, index: int) -> Panel:
    return panel.take(np.array([index]))


@dataclass(frozen=True)
class Rolled:
    """Forecasts of one model from every origin; NaN where it could not forecast.

    Args:
        mean: ``(origins, series, horizon)`` daily counts.
        ends: level in percent → lower and upper ends, each of that shape.
        why: origins without a forecast → reason.
    """

    mean: np.ndarray
    ends: dict[float, tuple[np.ndarray, np.ndarray]]
    why: dict[int, str]


def known_at(cumulative: Panel, origins: Sequence[int]) -> list[Panel]:
    """Daily counts as they could be known at each origin: cut first, then repaired."""
    rows = len(cumulative.series(0))
    return [daily_counts(cumulative.cut(rows - origin)) for origin in origins]


def roll(
    make: Callable[[Panel], Forecaster],
    known: Sequence[Panel],
    horizon: int,
    *,
    refit: int = 1,
    keep: Sequence[int] = (0,),
) -> Rolled:
    """Forecast from every origin.

    Args:
        make: the counts known → an unfitted forecaster; its own horizon may be shorter.
        known: daily counts at each origin.
        horizon: days ahead.
        refit: origins between two fits.
        keep: series that are scored.
    """
    shape = (len(known), len(keep), horizon)
    mean = np.full(shape, np.nan)
    ends = {float(level): (np.full(shape, np.nan), np.full(shape, np.nan)) for level in LEVELS}
    why: dict[int, str] = {}
    fitted: Forecaster | None = None
    for k, panel in enumerate(known):
        try:
            if k % refit == 0 or fitted is None:
                fitted = make(panel).fit(panel)
            days = min(horizon, getattr(fitted, "horizon", horizon))
            forecast = fitted.predict(days, panel=panel, levels=LEVELS)
        except GatecastError as error:
            why[k] = str(error)
            continue
        mean[k, :, :days] = forecast.mean[list(keep), :, 0]
        for level, (low, high) in ends.items():
            lower, upper = forecast.interval(level)
            low[k, :, :days], high[k, :, :days] = lower[list(keep), :, 0], upper[list(keep), :, 0]
    return Rolled(mean, ends, why)


def actual_daily(cumulative: Panel, origins: Sequence[int], horizon: int, keep: Sequence[int] = (0,)) -> np.ndarray:
    """``(origins, series, horizon)`` new cases after each origin, repaired with all that is known today."""
    whole = daily_counts(cumulative)
    return np.stack([np.stack([whole.series(k)[o : o + horizon, 0] for k in keep]) for o in origins])


def scores(rolled: Rolled, actual: np.ndarray, days: slice, scale: np.ndarray | None = None) -> dict[str, float]:
    """WIS and absolute error (in units of ``scale``, one a series, where it is given) and cover, over some days."""
    y, mean = actual[..., days], rolled.mean[..., days]
    ends = {level: (low[..., days], high[..., days]) for level, (low, high) in rolled.ends.items()}
    unit = 1.0 if scale is None else scale[None, :, None]
    seen = np.isfinite(y) & np.isfinite(mean)
    wis = weighted_interval_score(y, mean, ends) / unit
    found = {"MAE": _mean(np.abs(y - mean) / unit, seen), "WIS": _mean(wis, seen)}
    inside = {level: (y >= low) & (y <= high) for level, (low, high) in ends.items()}
    return found | {f"in {level:g} %": 100 * _mean(held, seen) for level, held in inside.items()}


def _mean(values: np.ndarray, seen: np.ndarray) -> float:
    return float(np.mean(values[seen])) if seen.any() else float("nan")


def cumulative_error(rolled: Rolled, cumulative: Panel, origins: Sequence[int], day: int, keep: int = 0) -> np.ndarray:
    """``(origins,)`` relative error of the forecast total after ``day`` days."""
    totals = cumulative.series(keep)[:, 0]
    known, then = (np.array([totals[o - 1 + shift] for o in origins]) for shift in (0, day))
    return (known + rolled.mean[:, 0, :day].sum(-1)) / then - 1


def arguments(doc: str | None, quick: str, **numbers: int) -> argparse.Namespace:
    """The options given to an epidemic benchmark; PyTorch runs on as many threads as they say.

    Args:
        doc: of the benchmark.
        quick: what ``--quick`` leaves.
        **numbers: further options with whole numbers as defaults.
    """
    import common

    parser = common.arguments(doc)
    parser.add_argument("--quick", action="store_true", help=quick)
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    return args
