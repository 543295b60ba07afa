"""Maximum likelihood: many starts in one batch, the best one finished by SciPy, and refits for the uncertainty."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gatecast.base.errors import require
from gatecast.epidemic.seir.problem import Problem

_ROUNDS = 3  # curve, dispersion and weekdays in turn
_STEP = 1e-4  # of the numerical derivative, in θ
_WEEKS = 4  # of counts needed to estimate weekday factors


@dataclass(frozen=True, eq=False)
class Fitted:
    """The estimate of one series.

    Args:
        problem: with the weekday factors and change points found.
        theta: ``(parameters,)`` logarithms of the estimates.
        dispersion: of the likelihood.
        mean: ``(days, targets)`` the fitted curve.
        jacobian: ``(days × targets, parameters)`` of the residuals at the estimate.
        deviance: sum of squared residuals at the estimate.
    """

    problem: Problem
    theta: np.ndarray
    dispersion: float
    mean: np.ndarray
    jacobian: np.ndarray
    deviance: float


def fit(problem: Problem, starts: int, seed: int) -> Fitted:
    """The best of several starts; curve, dispersion and weekday factors are estimated in turn."""
    dispersion = problem.likelihood.first
    theta = _best_start(problem, dispersion, starts, np.random.default_rng(seed))
    for _ in range(_ROUNDS):
        theta = refine(problem, problem.counts[None], theta[None], dispersion, rounds=4)[0][0]
        mean = problem.mean(theta[None])[0]
        problem = replace(problem, factors=_weekday_factors(problem, mean, len(theta)))
        mean = problem.mean(theta[None])[0]
        dispersion = problem.likelihood.dispersion(problem.counts, mean, len(theta))
    theta = _finish(problem, theta, dispersion)
    residuals, jacobian = _linear(problem, problem.counts[None], theta[None], dispersion)
    mean = problem.mean(theta[None])[0]
    return Fitted(problem, theta, dispersion, mean, jacobian[0], float((residuals**2).sum()))


def _best_start(problem: Problem, dispersion: float, starts: int, rng: np.random.Generator) -> np.ndarray:
    """θ with the smallest deviance after a few rounds from random starts."""
    low, high = problem.bounds
    theta = problem.usual + rng.normal(0.0, 1.0, (starts, len(problem.usual))) * np.linspace(0, 1.2, starts)[:, None]
    theta, deviance = refine(problem, problem.counts[None], np.clip(theta, low, high), dispersion, rounds=15)
    return theta[int(np.nanargmin(deviance))]


def _finish(problem: Problem, theta: np.ndarray, dispersion: float) -> np.ndarray:
    """The nearest optimum, by SciPy's trust region within bounds."""
    optimize = require("scipy.optimize", extra="epidemic", purpose="SEIRForecaster")
    low, high = problem.bounds
    counts = problem.counts[None]
    done = optimize.least_squares(
        lambda x: _residuals(problem, counts, x[None], dispersion)[0],
        np.clip(theta, low + 1e-9, high - 1e-9),
        jac=lambda x: _linear(problem, counts, x[None], dispersion)[1][0],
        bounds=(low, high),
        max_nfev=40,
    )
    return done.x


def _weekday_factors(problem: Problem, mean: np.ndarray, size: int) -> np.ndarray:
    """Counts over the curve on each weekday, with a geometric mean of 1; ones where the BIC sees no weekly cycle."""
    counts, rows = problem.counts[:, :1], np.arange(problem.days)
    seen = np.isfinite(counts[:, 0])
    day = problem.weekday(rows)
    plain = mean[:, :1] / problem.factors[day][:, None]
    if seen.sum() < 7 * _WEEKS or (np.bincount(day[seen], minlength=7) == 0).any():
        return np.ones(7)
    weight = 1 / np.maximum(plain[seen, 0], 1.0)  # every week has the same weight, whatever its height
    sums = (np.bincount(day[seen], weight * values[seen, 0], 7) for values in (counts, plain))
    ratio = np.maximum(np.divide(*sums), 0.02)
    factors = ratio / np.exp(np.log(ratio).mean())
    dispersion = problem.likelihood.dispersion(counts, plain, size)
    without, with_them = (
        (problem.likelihood.residuals(counts, curve, dispersion) ** 2).sum()
        for curve in (plain, plain * factors[day][:, None])
    )
    return factors if without - with_them > 6 * np.log(seen.sum()) else np.ones(7)


