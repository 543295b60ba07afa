"""Paired tests on loss differences: whether one model's error is lower than another's by more than chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MIN_ORIGINS = 4  # fewer origins: no test
MANY_ORIGINS = 20  # from here on origins decide even where there are many series
MIN_SERIES = 20  # fewer series: the origins decide


@dataclass(frozen=True)
class TestResult:
    """Outcome of a paired test of equal accuracy.

    Args:
        name: what was tested over what.
        statistic: the test statistic; NaN where no test was possible.
        p_value: two-sided; NaN where no test was possible.
        n: number of differences (origins or series).
    """

    __test__ = False  # pytest: not a test class

    name: str
    statistic: float
    p_value: float
    n: int


def compare(first: np.ndarray, second: np.ndarray, *, overlap: int = 0) -> TestResult:
    """Test whether two models have the same expected loss.

    Few series: Diebold–Mariano over the origins, each origin's loss averaged over series and steps. At least
    20 series and fewer than 20 origins: sign-flip permutation over the series. Series that move together (one
    epidemic in many regions) are less evidence than their number suggests; origins do not have that weakness and are
    preferred from 20 on.

    Args:
        first, second: ``(series, origins)`` losses; NaN where missing.
        overlap: number of following origins whose forecast spans overlap with an origin's own.
    """
    difference = first - second
    difference = difference[np.isfinite(difference).any(axis=1)]
    origins = _means(difference, axis=0)
    if len(difference) >= MIN_SERIES and len(origins) < MANY_ORIGINS:
        return sign_flip(_means(difference, axis=1))
    if len(origins) >= MIN_ORIGINS:
        return diebold_mariano(origins, overlap=overlap)
    return TestResult("none", math.nan, math.nan, len(origins))


def _means(values: np.ndarray, axis: int) -> np.ndarray:
    count = np.isfinite(values).sum(axis=axis)
    return np.nansum(values, axis=axis)[count > 0] / count[count > 0]


def diebold_mariano(difference: np.ndarray, *, overlap: int = 0) -> TestResult:
    """Diebold–Mariano test of a mean loss difference of zero, with the small-sample correction.

    With h = overlap + 1, autocovariances γ and n origins:

        DM = d̄ / √((γ₀ + 2 Σ_{k<h} γ_k) / n),   S = DM √((n + 1 - 2h + h(h - 1)/n) / n) ~ t(n - 1)

    Where the sum of autocovariances is not positive, they get Bartlett weights.

    Args:
        difference: ``(origins,)`` loss differences in time order.
        overlap: autocovariances to count, ⌈horizon/step⌉ - 1 for origins ``step`` rows apart.

    References:
        Diebold & Mariano (1995), J. Business & Economic Statistics 13:253; Harvey, Leybourne & Newbold (1997),
        Int. J. Forecasting 13:281, eq. 9.
    """
    n, name = len(difference), "Diebold–Mariano over origins"
    mean = float(difference.mean())
    steps = min(overlap, n - 1) + 1
    variance = _long_run_variance(difference - mean, steps)
    if variance <= 1e-14 * max(mean**2, 1e-300):  # all differences are equal
        return TestResult(name, math.copysign(math.inf, mean) if mean else 0.0, 0.0 if mean else 1.0, n)
    correction = (n + 1 - 2 * steps + steps * (steps - 1) / n) / n
    statistic = mean / math.sqrt(variance / n) * math.sqrt(max(correction, 0.0))
    return TestResult(name, statistic, t_two_sided(statistic, n - 1), n)


def _long_run_variance(centred: np.ndarray, steps: int) -> float:
    n = len(centred)
    gamma = np.array([float(centred[k:] @ centred[: n - k]) / n for k in range(steps)])
    variance = float(gamma[0] + 2 * gamma[1:].sum())
    if variance > 0:
        return variance
    bartlett = 1 - np.arange(1, steps) / steps
    return float(gamma[0] + 2 * (bartlett * gamma[1:]).sum())


def sign_flip(difference: np.ndarray, *, draws: int = 9999, seed: int = 1) -> TestResult:
    """Permutation test of a mean loss difference of zero over many series: under it each sign may as well be flipped.

    The p-value is (1 + number of flips at least as extreme) / (1 + draws); beyond 2,000 series the normal limit of
    the same distribution is exact enough and is used instead.

    References:
        Good (2005), *Permutation, Parametric and Bootstrap Tests of Hypotheses*, §3.2.
    """
    n, name = len(difference), "sign-flip permutation over series"
    root = math.sqrt(float(difference @ difference))
    statistic = float(difference.sum()) / root if root else 0.0
    if n > 2000:
        return TestResult(name, statistic, math.erfc(abs(statistic) / math.sqrt(2)), n)
    rng = np.random.default_rng(seed)
    observed = abs(float(difference.sum())) * (1 - 1e-9)  # equal sums count as extreme in spite of rounding
    extreme = 0
    for start in range(0, draws, 1000):
        signs = rng.integers(0, 2, (min(1000, draws - start), n)) * 2 - 1
        extreme += int((np.abs(signs @ difference) >= observed).sum())
    return TestResult(name, statistic, (1 + extreme) / (1 + draws), n)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for the number of comparisons (Holm 1979, Scand. J. Statistics 6:65); NaN stays NaN."""
    known = [i for i, p in enumerate(p_values) if not math.isnan(p)]
    adjusted, running = list(p_values), 0.0
    for rank, position in enumerate(sorted(known, key=lambda i: p_values[i])):
        running = max(running, min(1.0, (len(known) - rank) * p_values[position]))
        adjusted[position] = running
    return adjusted


def t_two_sided(statistic: float, freedom: int) -> float:
    """P(|t| ≥ |statistic|) for Student's t with whole degrees of freedom.

    The finite sums of Abramowitz & Stegun (1964), 26.7.3 and 26.7.4, with θ = arctan(t/√ν).
    """
    if math.isinf(statistic):
        return 0.0
    theta = math.atan2(abs(statistic), math.sqrt(freedom))
    cosine, sine = math.cos(theta), math.sin(theta)
    odd = freedom % 2
    term = total = (cosine if freedom > 1 else 0.0) if odd else 1.0
    for k in range(2 + odd, freedom - 1, 2):
        term *= (k - 1) / k * cosine**2
        total += term
    inside = 2 / math.pi * (theta + sine * total) if odd else sine * total
    return min(1.0, max(0.0, 1 - inside))
