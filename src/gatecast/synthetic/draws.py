"""Parts of synthetic series: smooth functions, noise, pairs of periods."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator

F = np.float32
Array = np.ndarray
Sample = tuple[Array, Array, Array]  # values (series, time), first and second period (series,); 0: none


def uni(rng: Generator, a: float | Array, b: float | Array, size: Any) -> Array:
    return rng.uniform(a, b, size).astype(F)


def logu(rng: Generator, a: float | Array, b: float | Array, size: Any) -> Array:
    return np.exp(rng.uniform(np.log(a), np.log(b), size)).astype(F)


def smooth(rng: Generator, B: int, L: int, cycles: Array) -> Array:
    """``(B, L)`` smooth functions of unit variance: white noise below ``cycles`` (B,) periods a series."""
    n = min(L // 2, 64)
    k = np.arange(1, n + 1, dtype=F)
    amp = np.exp(-0.5 * (k[None] / cycles[:, None]) ** 2) * rng.standard_normal((B, n), dtype=F)
    ph = uni(rng, 0, 2 * np.pi, (B, n))
    spec = np.zeros((B, L + 1), np.complex64)  # twice as long, so that the ends are not joined
    spec[:, 1 : n + 1] = amp * np.exp(1j * ph)
    x = np.fft.irfft(spec, 2 * L, axis=1)[:, :L].astype(F)
    x -= x.mean(1, keepdims=True)
    return x / (x.std(1, keepdims=True) + 1e-6)


def power(rng: Generator, B: int, L: int, beta: Array) -> Array:
    """Noise with the spectrum 1 / f^beta."""
    f = np.arange(1, L + 1, dtype=F)
    spec = np.zeros((B, L + 1), np.complex64)
    z = rng.standard_normal((B, L), dtype=F) + 1j * rng.standard_normal((B, L), dtype=F)
    spec[:, 1:] = z * f[None] ** (-beta[:, None] / 2)
    x = np.fft.irfft(spec, 2 * L, axis=1)[:, :L].astype(F)
    x -= x.mean(1, keepdims=True)
    return x / (x.std(1, keepdims=True) + 1e-6)


def periods(rng: Generator, B: int) -> tuple[Array, Array]:
    """Pairs of periods (0: none), by profiles of frequencies."""
    kinds = np.array(
        [
            (24, 168),
            (24, 0),
            (48, 336),
            (48, 0),
            (96, 0),
            (144, 0),
            (7, 365),
            (7, 0),
            (7, 30),
            (12, 0),
            (12, 0),
            (12, 0),
            (4, 0),
            (52, 0),
            (52, 0),
            (5, 0),
            (5, 21),
            (-1, 0),
            (-1, -1),
            (0, 0),
            (0, 0),
            (12, 132),
            (60, 0),
            (10, 0),
            (28, 0),
        ]
    )
    p = np.array([7, 4, 2, 1, 2, 1, 4, 6, 1, 5, 5, 2, 2, 3, 2, 1, 0.5, 5, 2, 7, 3, 0.5, 0.5, 0.5, 0.5], float)
    c = kinds[rng.choice(len(kinds), B, p=p / p.sum())]
    m1 = np.where(c[:, 0] < 0, logu(rng, 3, 120, B).astype(int), c[:, 0])
    m2 = np.where(
        c[:, 1] < 0,
        np.where(rng.random(B) < 0.5, m1 * rng.integers(2, 9, B), logu(rng, 20, 400, B).astype(int)),
        c[:, 1],
    )
    m2 = np.where((m2 > 400) | (m2 <= m1), 0, m2)
    return m1, m2


def noise(rng: Generator, B: int, L: int) -> Array:
    """Unit-variance noise: Gaussian, Student, Laplace; AR(1); changing variance."""
    e = rng.standard_normal((B, L), dtype=F)
    heavy = rng.random(B) < 0.3
    n = int(heavy.sum())
    if n:
        df = uni(rng, 2.5, 8, (n, 1))
        e[heavy] /= np.sqrt(rng.gamma(df / 2, 2, (n, L)).astype(F) / df)
    ar = rng.random(B) < 0.55
    n = int(ar.sum())
    if n:
        phi = np.where(rng.random(n) < 0.8, uni(rng, 0.2, 0.98, n), uni(rng, -0.5, 0.2, n)).astype(F)
        x = e[ar].T.copy()
        for i in range(1, L):
            x[i] += phi * x[i - 1]
        e[ar] = (x * np.sqrt(1 - phi**2)).T
    het = rng.random(B) < 0.3
    n = int(het.sum())
    if n:
        e[het] *= np.exp(uni(rng, 0.2, 1.0, (n, 1)) * smooth(rng, n, L, logu(rng, 1, 30, n)))
    return e / (e.std(1, keepdims=True) + 1e-6)
