"""The compartment equations, and a fast integrator for many parameter sets at once.

After Kermack & McKendrick (1927), Proc. R. Soc. A 115:700, with a latent stage. In persons and days, with N constant:

    S' = -β(t) S I / N          susceptible
    E' =  β(t) S I / N - σ E    infected, not yet infectious (absent in SIR)
    I' =  σ E - γ I             infectious
    R' =  (1 - f) γ I           removed
    D' =  f γ I                 dead (f = 0 unless SEIRD)
    C' =  σ E                   cases so far: the flow into I (in SIR: β(t) S I / N)

1/σ is the incubation time, 1/γ the infectious time. S, E, I and C are integrated; R and D follow, since the
compartments sum to N and the share f of the removed has died.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

VARIANTS = ("sir", "seir", "seird")
COMPARTMENTS = ("S", "E", "I", "R", "D")
S, E, I, R, D, C = range(6)  # noqa: E741  the letters of the equations
_MOVING = [S, E, I, C]
FIT_STEPS, FINE_STEPS = 2, 12  # Runge–Kutta steps a day: while fitting, and for what is shown

Rate = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Rates:
    """The constant rates of ``sets`` parameter sets, each ``(sets,)``.

    Args:
        sigma: rate of becoming infectious (1/day); infinite for SIR, where the latent stage is left out.
        gamma: rate of removal (1/day).
        fatality: share of the removed who die.
        population: N (persons).
    """

    sigma: np.ndarray
    gamma: np.ndarray
    fatality: np.ndarray
    population: np.ndarray

    @cached_property
    def latent(self) -> bool:
        """Whether there is a latent stage E."""
        return bool(np.isfinite(self.sigma).all())


def integrate(
    state: np.ndarray, rates: Rates, transmission: Rate, first: int, days: int, steps: int = FINE_STEPS
) -> np.ndarray:
    """The classical Runge–Kutta method of fourth order, for a batch of parameter sets.

    Args:
        state: ``(6, sets)`` S, E, I, R, D and C at the beginning of day ``first``.
        rates: the constant rates.
        transmission: times ``(n,)`` in days → β ``(n, sets)``.
        first: day on which to start.
        days: number of days.
        steps: steps a day.

    Returns:
        ``(days + 1, 6, sets)`` states at the beginning of each day, the first as given.
    """
    width = 1.0 / steps
    begin = first + width * np.arange(days * steps)
    inside = 1e-9  # a jump of β at midnight belongs to the day after it
    stages = np.stack([begin + inside, begin + width / 2, begin + width - inside], axis=1)
    beta = transmission(stages.ravel()).reshape(days * steps, 3, -1)
    path = np.empty((days + 1, *state.shape))
    path[0] = state
    now = state[_MOVING].astype(np.float64)
    force = beta / rates.population
    k1, k2, k3, k4 = np.empty((4, *now.shape))
    for step in range(days * steps):
        start, middle, end = force[step]
        _change(now, start, rates, k1)
        _change(now + width / 2 * k1, middle, rates, k2)
        _change(now + width / 2 * k2, middle, rates, k3)
        _change(now + width * k3, end, rates, k4)
        now += width / 6 * (k1 + k4 + 2 * (k2 + k3))
        if (step + 1) % steps == 0:
            path[(step + 1) // steps, _MOVING] = now
    removed = rates.population - path[:, S] - path[:, E] - path[:, I]
    path[:, D] = state[D] + rates.fatality * (removed - state[R] - state[D])
    path[:, R] = removed - path[:, D]
    return path


def _change(now: np.ndarray, force: np.ndarray, rates: Rates, change: np.ndarray) -> None:
    """Write the right-hand sides of S, E, I and C, each ``(sets,)``; ``force`` is β/N."""
    infection = force * now[0] * now[2]
    onset = rates.sigma * now[1] if rates.latent else infection
    np.negative(infection, out=change[0])
    np.subtract(infection, onset, out=change[1])
    np.subtract(onset, rates.gamma * now[2], out=change[2])
    change[3] = onset


def growth_rate(beta: np.ndarray, rates: Rates, susceptible: np.ndarray | float = 1.0) -> np.ndarray:
    """The rate r (1/day) at which cases grow while β and the susceptible share hold: the dominant eigenvalue.

    For SIR r = βs - γ; with a latent stage the larger root of (r + σ)(r + γ) = σβs.
    """
    force = beta * susceptible
    if not rates.latent:
        return force - rates.gamma
    sigma, gamma = rates.sigma, rates.gamma
    return (np.sqrt((sigma - gamma) ** 2 + 4 * sigma * force) - sigma - gamma) / 2


def start_state(infected: np.ndarray, immune: np.ndarray, beta: np.ndarray, rates: Rates) -> np.ndarray:
    """``(6, sets)`` state with the infected split between E and I as in exponential growth.

    Args:
        infected: E + I (persons).
        immune: R (persons).
        beta: transmission on the first day.
        rates: the constant rates.
    """
    susceptible = np.maximum(rates.population - infected - immune, 0.0)
    growth = growth_rate(beta, rates, susceptible / rates.population)
    latent = (growth + rates.gamma) / rates.sigma if rates.latent else np.zeros_like(growth)  # E/I of the eigenvector
    infectious = infected / (1 + latent)
    zero = np.zeros_like(infectious)
    return np.stack([susceptible, infected - infectious, infectious, immune + zero, zero, zero])


def final_share(r0: float | np.ndarray, susceptible: float = 1.0) -> np.ndarray:
    """Share z of the population infected in the end with constant β: log((s - z)/s) = -R0 z.

    After Kermack & McKendrick (1927).

    Args:
        r0: β/γ.
        susceptible: share s that is susceptible at first.

    Example:
        >>> from gatecast.epidemic.seir import final_share
        >>> round(float(final_share(2.0)), 4)
        0.7968
    """
    r0 = np.asarray(r0, np.float64)
    low, high = np.zeros_like(r0), np.full_like(r0, susceptible)
    low = np.where(r0 * susceptible > 1, 1e-12, 0.0)
    for _ in range(200):  # bisection: susceptible (1 - exp(-R0 z)) - z is positive below the root, negative above it
        middle = (low + high) / 2
        above = susceptible * -np.expm1(-r0 * middle) > middle
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(r0 * susceptible > 1, (low + high) / 2, 0.0)
