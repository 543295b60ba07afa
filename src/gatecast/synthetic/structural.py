"""Series made of trend, one or two seasons and noise: additive, multiplicative or exponential."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator

from gatecast.synthetic.draws import Array, F, Sample, logu, noise, periods, power, smooth, uni
from gatecast.synthetic.seasons import season


def trend(rng: Generator, B: int, L: int) -> Array:
    t = (np.arange(L, dtype=F) / L)[None]
    kind = rng.choice(9, B, p=[0.25, 0.12, 0.06, 0.06, 0.12, 0.17, 0.08, 0.1, 0.04])
    out = np.zeros((B, L), F)
    sign = np.where(rng.random((B, 1)) < 0.6, 1, -1).astype(F)

    def put(i: int, f: Any) -> None:
        sel = kind == i
        n = int(sel.sum())
        if n:
            out[sel] = f(n)

    put(1, lambda n: np.broadcast_to(t * uni(rng, 0.2, 3, (n, 1)), (n, L)))
    put(2, lambda n: 1 - np.exp(-t * logu(rng, 1, 30, (n, 1))))
    put(3, lambda n: (np.exp(t * uni(rng, 0.5, 5, (n, 1))) - 1) / np.exp(uni(rng, 0.5, 4, (n, 1))))

    def piecewise(n: int) -> Any:
        slope = np.zeros((n, L), F)
        jumps = rng.random((n, L)) < logu(rng, 1.5, 12, (n, 1)) / L
        slope[jumps] = rng.standard_normal(int(jumps.sum()))
        slope[:, 0] = rng.standard_normal(n, dtype=F)
        return np.cumsum(np.cumsum(slope, 1), 1) / L * 2

    put(4, piecewise)
    put(5, lambda n: np.cumsum(rng.standard_normal((n, L), dtype=F) + uni(rng, -0.1, 0.1, (n, 1)), 1) / np.sqrt(L) * 2)
    put(6, lambda n: np.cumsum(power(rng, n, L, uni(rng, 1, 2, n)), 1) / 200)
    put(7, lambda n: smooth(rng, n, L, logu(rng, 0.5, 12, n)))
    put(8, lambda n: 1 / (1 + np.exp(-(t - uni(rng, 0.1, 1.1, (n, 1))) * logu(rng, 4, 60, (n, 1)))) * 2)
    return out * sign


def structural(rng: Generator, B: int, L: int) -> Sample:
    m1, m2 = periods(rng, B)
    t = np.arange(L)
    off = rng.integers(0, 10000, B)
    s1 = season(rng, m1, L, t)
    # the second period: a pattern of its own, factors of the days, or two kinds of days
    s2 = season(rng, m2, L, t)
    multiple = (m1 > 1) & (m2 > 0) & (m2 % np.maximum(m1, 1) == 0) & (m2 // np.maximum(m1, 1) <= 14)
    week = multiple & (rng.random(B) < 0.8)
    if week.any():
        i = np.flatnonzero(week)
        n = len(i)
        days = (m2[i] // m1[i])[:, None]
        day = (t[None] // m1[i][:, None] + off[i][:, None]) % days
        rows = np.arange(n)[:, None]
        weekend = np.zeros((n, 14), F)
        k = rng.integers(1, 3, n)
        weekend[np.arange(n), 0] = 1
        weekend[np.arange(n), 1] = k > 1
        two = rng.random((n, 1)) < 0.7
        weekend *= two
        a = season(rng, m1[i], L, t)
        w = weekend[rows, day]
        blend = uni(rng, 0.2, 1, (n, 1))
        mixed = s1[i] * (1 - w * blend) + a * (w * blend)
        level = rng.standard_normal((n, 14), dtype=F) * logu(rng, 0.03, 0.4, (n, 1))
        level -= weekend * uni(rng, -0.5, 1.5, (n, 1))
        factor = np.exp(rng.standard_normal((n, 14), dtype=F) * 0.15 - weekend * uni(rng, -0.3, 1.0, (n, 1)))
        mul = rng.random((n, 1)) < 0.5
        s1[i] = np.where(mul, mixed * factor[rows, day] + level[rows, day], mixed + level[rows, day])
        s2[i] *= uni(rng, 0, 0.2, (n, 1))
    tr = trend(rng, B, L)
    seas = s1 * logu(rng, 0.15, 2, (B, 1)) + s2 * logu(rng, 0.1, 1.5, (B, 1))
    seas *= rng.random((B, 1)) < 0.95
    tscale = logu(rng, 0.05, 4, (B, 1))
    sig = tr * tscale + seas
    size = seas.std(1, keepdims=True) + 0.3 * tr.std(1, keepdims=True) * tscale + 0.02
    e = noise(rng, B, L) * logu(rng, 0.01, 1.2, (B, 1)) * size
    mode = rng.random((B, 1))
    base = uni(rng, 0.3, 6, (B, 1))
    add = sig + e
    # multiplicative: the level times season times noise
    soft = base * np.exp(np.clip(0.5 * tr * tscale, -4, 4))
    amp = uni(rng, 0.1, 0.9, (B, 1)) / (np.abs(seas).max(1, keepdims=True) + 1e-3)
    mul = soft * (1 + np.maximum(amp * seas, -1)) * (1 + amp * e)
    ex = np.exp(np.clip(uni(rng, 0.2, 0.9, (B, 1)) * add, -8, 8))
    y = np.where(mode < 0.5, add + np.where(rng.random((B, 1)) < 0.5, base, 0), np.where(mode < 0.85, mul, ex))
    return y.astype(F), m1, m2
