"""Stochastic processes: seasonal ARIMA, exponential smoothing in state space, Gaussian processes."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from gatecast.synthetic.draws import F, Sample, logu, periods, power, smooth, uni
from gatecast.synthetic.seasons import profile, season


def arima(rng: Generator, B: int, L: int) -> Sample:
    """Seasonal ARIMA: (1 - p1 B - p2 B^2)(1 - P B^m) of differenced series, with moving averages."""
    m1, m2 = periods(rng, B)
    m2 = np.zeros_like(m2)
    m = np.where((m1 > 1) & (m1 <= 170), m1, 1)
    m1 = np.where(m > 1, m, 0)
    r = uni(rng, 0.0, 0.98, B)
    w = uni(rng, 0.1, np.pi, B)
    cplx = rng.random(B) < 0.4
    r2 = uni(rng, -0.6, 0.9, B)
    p1 = np.where(cplx, 2 * r * np.cos(w), r + r2).astype(F)
    p2 = np.where(cplx, -r * r, -r * r2).astype(F)
    q = np.where(rng.random(B) < 0.5, uni(rng, -0.9, 0.6, B), 0).astype(F)
    Q = np.where((m > 1) & (rng.random(B) < 0.6), uni(rng, -0.95, 0, B), 0).astype(F)
    P = np.where(m > 1, np.where(Q < 0, 1.0, uni(rng, 0, 0.97, B)), 0).astype(F)
    burn = 200
    T = L + burn
    e = rng.standard_normal((T, B), dtype=F)
    heavy = rng.random(B) < 0.2
    e[:, heavy] /= np.sqrt(rng.gamma(2, 0.5, (T, int(heavy.sum()))).astype(F)) + 0.1
    cols = np.arange(B)
    pad = 200
    u = np.zeros((T + pad, B), F)  # moving averages
    ep = np.concatenate([np.zeros((pad, B), F), e])
    ar = np.zeros((T + pad, B), F)
    y = np.zeros((T + pad, B), F)
    y[:pad] = 0
    init = rng.standard_normal((170, B), dtype=F) * 3
    y[np.arange(pad - 170, pad)[:, None], cols[None]] = init * (P == 1)
    for i in range(pad, T + pad):
        mq = i - m
        u[i] = ep[i] + q * ep[i - 1] + Q * (ep[mq, cols] + q * ep[mq - 1, cols])
        ar[i] = p1 * ar[i - 1] + p2 * ar[i - 2] + u[i]
        y[i] = P * y[mq, cols] + ar[i]
    y = y[pad + burn :].T
    d = rng.random(B)
    one = (d < 0.35) & (P < 1)
    y[one] = np.cumsum(y[one], 1)
    drift = rng.random(B) < 0.3
    y = y + drift[:, None] * (
        rng.standard_normal((B, 1), dtype=F) * np.arange(L)[None] / L * y.std(1, keepdims=True) * 2
    )
    y = y / (y.std(1, keepdims=True) + 1e-6)
    ex = rng.random((B, 1)) < 0.2
    return np.where(ex, np.exp(0.6 * np.clip(y, -8, 8)), y + uni(rng, 0, 5, (B, 1))).astype(F), m1, m2


def ets(rng: Generator, B: int, L: int) -> Sample:
    """Exponential smoothing in its state-space form: level, damped slope, season; additive or multiplicative errors."""
    m1, m2 = periods(rng, B)
    m2 = np.zeros_like(m2)
    m1 = np.where(m1 <= 170, m1, 0)
    m = np.where(m1 > 1, m1, 1)
    al = uni(rng, 0.01, 1, B) ** uni(rng, 0.5, 2, B)
    be = np.where(rng.random(B) < 0.5, al * uni(rng, 0, 0.3, B) ** 2, 0).astype(F)
    ga = np.where(m1 > 1, (1 - al) * uni(rng, 0, 0.7, B) ** 2, 0).astype(F)
    phi = np.where(rng.random(B) < 0.5, uni(rng, 0.8, 0.995, B), 1).astype(F)
    lv = np.ones(B, F) * uni(rng, 0.5, 5, B)
    sl = (rng.standard_normal(B, dtype=F) * 0.01 * (rng.random(B) < 0.5)).astype(F)
    amp = logu(rng, 0.05, 1.5, B)
    S = profile(rng, B, 170)
    S = np.where((m1 > 1)[:, None], S, 0)
    sd = logu(rng, 0.02, 0.5, B) * np.where(m1 > 1, amp, 1)
    S = (S * amp[:, None]).T.copy()
    rows = np.arange(B)
    mult = rng.random(B) < 0.35
    e = rng.standard_normal((L, B), dtype=F) * sd
    y = np.empty((L, B), F)
    for t in range(L):
        k = t % m
        s = S[k, rows]
        f = lv + phi * sl
        y[t] = f + s + e[t]
        lv = f + al * e[t]
        sl = phi * sl + be * e[t]
        S[k, rows] = s + ga * e[t]
    y = y.T
    sc = y.std(1, keepdims=True) + 1e-6
    y = np.where(
        mult[:, None],
        np.exp(np.clip(0.6 * (y - y.mean(1, keepdims=True)) / sc * uni(rng, 0.3, 1.5, (B, 1)), -7, 7)),
        y / sc,
    )
    return y.astype(F), m1, m2


def gp(rng: Generator, B: int, L: int) -> Sample:
    """Sums and products of power-law noise, smooth functions and a warped season."""
    m1, m2 = periods(rng, B)
    m2 = np.zeros_like(m2)
    a = power(rng, B, L, uni(rng, 0, 3, B))
    b = smooth(rng, B, L, logu(rng, 1, 60, B))
    s = season(rng, m1, L, np.arange(L))
    w = logu(rng, 0.1, 2, (B, 3)) * (rng.random((B, 3)) < 0.7)
    add = a * w[:, :1] + b * w[:, 1:2] + s * w[:, 2:]
    mul = (1 + 0.5 * b * w[:, 1:2]) * (s * w[:, 2:] + 1) + a * w[:, :1] * 0.3
    y = np.where(rng.random((B, 1)) < 0.6, add, mul)
    y = y + 0.05 * (~(w.sum(1, keepdims=True) > 0)) * rng.standard_normal((B, L), dtype=F)
    bound = rng.random(B) < 0.15
    y[bound] = 1 / (1 + np.exp(-2 * y[bound]))
    return y.astype(F), np.where(w[:, 2] > 0, m1, 0), m2
