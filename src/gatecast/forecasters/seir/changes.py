"""Change points of a piecewise constant β, where they are not given: added one by one while the BIC falls."""

from __future__ import annotations

import numpy as np

from gatecast.forecasters.seir.fit import refine
from gatecast.forecasters.seir.problem import Problem
from gatecast.forecasters.seir.transmission import Piecewise

_EVERY = 3  # days between two candidates; the best is then looked for among its neighbours


def find_changes(problem: Problem, form: Piecewise, starts: int, seed: int) -> Problem:
    """The problem with the change points that the counts ask for."""
    from gatecast.forecasters.seir.fit import fit

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


def _candidates(problem: Problem, form: Piecewise, days: object) -> list[tuple[int, ...]]:
    """Change points with one more, every stretch long enough."""
    options = [tuple(sorted({*problem.changes, int(day)})) for day in days]  # type: ignore[attr-defined]
    more = len(problem.changes) + 1
    return [one for one in options if len(one) == more and min(np.diff([0, *one, problem.days])) >= form.least]


def _deviance(best: object, changes: tuple[int, ...]) -> float:
    """Deviance after a few rounds from the estimate so far, the stretch that is cut in two keeping its rate in both."""
    problem = best.problem.with_changes(changes)  # type: ignore[attr-defined]
    theta = best.theta  # type: ignore[attr-defined]
    cut = next(k for k, day in enumerate(changes) if day not in best.problem.changes)  # type: ignore[attr-defined]
    begin = np.insert(theta, cut + 1, theta[cut])[None]
    return float(refine(problem, problem.counts[None], begin, best.dispersion, rounds=5)[1][0])  # type: ignore[attr-defined]


def _loss(fitted: object, dispersion: float) -> float:
    problem = fitted.problem  # type: ignore[attr-defined]
    return float((problem.likelihood.residuals(problem.counts, fitted.mean, dispersion) ** 2).sum())  # type: ignore[attr-defined]
