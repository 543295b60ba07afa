"""Search for the change points of a piecewise constant β: added one by one while the BIC falls."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from gatecast.epidemic.seir.fit import Fitted, fit, refine
from gatecast.epidemic.seir.problem import Problem
from gatecast.epidemic.seir.transmission import Piecewise

_EVERY = 5  # days between two candidates; the neighbours of the best are tried next


def find_changes(problem: Problem, form: Piecewise, starts: int, seed: int) -> Problem:
    """The problem with the change points found in the counts."""
    best = fit(problem, starts, seed)
    for _ in range(form.most):
        options = _candidates(best.problem, form, range(form.least, problem.days - form.least + 1, _EVERY))
        if not options:
            break
        found = min(options, key=lambda one: _deviance(best, one))
        near = {day for day in found if day not in best.problem.changes}
        around = [day + k for day in near for k in range(1 - _EVERY, _EVERY)]
        found = min(_candidates(best.problem, form, around), key=lambda one: _deviance(best, one))
        longer = fit(best.problem.with_changes(found), starts, seed)
        seen = np.isfinite(problem.counts).sum()
        gain = _loss(best, longer.dispersion) - longer.deviance
        if gain < 2 * np.log(seen):  # a new rate and the day of its change
            break
        best = longer
    return best.problem


def _candidates(problem: Problem, form: Piecewise, days: Iterable[int]) -> list[tuple[int, ...]]:
    """Change points with one added, every stretch long enough."""
    options = [tuple(sorted({*problem.changes, int(day)})) for day in days]
    more = len(problem.changes) + 1
    return [one for one in options if len(one) == more and min(np.diff([0, *one, problem.days])) >= form.least]


def _deviance(best: Fitted, changes: tuple[int, ...]) -> float:
    """Deviance after a few rounds; both halves of the stretch that is cut start with its rate."""
    problem = best.problem.with_changes(changes)
    theta = best.theta
    cut = next(k for k, day in enumerate(changes) if day not in best.problem.changes)
    begin = np.insert(theta, cut + 1, theta[cut])[None]
    return float(refine(problem, problem.counts[None], begin, best.dispersion, rounds=5)[1][0])


def _loss(fitted: Fitted, dispersion: float) -> float:
    problem = fitted.problem
    return float((problem.likelihood.residuals(problem.counts, fitted.mean, dispersion) ** 2).sum())
