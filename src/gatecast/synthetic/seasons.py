"""Seasonal profiles of seven kinds, and seasons that change over time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator

from gatecast.synthetic.draws import Array, F, logu, smooth, uni


def profile(rng: Generator, B: int, n: int) -> Array:
    """Seasonal profiles (B, n) on a grid of phases, several shapes, unit scale."""
    u = (np.arange(n, dtype=F) / n)[None]
    k = np.arange(1, 11, dtype=F)
    basis = np.exp(2j * np.pi * u.T * k[None]).astype(np.complex64)  # (n, 10)
    kind = rng.choice(7, B, p=[0.42, 0.16, 0.12, 0.05, 0.13, 0.06, 0.06])
    out = np.empty((B, n), F)

    def fourier(c: int) -> Any:
        a = rng.standard_normal((c, 10), dtype=F) * k[None] ** -uni(rng, 0.3, 3, (c, 1))
        a *= rng.random((c, 10)) < uni(rng, 0.3, 1, (c, 1))
        a[:, 0] += 0.3
        return ((a * np.exp(1j * uni(rng, 0, 2 * np.pi, (c, 10)))).astype(np.complex64) @ basis.T).real

    def bumps(c: int) -> Any:
        x = np.zeros((c, n), F)
        for _ in range(3):
            mu, w, h = uni(rng, 0, 1, (c, 1)), logu(rng, 0.02, 0.2, (c, 1)), rng.standard_normal((c, 1), dtype=F)
            d = np.abs(u - mu)
            x += h * np.exp(-0.5 * (np.minimum(d, 1 - d) / w) ** 2)
        return x

    def block(c: int) -> Any:  # open or closed
        return (((u - uni(rng, 0, 1, (c, 1))) % 1) < uni(rng, 0.1, 0.7, (c, 1))) + 0.3 * bumps(c)

    def saw(c: int) -> Any:
        x = ((u - uni(rng, 0, 1, (c, 1))) % 1) ** logu(rng, 0.4, 3, (c, 1))
        return np.where(rng.random((c, 1)) < 0.5, x, -x)

    def slots(c: int) -> Any:
        return rng.standard_normal((c, n), dtype=F)

    def daylight(c: int) -> Any:
        return np.maximum(np.sin(2 * np.pi * (u - uni(rng, 0, 1, (c, 1)))), uni(rng, -0.8, 0.5, (c, 1)))

    def skew(c: int) -> Any:
        x = fourier(c)
        return np.exp(uni(rng, 0.3, 1.2, (c, 1)) * x / (x.std(1, keepdims=True) + 1e-6))

    for i, f in enumerate((fourier, bumps, block, saw, slots, daylight, skew)):
        sel = kind == i
        if sel.any():
            out[sel] = f(int(sel.sum()))
    out -= out.mean(1, keepdims=True)
    return out / (out.std(1, keepdims=True) + F(1e-4))


GRID = 400  # phases of a profile


def season(rng: Generator, m: Array, L: int, idxphase: Array) -> Array:
    """One season of period m (B,), with a profile that may change its amplitude, its shape or its phase over time."""
    B = len(m)
    prof = profile(rng, B, GRID)
    mm = np.maximum(m, 1)
    phase = (idxphase[None] % mm[:, None]) / mm[:, None].astype(F)
    slot = (phase * GRID).astype(np.int32)
    rows = np.arange(B)[:, None]
    s = prof[rows, slot]
    morph = rng.random(B) < 0.2
    if morph.any():
        other = profile(rng, int(morph.sum()), GRID)
        w = 1 / (1 + np.exp(-2 * smooth(rng, len(other), L, logu(rng, 0.5, 4, len(other)))))
        s[morph] = s[morph] * (1 - w) + other[np.arange(len(other))[:, None], slot[morph]] * w
    amp = rng.random(B) < 0.35
    if amp.any():
        n = int(amp.sum())
        s[amp] *= np.exp(uni(rng, 0.1, 0.6, (n, 1)) * smooth(rng, n, L, logu(rng, 0.5, 8, n)))
    s[m < 2] = 0
    return s
