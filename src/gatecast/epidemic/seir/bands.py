"""Sample paths of the future: parameters from the bootstrap, a random walk of β, and noise of the counts.

Every path draws three uncertain quantities: the parameters (parametric bootstrap), the course of β after the origin (a
random walk of log β, and a level), and the counts. The variance of the walk is estimated on the series itself, from
forecasts at earlier origins; see :func:`estimate_drift`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gatecast.epidemic.seir.equations import FIT_STEPS, Rate, S, growth_rate, integrate
from gatecast.epidemic.seir.fit import Fitted, refine
from gatecast.epidemic.seir.problem import Problem
from gatecast.epidemic.seir.scenarios import Scenario
from gatecast.epidemic.seir.transmission import Values

_LEVELS = np.array([0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.45, 0.7])
_DRIFTS = np.array([0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.18])
_USUAL = (0.1, 0.03)  # level and drift without earlier origins
_MOST_ORIGINS = 6
_LEAST = 21  # days to fit at the earliest origin


@dataclass(frozen=True)
class Drift:
    """How far the epidemic leaves the fitted course after the origin.

    Args:
        level: standard deviation of the common logarithmic error of all future counts.
        drift: standard deviation of the daily change of log β.
    """

    level: float
    drift: float


@dataclass(frozen=True, eq=False)
class Course:
    """One run of the equations for many parameter sets, under a scenario.

    Args:
        states: ``(days + 1, 6, sets)``.
        beta: ``(days + 1, sets)`` at the beginning of each day.
        values: the parameters.
    """

    states: np.ndarray
    beta: np.ndarray
    values: Values

    def reproduction(self, population: float) -> np.ndarray:
        """``(sets, days + 1)`` R_t = β(t) S/(N γ)."""
        return (self.beta * self.states[:, S] / population * self.values["infectious"]).T


def run(
    problem: Problem,
    theta: np.ndarray,
    days: int,
    scenario: Scenario,
    changed: int,
    *,
    steps: int = FIT_STEPS,
    walk: np.ndarray | None = None,
) -> Course:
    """Integrate from the first row on.

    Args:
        problem: the fitted problem.
        theta: ``(sets, parameters)``.
        days: days to run.
        scenario: change of β.
        changed: row from which the scenario's contacts hold.
        steps: Runge–Kutta steps a day.
        walk: ``(days after the last row, sets)`` added to log β.
    """
    values = problem.values(theta)
    rates = problem.rates(values)
    beta = _rate(problem, values, scenario, changed, walk)
    states = integrate(problem.begin(values, rates), rates, beta, 0, days, steps)
    return Course(states, beta(np.arange(days + 1) + 1e-9), values)


def _rate(problem: Problem, values: Values, scenario: Scenario, changed: int, walk: np.ndarray | None) -> Rate:
    def rate(times: np.ndarray) -> np.ndarray:
        base = problem.beta(values, scenario.moved(times)) * scenario.factor(times, changed)
        if walk is None:
            return base
        day = np.floor(times).astype(np.int64) - problem.days
        return base * np.exp(np.where(day[:, None] < 0, 0.0, walk[np.clip(day, 0, len(walk) - 1)]))

    return rate


def sample_paths(
    fitted: Fitted,
    draws: np.ndarray,
    count: int,
    horizon: int,
    drift: Drift,
    scenario: Scenario,
    changed: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, Course]:
    """``(count, days + horizon, targets)`` counts of the fitted and the future days, and the course behind them."""
    problem = fitted.problem
    theta = draws[np.arange(count) % len(draws)]
    walk = drift.drift * rng.standard_normal((horizon, count)).cumsum(axis=0)
    course = run(problem, theta, problem.days + horizon, scenario, changed, walk=walk)
    mean = problem.observed(course.states, course.values["reporting"])
    mean[:, problem.days :] *= np.exp(drift.level * rng.standard_normal((count, 1, 1)))
    return problem.likelihood.sample(mean, fitted.dispersion, rng), course


def estimate_drift(fitted: Fitted) -> Drift:
    """Level and drift with the highest posterior on forecasts from earlier origins of the same series.

    The fit is repeated on the counts up to each origin of earlier weeks. The errors of the next two weeks, as
    logarithms of weekly sums, are modelled as normal, with the variance that parameters and counts explain plus
    level² + (drift · dr/dlogβ)² h³/3, the effect of a random walk of log β on the counts after h days. The prior is
    weak.
    """
    problem = fitted.problem
    backs = list(range(7, problem.days - _LEAST + 1, 7))[:_MOST_ORIGINS]
    if not backs:
        return Drift(*_USUAL)
    ends = problem.days - np.array(backs)
    counts = np.where(np.arange(problem.days)[:, None] < ends[:, None, None], problem.counts[None], np.nan)
    theta, _ = refine(
        problem, counts, np.broadcast_to(fitted.theta, (len(backs), len(fitted.theta))), fitted.dispersion
    )
    errors, explained, reach = _errors(fitted, counts, theta, ends)
    if not len(errors):  # hardly any day after those origins has a count
        return Drift(*_USUAL)
    level, drift = np.meshgrid(_LEVELS, _DRIFTS, indexing="ij")
    variance = explained[:, None, None] + level**2 + reach[:, None, None] * drift**2
    fit = -0.5 * (np.log(variance) + errors[:, None, None] ** 2 / variance).sum(axis=0)
    prior = -0.5 * ((level / _USUAL[0]) ** 2 + (drift / _USUAL[1]) ** 2) / 4
    best = np.unravel_index(np.argmax(fit + prior), level.shape)
    return Drift(float(level[best]), float(drift[best]))


def _errors(
    fitted: Fitted, counts: np.ndarray, theta: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors of log weekly sums, the explained variance, and the variance of a unit drift, each ``(errors,)``."""
    problem = fitted.problem
    mean = problem.mean(theta)[..., 0]
    cover = _variance_of_weeks(fitted, counts, theta, ends)
    values = problem.values(theta)
    rates = problem.rates(values)
    states = problem.path(theta)
    found = []
    for k, end in enumerate(ends):
        share = states[end, S, k] / problem.population
        beta = problem.beta(values, np.array([float(end)]))[0]
        up, down = growth_rate(beta * 1.05, rates, share)[k], growth_rate(beta / 1.05, rates, share)[k]
        slope = (up - down) / (2 * np.log(1.05))
        for week in range(2):
            rows = slice(end + 7 * week, end + 7 * week + 7)
            seen = np.isfinite(problem.counts[rows, 0])
            if seen.sum() < 4:
                continue
            actual, expected = problem.counts[rows, 0][seen].sum(), mean[k, rows][seen].sum()
            noise = 1 / max(expected, 1.0) + fitted.dispersion / seen.sum()
            reach = slope**2 * (7 * week + 4) ** 3 / 3
            found.append((np.log((actual + 1) / (expected + 1)), noise + cover[k, week], reach))
    errors, explained, reach = np.array(found).reshape(-1, 3).T
    return errors, explained, reach


