"""The fitting problem of one series: its counts, the fixed values and the parameters to fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from gatecast.epidemic.seir.equations import FIT_STEPS, C, D, Rates, integrate, start_state
from gatecast.epidemic.seir.likelihood import Likelihood
from gatecast.epidemic.seir.transmission import Spec, Transmission, Values

Given = float | tuple[float, float]  # a number, or the bounds within which it is fitted

_MOST_INFECTED = 60  # upper bound on the first day, per case reported on the first days


@dataclass(frozen=True, eq=False)
class Problem:
    """Counts, fixed values and bounds of one series.

    Args:
        counts: ``(days, targets)`` new cases a day, for SEIRD perhaps with new deaths; NaN where missing.
        population: N (persons).
        immune: cases reported before the first row, who are no longer susceptible.
        variant: ``"sir"``, ``"seir"`` or ``"seird"``.
        transmission: the form of β(t).
        changes: its change points as rows.
        likelihood: distribution of the counts around the curve.
        constants: incubation and infectious time (days), reported share of cases, susceptible share of the population
            and share of the removed who die: numbers, or bounds within which they are fitted.
        limits: bounds of fitted parameters by name, which replace the usual ones.
        weekdays: ``(days,)`` day of the week of each row (0 … 6), counted on beyond the last row.
        factors: ``(7,)`` reporting on each weekday over its mean.
    """

    counts: np.ndarray
    population: float
    immune: float
    variant: str
    transmission: Transmission
    changes: tuple[int, ...]
    likelihood: Likelihood
    constants: dict[str, Given]
    weekdays: np.ndarray
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    factors: np.ndarray = field(default_factory=lambda: np.ones(7))

    def with_changes(self, changes: tuple[int, ...]) -> Problem:
        """The problem with other change points."""
        return replace(self, changes=changes)

    @property
    def days(self) -> int:
        """Rows of the counts."""
        return len(self.counts)

    @cached_property
    def specs(self) -> tuple[Spec, ...]:
        """Name, bounds and usual value of every parameter that is fitted."""
        own = self.transmission.parameters(self.changes)
        free = [
            (name, float(given[0]), float(given[1]), float(np.sqrt(given[0] * given[1])))
            for name, given in self.constants.items()
            if isinstance(given, tuple)
        ]
        seen = self.counts[np.isfinite(self.counts[:, 0]), 0]
        early = float(np.median(seen[:5])) + 1 if len(seen) else 1.0
        infected = float(min(10 * early, 0.1 * self.population))
        most = min(_MOST_INFECTED * early, 0.5 * self.population)
        every = (*own, ("infected", 1e-2, most, infected), *free)
        return tuple((name, *self.limits.get(name, (low, high)), usual) for name, low, high, usual in every)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the fitted parameters, in the order of θ."""
        return tuple(spec[0] for spec in self.specs)

    @cached_property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds of θ (logarithms)."""
        low, high = np.array([spec[1:3] for spec in self.specs]).T
        return np.log(low), np.log(high)

    @cached_property
    def usual(self) -> np.ndarray:
        """θ at the start of the search."""
        return np.clip(np.log([spec[3] for spec in self.specs]), *self.bounds)

    def values(self, theta: np.ndarray) -> Values:
        """Every parameter by name, each ``(sets,)``, for θ ``(sets, parameters)``."""
        found = {name: np.exp(theta[:, k]) for k, name in enumerate(self.names)}
        sets = np.ones(len(theta))
        return found | {n: float(g) * sets for n, g in self.constants.items() if not isinstance(g, tuple)}

    def rates(self, values: Values) -> Rates:
        """The constant rates."""
        latent = self.variant != "sir"
        sigma = 1 / values["incubation"] if latent else np.full_like(values["infectious"], np.inf)
        fatality = values["fatality"] if self.variant == "seird" else np.zeros_like(sigma)
        return Rates(sigma, 1 / values["infectious"], fatality, np.full_like(sigma, self.population))

    def beta(self, values: Values, times: np.ndarray) -> np.ndarray:
        """β ``(times, sets)``."""
        return self.transmission.rate(values, times, self.changes)

    def begin(self, values: Values, rates: Rates) -> np.ndarray:
        """``(6, sets)`` the state at the beginning of the first row; unreported cases before it are immune as well."""
        immune = (1 - values["susceptible"]) * self.population + self.immune / values["reporting"]
        return start_state(values["infected"], immune, self.beta(values, np.array([1e-9]))[0], rates)

    def path(self, theta: np.ndarray, days: int | None = None, steps: int = FIT_STEPS) -> np.ndarray:
        """``(days + 1, 6, sets)`` states from the beginning of the first row on."""
        values = self.values(theta)
        rates = self.rates(values)
        days = self.days if days is None else days
        return integrate(self.begin(values, rates), rates, lambda t: self.beta(values, t), 0, days, steps)

    def mean(self, theta: np.ndarray) -> np.ndarray:
        """``(sets, days, targets)`` expected counts."""
        return self.observed(self.path(theta), self.values(theta)["reporting"])

    def observed(self, path: np.ndarray, reporting: np.ndarray, first: int = 0) -> np.ndarray:
        """``(sets, days, targets)`` expected reports of a path that begins on day ``first``."""
        flows = np.diff(path[:, [C, D]], axis=0).transpose(2, 0, 1)
        factors = self.factors[self.weekday(first + np.arange(flows.shape[1]))]
        cases = flows[..., 0] * reporting[:, None] * factors
        return np.stack([cases, flows[..., 1]], axis=-1)[..., : self.counts.shape[1]]

    def weekday(self, rows: np.ndarray) -> np.ndarray:
        """Day of the week of rows, also of those to come."""
        return (self.weekdays[0] + rows) % 7