def refine(
    problem: Problem,
    counts: np.ndarray,
    theta: np.ndarray,
    dispersion: float,
    *,
    rounds: int = 8,
    held: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Levenberg–Marquardt steps for a batch of fits, each with its counts and start.

    Args:
        problem: the model.
        counts: ``(sets or 1, days, targets)``.
        theta: ``(sets, parameters)`` starts.
        dispersion: of the likelihood.
        rounds: largest number of steps.
        held: ``(sets, parameters)`` True where a parameter keeps its value.

    Returns:
        ``(sets, parameters)`` θ and ``(sets,)`` deviance.
    """
    low, high = problem.bounds
    damping = np.full(len(theta), 1e-2)
    best = (_residuals(problem, counts, theta, dispersion) ** 2).sum(axis=1)
    idle = 0
    for _ in range(rounds):
        residuals, jacobian = _linear(problem, counts, theta, dispersion)
        if held is not None:
            jacobian = np.where(held[:, None, :], 0.0, jacobian)
        step = _damped(jacobian, residuals, damping)
        trial = np.clip(theta + np.clip(step, -1.5, 1.5), low, high)
        deviance = (_residuals(problem, counts, trial, dispersion) ** 2).sum(axis=1)
        better = deviance < best
        gain = float(np.where(better, best - deviance, 0.0).max(initial=0.0))
        theta = np.where(better[:, None], trial, theta)
        best = np.where(better, deviance, best)
        damping = np.clip(np.where(better, damping / 5, damping * 5), 1e-8, 1e6)
        idle = idle + 1 if gain < 1e-4 else 0
        if idle == 2:
            break
    return theta, best


def _damped(jacobian: np.ndarray, residuals: np.ndarray, damping: np.ndarray) -> np.ndarray:
    """``(sets, parameters)`` steps."""
    normal = np.einsum("snp,snq->spq", jacobian, jacobian)
    gradient = np.einsum("snp,sn->sp", jacobian, residuals)
    diagonal = np.einsum("spp->sp", normal)
    lift = damping[:, None] * diagonal + 1e-9 * (1 + diagonal.max(axis=1, keepdims=True))
    system = normal + lift[:, :, None] * np.eye(normal.shape[1])
    return -np.linalg.solve(system, gradient[..., None])[..., 0]


def _residuals(problem: Problem, counts: np.ndarray, theta: np.ndarray, dispersion: float) -> np.ndarray:
    """``(sets, days × targets)``."""
    found = problem.likelihood.residuals(counts, problem.mean(theta), dispersion)
    return np.nan_to_num(found, nan=1e6, posinf=1e6, neginf=-1e6).reshape(len(theta), -1)


def _linear(
    problem: Problem, counts: np.ndarray, theta: np.ndarray, dispersion: float
) -> tuple[np.ndarray, np.ndarray]:
    """Residuals ``(sets, n)`` and their derivatives ``(sets, n, parameters)``."""
    sets, size = theta.shape
    _, high = problem.bounds
    sign = np.where(theta + _STEP > high, -_STEP, _STEP)  # stay within the bounds
    moved = theta[:, None, :] + np.concatenate([np.zeros((1, size)), np.eye(size)]) * sign[:, None, :]
    mean = problem.mean(moved.reshape(-1, size)).reshape(sets, size + 1, *counts.shape[1:])
    found = problem.likelihood.residuals(counts[:, None], mean, dispersion)
    found = np.nan_to_num(found, nan=1e6, posinf=1e6, neginf=-1e6).reshape(sets, size + 1, -1)
    return found[:, 0], ((found[:, 1:] - found[:, :1]) / sign[:, :, None]).transpose(0, 2, 1)


def bootstrap(fitted: Fitted, draws: int, rng: np.random.Generator) -> np.ndarray:
    """``(draws, parameters)`` estimates from counts drawn from the fitted model: the parametric bootstrap."""
    problem = fitted.problem
    mean = np.broadcast_to(fitted.mean, (draws, *fitted.mean.shape))
    counts = problem.likelihood.sample(mean, fitted.dispersion, rng)
    counts = np.where(np.isfinite(problem.counts), counts, np.nan)
    theta = np.broadcast_to(fitted.theta, (draws, len(fitted.theta)))
    return refine(problem, counts, theta, fitted.dispersion, rounds=6)[0]