def _variance_of_weeks(fitted: Fitted, counts: np.ndarray, theta: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """``(origins, 2)`` variance of the log of the two weeks after each origin that the parameters explain."""
    problem, sets, size = fitted.problem, *theta.shape
    width = 1e-3
    moved = theta[:, None, :] + width * np.concatenate([np.zeros((1, size)), np.eye(size)])
    mean = problem.mean(moved.reshape(-1, size)).reshape(sets, size + 1, problem.days, -1)
    residuals = problem.likelihood.residuals(counts[:, None], mean, fitted.dispersion).reshape(sets, size + 1, -1)
    result = np.zeros((sets, 2))
    for k, end in enumerate(ends):
        slope = (residuals[k, 1:] - residuals[k, 0]) / width
        values, vectors = np.linalg.eigh(slope @ slope.T)
        covariance = (vectors / np.maximum(values, 1e-2)) @ vectors.T
        for week in range(2):
            sums = np.log(mean[k, :, end + 7 * week : end + 7 * week + 7, 0].sum(axis=1) + 1)
            gradient = (sums[1:] - sums[0]) / width
            result[k, week] = min(gradient @ covariance @ gradient, 4.0)
    return result


def without_weekdays(problem: Problem) -> Problem:
    """The problem without weekday factors: the epidemic itself rather than its reports."""
    return replace(problem, factors=np.ones(7))
