"""Past nowcasts beside what fell: scores pooled over origins, by model, time ahead and threshold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import pandas as pd
import torch
from torch.nn import functional as F

from gatecast.base.errors import DataError
from gatecast.base.text import plural
from gatecast.data.grid.grid import Grid
from gatecast.nowcast.context import CONTEXT
from gatecast.nowcast.forecast import Nowcast

SCORED = (0.5, 1.0, 5.0, 10.0)  # mm/h
LEADS = (15.0, 30.0, 45.0, 60.0, 75.0, 90.0, 105.0, 120.0)  # minutes
LEAST_AHEAD = 30.0  # minutes that must have been observed after an origin; farther times ahead have fewer origins
FSS_KM = 20.0
BINS = 10
BOOTSTRAPS = 1000
LEAST_ORIGINS = 5  # for a test


@runtime_checkable
class NowcastModel(Protocol):
    """What a backtest runs."""

    @property
    def name(self) -> str:
        """In tables."""

    def predict(self, grid: Grid, steps: int) -> Nowcast:
        """Forecast the fields that follow."""


@dataclass(frozen=True, eq=False)
class NowcastBacktest:
    """Counts of past nowcasts.

    Args:
        counts: one row for each model, origin, minutes and threshold: pixels with hits, misses, false alarms and
            correct negatives; ``brier`` and ``crps`` as sums over pixels; the terms of the FSS.
        reliability: pixels and observed pixels by model and class of the probability of rain above the first threshold.
    """

    counts: pd.DataFrame
    reliability: pd.DataFrame

    @property
    def models(self) -> list[str]:
        """Names in the order of the run."""
        return list(dict.fromkeys(self.counts["model"]))

    @property
    def origins(self) -> int:
        """Number of origins."""
        return int(self.counts["origin"].nunique())

    def scores(self) -> pd.DataFrame:
        """CSI, POD, FAR, bias, ETS, FSS, Brier score and CRPS (mm/h) of pooled counts."""
        keys = ["model", "minutes", "threshold"]
        total = self.counts.drop(columns="origin").groupby(keys, sort=False).sum()
        return score_table(total).reset_index()

    def verdict(self, candidate: str, *, threshold: float = SCORED[0], minutes: float = 60.0, seed: int = 0) -> str:
        """Whether a model's CSI is above that of the best rival, with a bootstrap over blocks of origins."""
        chosen = self.counts[(self.counts["threshold"] == threshold) & (self.counts["minutes"] == minutes)]
        table = {name: one.set_index("origin") for name, one in chosen.groupby("model")}
        rivals = [name for name in table if name != candidate]
        if candidate not in table or not rivals:
            return "No backtest was run, so how good these nowcasts are is not known."
        own, best = _csi(table[candidate]), max(rivals, key=lambda name: _csi(table[name]))
        other = _csi(table[best])
        if own <= 0 and other <= 0:
            return f"No model found rain of {threshold:g} mm/h {minutes:g} min ahead."
        head = (
            f"{candidate} has a CSI of {own:.2f} at {threshold:g} mm/h {minutes:g} min ahead, the best rival ({best}) "
            f"{other:.2f}"
        )
        if len(table[candidate]) < LEAST_ORIGINS:
            return (
                f"{head}. With only {plural(len(table[candidate]), 'origin')} no test is possible: take it as a hint."
            )
        low, high = _interval(table[candidate], table[best], seed)
        if low > 0:
            return f"{head}: it is better ({low:+.3f} to {high:+.3f}, 95 % by bootstrap over origins)."
        if high < 0:
            return f"{head}: use {best} here ({low:+.3f} to {high:+.3f}, 95 % by bootstrap over origins)."
        return f"{head}: the difference is not proven ({low:+.3f} to {high:+.3f}, 95 % by bootstrap over origins)."


