"""Batches of synthetic series: a mixture of families, with events, holes and what a model is given of the season."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from gatecast.base.findings import Arg
from gatecast.base.options import Bounds, check_value
from gatecast.synthetic.draws import Array, F, logu, periods, smooth, uni
from gatecast.synthetic.processes import arima, ets, gp
from gatecast.synthetic.structural import structural
from gatecast.synthetic.systems import counts, cycles, epidemic


@dataclass(frozen=True, eq=False)
class Batch:
    """Synthetic series and what a model is given of them.

    Args:
        values: ``(series, time)`` float32, of mean absolute value 1.
        observed: ``(series, time)`` bool; False: a hole.
        season: ``(series,)`` the first period given, in steps; 0: none. A tenth of them is wrong, as it is in life.
        second: ``(series,)`` the second period given; 0: none.
    """

    values: Array
    observed: Array
    season: Array
    second: Array


FAMILIES = [
    (structural, 0.44),
    (arima, 0.13),
    (ets, 0.13),
    (gp, 0.08),
    (cycles, 0.07),
    (counts, 0.08),
    (epidemic, 0.07),
]


def generate(series: int, length: int = 1024, *, rng: Generator | int = 0) -> Batch:
    """A batch of synthetic series, the same to the bit for the same seed on the same version of NumPy.

    Families and shares: structural 44 %, seasonal ARIMA 13 %, exponential smoothing 13 %, Gaussian processes 8 %,
    counts 8 %, cycles 7 %, epidemics 7 %; then outliers, shifts of the level, censoring, rounding and holes.

    Args:
        series: number of series.
        length: values of each, from 32 to 4096.
        rng: a seed or a generator, which is advanced.

    Raises:
        SettingError: a number is out of its bounds.

    Example:
        >>> from gatecast.synthetic import generate
        >>> batch = generate(8, 256, rng=1)
        >>> batch.values.shape, batch.observed.dtype
        ((8, 256), dtype('bool'))
    """
    check_value(Arg("series"), series, "int", Bounds(least=1, limit=1_000_000))
    check_value(Arg("length"), length, "int", Bounds(least=32, limit=4096))
    rng = np.random.default_rng(rng)
    B, L = series, length
    n = rng.multinomial(B, [w for _, w in FAMILIES])
    ys, a, b = [], [], []
    for (f, _), k in zip(FAMILIES, n, strict=True):
        if k:
            y, m1, m2 = f(rng, int(k), L)
            ys.append(y)
            a.append(m1)
            b.append(m2)
    y, m1, m2 = np.concatenate(ys), np.concatenate(a), np.concatenate(b)
    p = rng.permutation(B)
    y, m1, m2 = np.nan_to_num(y[p]), m1[p].astype(int), m2[p].astype(int)
    mu, sd = y.mean(1, keepdims=True), y.std(1, keepdims=True) + 1e-6
    whole = (y == np.round(y)).all(1)
    # events: outliers, shifts of the level, changes, clipping, mixing
    i = np.flatnonzero(rng.random(B) < 0.12)
    hit = rng.random((len(i), L)) < logu(rng, 0.001, 0.02, (len(i), 1))
    y[i] += hit * rng.standard_normal((len(i), L), dtype=F) * sd[i] * uni(rng, 2, 8, (len(i), 1))
    i = np.flatnonzero(rng.random(B) < 0.1)
    at = rng.random((len(i), L)) < logu(rng, 0.5, 5, (len(i), 1)) / L
    y[i] += np.cumsum(at * rng.standard_normal((len(i), L), dtype=F), 1) * sd[i] * uni(rng, 0.3, 2.5, (len(i), 1))
    i = np.flatnonzero((rng.random(B) < 0.05) & ~whole)
    y[i] = y[i] * np.exp(uni(rng, 0.2, 0.8, (len(i), 1)) * smooth(rng, len(i), L, logu(rng, 0.5, 5, len(i))))
    i = np.flatnonzero((rng.random(B) < 0.06) & (m1 > 1) & ~whole)  # mixed with another of the same periods
    j = np.roll(i, 1)
    same = m1[i] == m1[j]
    i, j = i[same], j[same]
    lam = uni(rng, 0.2, 0.8, (len(i), 1))
    y[i] = lam * (y[i] - mu[i]) / sd[i] + (1 - lam) * (y[j] - mu[j]) / sd[j]
    flip = (rng.random(B) < 0.2) & ~whole
    y[flip] *= -1
    back = rng.random(B) < 0.06
    y[back] = y[back, ::-1]
    i = np.flatnonzero(rng.random(B) < 0.07)
    lo = np.quantile(y[i], rng.uniform(0, 0.5), axis=1, keepdims=True) if len(i) else 0
    y[i] = np.maximum(y[i], lo) - lo * (rng.random((len(i), 1)) < 0.7)
    i = np.flatnonzero(rng.random(B) < 0.03)
    if len(i):
        y[i] = np.minimum(y[i], np.quantile(y[i], rng.uniform(0.6, 1), axis=1, keepdims=True))
    i = np.flatnonzero(rng.random(B) < 0.06)
    step = sd[i] * logu(rng, 0.02, 0.5, (len(i), 1))
    y[i] = np.round(y[i] / step) * step
    # holes
    obs = np.ones((B, L), bool)
    i = np.flatnonzero(rng.random(B) < 0.1)
    obs[i] &= rng.random((len(i), L)) > logu(rng, 0.005, 0.3, (len(i), 1))
    for r in np.flatnonzero(rng.random(B) < 0.06):
        for _ in range(rng.integers(1, 4)):
            s = rng.integers(0, L)
            obs[r, s : s + int(np.exp(rng.uniform(0, 4)))] = False
    # what the model is given of the season: the truth, nothing or something wrong
    u = rng.random(B)
    m1 = np.where(m1 < 2, 0, m1)
    m2 = np.where(m2 < 2, 0, m2)
    none = u < 0.08
    swap = (u > 0.08) & (u < 0.16) & (m2 > 0)
    drop = (u > 0.16) & (u < 0.32)
    wrong = u > 0.9
    r1, r2 = periods(rng, B)
    m1 = np.where(none, 0, np.where(wrong, r1, np.where(swap, m2, m1)))
    m2 = np.where(none | swap | drop, 0, np.where(wrong, r2, m2))
    noseason = (m1 == 0) & (rng.random(B) < 0.5)
    m1 = np.where(noseason & ~none, np.maximum(r1, 0), m1)
    y = y / (np.abs(y).mean(1, keepdims=True) + 1e-6)
    return Batch(np.nan_to_num(y).astype(F), obs, m1, m2)
