"""Cycles of varying length, counts with intermittent demand, and epidemics."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from gatecast.synthetic.draws import F, Sample, logu, noise, smooth, uni
from gatecast.synthetic.seasons import GRID, profile
from gatecast.synthetic.structural import structural


def cycles(rng: Generator, B: int, L: int) -> Sample:
    """Cycles whose length varies (sunspots, predators, relaxation), without a fixed period."""
    P = logu(rng, 8, 250, (B, 1))
    f = np.exp(uni(rng, 0.02, 0.3, (B, 1)) * smooth(rng, B, L, np.clip(L / P[:, 0] / 1.5, 1, 60)))
    ph = np.cumsum(f / P, 1) + uni(rng, 0, 1, (B, 1))
    prof = profile(rng, B, GRID)
    y = prof[np.arange(B)[:, None], ((ph % 1) * GRID).astype(np.int32)]
    y = y * np.exp(0.4 * smooth(rng, B, L, np.clip(L / P[:, 0], 1, 40)))
    y = y - y.min(1, keepdims=True)
    y = y + noise(rng, B, L) * logu(rng, 0.02, 0.6, (B, 1)) * np.where(rng.random((B, 1)) < 0.5, 1, 0.1 + 0.5 * y)
    hint = np.where(rng.random(B) < 0.3, np.maximum(P[:, 0].astype(int), 2), 0)
    return y.astype(F), hint, np.zeros(B, int)


def counts(rng: Generator, B: int, L: int) -> Sample:
    """Counts with a changing rate: negative binomial, with zeros, intermittent demand, pulses."""
    y, m1, m2 = structural(rng, B, L)
    z = np.clip((y - y.mean(1, keepdims=True)) / (y.std(1, keepdims=True) + 1e-6), -4, 4)
    rate = logu(rng, 0.1, 60, (B, 1)) * np.exp(z * uni(rng, 0.1, 0.9, (B, 1)))
    k = logu(rng, 0.5, 50, (B, 1))
    lam = rate * rng.gamma(np.broadcast_to(k, (B, L))) / k
    c = rng.poisson(np.minimum(lam, 1e6)).astype(F)
    off = rng.random((B, 1)) < 0.35
    c *= ~(off & (rng.random((B, L)) < uni(rng, 0.2, 0.95, (B, 1))))
    return c, m1, m2


def epidemic(rng: Generator, B: int, L: int) -> Sample:
    """Waves: the growth rate of cases follows a smooth process that is pulled back by immunity; weekly reporting."""
    n = L
    g = smooth(rng, B, n, logu(rng, 4, 25, B)) * logu(rng, 0.02, 0.12, (B, 1))
    x = np.zeros((B, n), F)
    lv = np.full(B, 2.0, F)
    cap = uni(rng, 4, 10, B)
    for t in range(n):
        lv = lv + g[:, t] - 0.01 * (lv - cap * 0.5) - np.where(lv > cap, 0.2 * (lv - cap), 0)
        x[:, t] = lv
    day = rng.integers(0, 7, (B, 1))
    wk = np.exp(rng.standard_normal((B, 7), dtype=F) * logu(rng, 0.02, 0.5, (B, 1)))
    weekly = rng.random(B) < 0.7
    w = wk[np.arange(B)[:, None], (np.arange(n)[None] + day) % 7]
    mu = np.exp(np.clip(x, -3, 12)) * np.where(weekly[:, None], w, 1)
    k = logu(rng, 2, 200, (B, 1))
    c = rng.poisson(np.minimum(mu * rng.gamma(np.broadcast_to(k, (B, n))) / k, 1e7)).astype(F)
    dump = rng.random((B, n)) < 0.003
    c = np.where(dump & (rng.random((B, 1)) < 0.5), c * 3, c)
    return c, np.where(weekly | (rng.random(B) < 0.7), 7, 0), np.zeros(B, int)