def backtest_nowcasts(
    models: Sequence[NowcastModel],
    grid: Grid,
    *,
    minutes: float = 90.0,
    every: float = 30.0,
    thresholds: Sequence[float] = SCORED,
    stage: Callable[[str], None] = lambda text: None,
) -> NowcastBacktest:
    """Forecast the past of an event from several origins; each model sees only the fields up to its origin.

    Args:
        models: with ``name`` and ``predict(grid, steps)``.
        grid: the event.
        minutes: the farthest time ahead.
        every: minutes between two origins.
        thresholds: mm/h, of the scores.
        stage: called with a line for each origin.

    Raises:
        DataError: the event is too short.

    Example:
        >>> import numpy as np, gatecast
        >>> from gatecast.nowcast import Persistence, backtest_nowcasts
        >>> grid = gatecast.read_grid(np.ones((14, 24, 24)), units="mm/h", step=10, pixel_km=2)
        >>> found = backtest_nowcasts([Persistence()], grid, minutes=30)
        >>> found.scores().query("threshold == 0.5")["CSI"].tolist()
        [1.0, 1.0]
    """
    origins = origins_of(grid, min(minutes, LEAST_AHEAD), every)
    rows, classes = list[dict[str, object]](), list[pd.DataFrame]()
    for number, last in enumerate(origins, 1):
        stage(f"origin {number} of {len(origins)}")
        steps = min(max(1, int(minutes // grid.step)), len(grid) - 1 - last)
        for model in models:
            nowcast = model.predict(grid.rows(0, last + 1), steps)
            rows += _counts(nowcast, grid, last, thresholds)
            classes.append(_classes(nowcast, grid, last, thresholds[0]))
    reliability = pd.concat(classes).groupby(["model", "bin"], sort=False).sum().reset_index()
    return NowcastBacktest(pd.DataFrame(rows), reliability)


def origins_of(grid: Grid, minutes: float, every: float) -> list[int]:
    """Numbers of the last field before each origin.

    Args:
        grid: the event.
        minutes: that must have been observed after an origin.
        every: minutes between two origins.

    Raises:
        DataError: the event has no origin.
    """
    ahead, step = max(1, int(minutes // grid.step)), max(1, round(every / grid.step))
    found = [last for last in range(CONTEXT - 1, len(grid) - ahead, step) if not grid.missing[last].all()]
    if not found:
        needed = CONTEXT + ahead
        problem = f"{len(grid)} fields are too few for a backtest {minutes:g} min ahead: {needed} are needed"
        raise DataError(problem, "give more fields, or a shorter horizon", place=grid.source)
    return found


def score_table(total: pd.DataFrame) -> pd.DataFrame:
    """Scores of pooled counts."""
    hits, misses, false = (total[name].astype(float) for name in ("hits", "misses", "false_alarms"))
    pixels = hits + misses + false + total["correct"]
    random = (hits + misses) * (hits + false) / pixels
    return pd.DataFrame(
        {
            "CSI": hits / (hits + misses + false),
            "POD": hits / (hits + misses),
            "FAR": false / (hits + false),
            "bias": (hits + false) / (hits + misses),
            "ETS": (hits - random) / (hits + misses + false - random),
            f"FSS {FSS_KM:g} km": 1 - total["fss_error"] / total["fss_worst"].replace(0, np.nan),
            "Brier": total["brier"] / pixels,
            "CRPS": total["crps"] / pixels,
        }
    )


def _counts(nowcast: Nowcast, grid: Grid, last: int, thresholds: Sequence[float]) -> Iterable[dict[str, object]]:
    wanted = {round(minutes / grid.step) for minutes in LEADS if minutes <= len(nowcast) * grid.step}
    for step in sorted(wanted - {0}):
        observed, seen = grid.values[last + step], ~grid.missing[last + step]
        crps = _crps(nowcast, step, observed, seen)
        for threshold in thresholds:
            said, fell = nowcast.exceeds_at(threshold, step), (observed >= threshold) & seen
            chance = nowcast.probability(threshold)[step - 1]
            error, worst = _fss(said & seen, fell, grid.pixel_km)
            yield {
                "model": nowcast.model,
                "origin": last,
                "minutes": round(step * grid.step, 3),
                "threshold": float(threshold),
                "hits": int((said & fell).sum()),
                "misses": int((~said & fell).sum()),
                "false_alarms": int((said & ~fell & seen).sum()),
                "correct": int((~said & ~fell & seen).sum()),
                "brier": float(((chance - fell)[seen] ** 2).sum(dtype=np.float64)),
                "crps": crps,
                "fss_error": error,
                "fss_worst": worst,
            }


def _crps(nowcast: Nowcast, step: int, observed: np.ndarray, seen: np.ndarray) -> float:
    """Sum over pixels of the integral of (P(R > r) − 1[r < observed])² over r, each threshold for its part."""
    edges = np.array(nowcast.thresholds)
    widths = np.diff(np.concatenate([[0.0], np.sqrt(edges[1:] * edges[:-1]), [edges[-1] * 1.5]]))
    chances = nowcast.probabilities[step - 1][:, seen]
    exceeded = observed[seen][None] >= edges[:, None]
    return float((((chances - exceeded) ** 2).sum(1, dtype=np.float64) * widths).sum())


def _fss(said: np.ndarray, fell: np.ndarray, pixel_km: float) -> tuple[float, float]:
    """Terms of the fractions skill score (Roberts & Lean 2008): shares of squares of 20 km, compared."""
    size = max(1, round(FSS_KM / pixel_km))
    both = torch.from_numpy(np.stack([said, fell])).float()[:, None]
    before = size // 2  # a square of an even width reaches one pixel further up and left
    padded = F.pad(both, (before, size - 1 - before, before, size - 1 - before))
    first, second = F.avg_pool2d(padded, size, stride=1)[:, 0].double()
    return float(((first - second) ** 2).sum()), float((first**2 + second**2).sum())


def _classes(nowcast: Nowcast, grid: Grid, last: int, threshold: float) -> pd.DataFrame:
    """Pixels by class of the probability, over all steps."""
    chance = nowcast.probability(threshold)
    observed = grid.values[last + 1 : last + 1 + len(nowcast)] >= threshold
    seen = ~grid.missing[last + 1 : last + 1 + len(nowcast)]
    place = np.minimum((chance[seen] * BINS).astype(int), BINS - 1)
    sums = {
        "pixels": np.bincount(place, minlength=BINS),
        "observed": np.bincount(place, observed[seen], minlength=BINS),
        "probability": np.bincount(place, chance[seen], minlength=BINS),
    }
    return pd.DataFrame({"model": nowcast.model, "bin": range(BINS), **sums})


def _csi(rows: pd.DataFrame) -> float:
    hits, others = rows["hits"].sum(), rows["misses"].sum() + rows["false_alarms"].sum()
    return float(hits / max(1, hits + others))


def _interval(own: pd.DataFrame, other: pd.DataFrame, seed: int) -> tuple[float, float]:
    """95 % interval of the difference of CSI, by a bootstrap over blocks of two origins next to each other."""
    draw, origins = np.random.default_rng(seed), own.index.to_numpy()
    blocks = [origins[k : k + 2] for k in range(0, len(origins), 2)]
    found = []
    for _ in range(BOOTSTRAPS):
        rows = np.concatenate([blocks[k] for k in draw.integers(len(blocks), size=len(blocks))])
        found.append(_csi(own.loc[rows]) - _csi(other.loc[rows]))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)
