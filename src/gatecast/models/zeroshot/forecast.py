"""From arrays to quantiles: series are normalised, cut into patches, grouped by length and forecast 64 steps at a time.

A batch always holds eight rows of one length, so that a series has the same forecast, to the bit, whatever other
series there are. Beyond 64 steps the medians are appended as values that were not observed, and spreads add in
quadrature.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gatecast.models.zeroshot.bases import simple_forecasts
from gatecast.models.zeroshot.history import Series, read_history
from gatecast.models.zeroshot.net import ZeroShotNet
from gatecast.models.zeroshot.sizes import CONTEXT, MEDIAN, PATCH, PROBABILITIES, SEASON, STEPS
from gatecast.synthetic import fill_holes

ROWS = 8  # of every batch
LATEST = 8  # steps whose spread a next pass starts from

Periods = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Known:
    """A normalised series.

    Args:
        values: ``(time,)`` float64, NaN where missing, medians of earlier passes at the end.
        unseen: number of those medians.
        centre, scale: of the raw values.
        periods: first and second season; 0: none.
    """

    values: np.ndarray
    unseen: int
    centre: float
    scale: float
    periods: Periods

    @classmethod
    def of(cls, raw: np.ndarray, periods: Periods) -> Known:
        """The latest values of a series that holds at least one."""
        seen = np.flatnonzero(np.isfinite(raw))
        values = raw[seen[0] :][-CONTEXT:].astype(np.float64)
        if not np.isfinite(values).any():  # a hole as long as the context
            values = raw[seen[-1] : seen[-1] + 1].astype(np.float64)
        centre, spread = float(np.nanmean(values)), float(np.nanstd(values))
        scale = spread if spread > 1e-9 * abs(centre) and spread > 0 else (abs(centre) or 1.0)
        first, second = (m if 1 < m <= SEASON else 0 for m in periods)
        return cls((values - centre) / scale, 0, centre, scale, (first, second))

    @property
    def patches(self) -> int:
        return -(-len(self.values) // PATCH)

    def followed(self, medians: np.ndarray) -> Known:
        """With the medians of a pass at the end."""
        values = np.concatenate([self.values, medians])
        return Known(values, self.unseen + len(medians), self.centre, self.scale, self.periods)


def quantile_forecast(
    net: ZeroShotNet, series: Sequence[np.ndarray], periods: Sequence[Periods], horizon: int
) -> np.ndarray:
    """``(series, horizon, 11)`` quantiles of :data:`PROBABILITIES`; NaN for a series without values.

    Args:
        net: with its weights.
        series: ``(time,)`` arrays; NaN: missing.
        periods: first and second season of each; 0: none.
        horizon: steps ahead.
    """
    out = np.full((len(series), horizon, len(PROBABILITIES)), np.nan)
    places = [k for k, raw in enumerate(series) if np.isfinite(raw).any()]
    known = [Known.of(series[k], periods[k]) for k in places]
    carried = np.zeros((len(known), 1, len(PROBABILITIES)))
    for first in range(0, horizon, STEPS):
        passed = _pass(net, known)
        middle = passed[..., MEDIAN : MEDIAN + 1]
        distance = passed - middle
        distance = np.sign(distance) * np.hypot(distance, carried)
        carried = distance[:, -LATEST:].mean(1, keepdims=True)
        end = min(horizon, first + STEPS)
        centre, scale = (np.array([[[getattr(one, name)]] for one in known]) for name in ("centre", "scale"))
        if known:
            out[places, first:end] = (middle + distance)[:, : end - first] * scale + centre
        known = [one.followed(medians) for one, medians in zip(known, middle[..., 0], strict=True)]
    return out


def _pass(net: ZeroShotNet, known: Sequence[Known]) -> np.ndarray:
    """``(series, 64, 11)`` sorted quantiles of normalised series."""
    out = np.empty((len(known), STEPS, len(PROBABILITIES)))
    for rows in _groups(known):
        batch = as_series([known[k] for k in rows])
        history = read_history(batch)
        last = torch.tensor([batch.patches - 1])
        with torch.inference_mode():
            units = net(history.tokens, simple_forecasts(batch, history).at(last), last)[:, 0]
        found = units * history.unit[:, -1, None, None] + history.location[:, -1, None, None]
        out[rows] = found.sort(-1)[0].numpy()[: len(rows)]
    return out


def _groups(known: Sequence[Known]) -> Iterator[list[int]]:
    """Places of at most eight series with the same number of patches."""
    by_length: dict[int, list[int]] = {}
    for place, one in enumerate(known):
        by_length.setdefault(one.patches, []).append(place)
    for places in by_length.values():
        for first in range(0, len(places), ROWS):
            yield places[first : first + ROWS]


def as_series(known: Sequence[Known]) -> Series:
    """A batch of eight: series of one number of patches, aligned at their ends; the last one is repeated."""
    rows = [*known, *[known[-1]] * (ROWS - len(known))]
    length = rows[0].patches * PATCH
    values = np.full((ROWS, length), np.nan)
    unseen = np.zeros((ROWS, length), bool)
    for row, one in enumerate(rows):
        values[row, length - len(one.values) :] = one.values
        unseen[row, length - one.unseen :] = True
    there = np.isfinite(values)
    season, second = np.array([one.periods for one in rows]).T.copy()
    start = np.array([length - len(one.values) for one in rows])
    filled = fill_holes(np.nan_to_num(values).astype(np.float32), there, season)
    offset = np.array([[one.centre / one.scale] for one in rows], np.float32)
    arrays = (np.ascontiguousarray(filled), there & ~unseen, start, season, second, offset)
    return Series(*(torch.from_numpy(one) for one in arrays))


def find_periods(raw: np.ndarray) -> Periods:
    """The season of a series that has no dates: of the peaks of its autocorrelation, the one that forecasts best.

    The judge is the smallest past error of the simple forecasts with this season, which must be 5 % lower than without.
    """
    if not np.isfinite(raw).any():
        return (0, 0)
    known = Known.of(raw, (0, 0))
    candidates = [0, *_peaks(known.values)]
    if len(candidates) == 1:
        return (0, 0)
    tried = [Known(known.values, 0, known.centre, known.scale, (m, 0)) for m in candidates]
    batch = as_series(tried[:ROWS])
    history = read_history(batch)
    spread = simple_forecasts(batch, history).spread[:, -1]
    errors = (spread.mean(-1) * history.unit[:, -1])[: len(tried)].numpy()
    if len(errors) < 2 or errors[1:].min() >= 0.95 * errors[0]:
        return (0, 0)
    good = 1 + np.flatnonzero(errors[1:] <= 1.03 * errors[1:].min())  # the shortest of those that are about as good
    return (candidates[int(good[0])], 0)


def _peaks(values: np.ndarray, most: int = 6) -> list[int]:
    """The shortest lags of high peaks of the autocorrelation, of the values without a straight line, ascending."""
    n = len(values)
    longest = min(SEASON, n // 3)
    if longest < 3:
        return []
    rows = np.arange(n)
    filled = np.interp(rows, np.flatnonzero(np.isfinite(values)), values[np.isfinite(values)])
    rest = filled - np.polyval(np.polyfit(rows, filled, 1), rows)
    spectrum = np.abs(np.fft.rfft(rest, 2 * n)) ** 2
    acf = np.fft.irfft(spectrum)[: longest + 2]
    acf = acf / max(acf[0], 1e-12) * n / (n - np.arange(len(acf)))
    lags = np.arange(2, longest + 1)
    peak = (acf[lags] > acf[lags - 1]) & (acf[lags] >= acf[lags + 1]) & (acf[lags] > 0.2)
    high = acf[lags] > 0.7 * acf[lags][peak].max(initial=0.0)
    return [int(lag) for lag in lags[peak & high][:most]]
