"""Identifiability of the parameters: profile likelihoods, and the reason in words where one is flat.

The profile of a parameter is the largest likelihood with that parameter held at a value. Where twice its logarithm
falls by less than 3.84 on the way to a bound, there is no 95 % limit on that side (Raue et al. 2009, Bioinformatics
25:1923).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gatecast.epidemic.seir.fit import Fitted, refine

_ENOUGH = 3.841458820694124  # 95 % quantile of χ² with one degree of freedom
_OFFSETS = np.array([0.6, 1.2, 1.8, 2.4, 3.2, 4.5, 7.0, 12.0])  # standard deviations from the estimate
_ZERO_IS_FINE = ("decay",)  # the lower bound means no decay


@dataclass(frozen=True)
class Parameter:
    """One parameter with its 95 % interval.

    Args:
        name: as in the equations; times in days, shares from 0 to 1.
        estimate, low, high: value and ends of the profile-likelihood interval; a bound where the profile is flat.
        identifiable: whether the counts limit it on both sides; None where it was given.
        reason: why it is not identifiable, or ``"given"``.
    """

    name: str
    estimate: float
    low: float
    high: float
    identifiable: bool | None
    reason: str


def parameters(fitted: Fitted) -> list[Parameter]:
    """Every parameter of a fit; fixed ones come last."""
    covariance = _covariance(fitted.jacobian)
    sides = _profiles(fitted, covariance)
    free = [_parameter(fitted, k, sides[k]) for k in range(len(fitted.theta))]
    given = {n: v for n, v in fitted.problem.constants.items() if not isinstance(v, tuple) and _used(fitted, n)}
    return [*free, *(Parameter(name, value, value, value, None, "given") for name, value in given.items())]


def _used(fitted: Fitted, name: str) -> bool:
    variant = fitted.problem.variant
    return not (name == "incubation" and variant == "sir") and not (name == "fatality" and variant != "seird")


def _covariance(jacobian: np.ndarray) -> np.ndarray:
    """Covariance of θ with linearized residuals; directions that the data do not identify get a large variance."""
    values, vectors = np.linalg.eigh(jacobian.T @ jacobian)
    return (vectors / np.maximum(values, 1e-4)) @ vectors.T


def _profiles(fitted: Fitted, covariance: np.ndarray) -> np.ndarray:
    """``(parameters, 2, offsets, 2)`` fixed θ and the increase of the deviance, below and above the estimate."""
    size = len(fitted.theta)
    low, high = fitted.problem.bounds
    spread = np.clip(np.sqrt(np.diag(covariance)), 0.01, 3.0)
    along = covariance / np.diag(covariance)[:, None]  # how the others move with parameter k, in a linear model
    theta, held = [], []
    for k in range(size):
        for sign in (-1.0, 1.0):
            aim = np.clip(fitted.theta[k] + sign * spread[k] * _OFFSETS, low[k], high[k])
            moved = fitted.theta + (aim - fitted.theta[k])[:, None] * along[k]
            moved[:, k] = aim
            theta.append(np.clip(moved, low, high))
            held.append(np.broadcast_to(np.arange(size) == k, moved.shape))
    done, deviance = refine(
        fitted.problem,
        fitted.problem.counts[None],
        np.concatenate(theta),
        fitted.dispersion,
        held=np.concatenate(held),
        rounds=10,
    )
    shape = (size, 2, len(_OFFSETS))
    places = done.reshape(*shape, size)[np.arange(size), :, :, np.arange(size)]
    return np.stack([places, deviance.reshape(shape) - fitted.deviance], axis=-1)


def _parameter(fitted: Fitted, k: int, sides: np.ndarray) -> Parameter:
    name, estimate = fitted.problem.names[k], fitted.theta[k]
    ends = [_crossing(estimate, side) for side in sides]
    bounds = [bound[k] for bound in fitted.problem.bounds]
    low, high = (bounds[i] if end is None else end for i, end in enumerate(ends))
    flat = [i for i, end in enumerate(ends) if end is None and not (i == 0 and name in _ZERO_IS_FINE)]
    reason = _reason(fitted, k, flat, sides) if flat else ""
    return Parameter(name, float(np.exp(estimate)), float(np.exp(low)), float(np.exp(high)), not flat, reason)


def _crossing(estimate: float, side: np.ndarray) -> float | None:
    """Where the profile crosses the limit, interpolated; None where it does not."""
    places = np.concatenate([[estimate], side[:, 0]])
    roots = np.sqrt(np.maximum(np.concatenate([[0.0], side[:, 1]]), 0.0))  # nearly straight lines
    over = np.flatnonzero(roots >= np.sqrt(_ENOUGH))
    if not len(over):
        return None
    k = int(over[0])
    share = (np.sqrt(_ENOUGH) - roots[k - 1]) / (roots[k] - roots[k - 1])
    return float(places[k - 1] + share * (places[k] - places[k - 1]))


def _reason(fitted: Fitted, k: int, flat: list[int], sides: np.ndarray) -> str:
    side, bound = sides[flat[0]], fitted.problem.bounds[flat[0]][k]
    if abs(fitted.theta[k] - bound) < 1e-3:
        return f"the estimate lies at its {('lower', 'upper')[flat[0]]} bound, {np.exp(bound):.4g}{_trade(fitted, k)}"
    reached, added = np.exp(side[-1, 0]), float(np.max(np.maximum(side[:, 1], 0.0)))
    where = "below or above" if len(flat) == 2 else ("below", "above")[flat[0]]
    text = (
        f"the counts set no limit {where}: from {np.exp(fitted.theta[k]):.4g} to {reached:.4g} the profile deviance "
        f"rises by {added:.2g} only ({_ENOUGH:.2f} is the 95 % limit)"
    )
    return text + _trade(fitted, k)


def _trade(fitted: Fitted, k: int) -> str:
    """The parameters that compensate for this one: those in the least identified direction of θ."""
    values, vectors = np.linalg.eigh(fitted.jacobian.T @ fitted.jacobian)
    weakest = np.abs(vectors[:, 0])
    partners = [fitted.problem.names[i] for i in np.flatnonzero(weakest > 0.2 * weakest.max()) if i != k]
    if weakest[k] < 0.2 * weakest.max() or not partners:
        return ""
    condition = values[-1] / max(values[0], 1e-12)
    return f"; it trades off with {' and '.join(partners)} (condition of the Hessian {condition:.0e})"
