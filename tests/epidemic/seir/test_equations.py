"""The equations: nobody is lost, the reference integrator agrees, and the epidemic ends where theory says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from gatecast.epidemic.seir import final_share
from gatecast.epidemic.seir.equations import FINE_STEPS, C, D, E, I, R, Rates, S, growth_rate, integrate, start_state

CASES = {
    "seird": {"n": 1e6, "beta": 0.6, "decay": 0.02, "sigma": 1 / 5, "gamma": 1 / 7, "infected": 50.0, "days": 120},
    "country": {"n": 1.4e9, "beta": 4.6, "decay": 0.2, "sigma": 1 / 5, "gamma": 1 / 7, "infected": 500.0, "days": 150},
    "fast": {"n": 1e5, "beta": 2.0, "decay": 0.0, "sigma": 1 / 3, "gamma": 1 / 4, "infected": 3.0, "days": 100},
    "sir": {"n": 1e6, "beta": 0.5, "decay": 0.01, "sigma": np.inf, "gamma": 1 / 7, "infected": 20.0, "days": 150},
}


def rates_of(case: dict[str, Any]) -> Rates:
    return Rates(*(np.array([case[name]]) for name in ("sigma", "gamma")), np.array([0.01]), np.array([case["n"]]))


def run(case: dict[str, Any], immune: float = 100.0) -> np.ndarray:
    start = start_state(np.array([case["infected"]]), np.array([immune]), np.array([case["beta"]]), rates_of(case))
    rate = lambda t: case["beta"] * np.exp(-case["decay"] * t)[:, None]  # noqa: E731
    return integrate(start, rates_of(case), rate, 0, case["days"], FINE_STEPS)[:, :, 0]


def reference(case: dict[str, Any], start: np.ndarray) -> np.ndarray:
    """The six equations as they are written down, by SciPy."""

    def change(t: float, y: np.ndarray) -> list[float]:
        infection = case["beta"] * np.exp(-case["decay"] * t) * y[S] * y[I] / case["n"]
        onset = case["sigma"] * y[E] if np.isfinite(case["sigma"]) else infection
        removal = case["gamma"] * y[I]
        return [-infection, infection - onset, onset - removal, 0.99 * removal, 0.01 * removal, onset]

    days = np.arange(case["days"] + 1)
    return solve_ivp(change, (0, case["days"]), start, t_eval=days, rtol=1e-10, atol=1e-9, method="DOP853").y.T


@pytest.mark.parametrize("name", CASES)
def test_nobody_is_lost_and_solve_ivp_agrees(name: str) -> None:
    path = run(CASES[name])
    assert np.abs(path[:, [S, E, I, R, D]].sum(axis=1) / CASES[name]["n"] - 1).max() < 1e-9
    expected = reference(CASES[name], path[0])
    assert np.abs(expected[:, [S, E, I, R, D]].sum(axis=1) / CASES[name]["n"] - 1).max() < 1e-9
    np.testing.assert_allclose(path, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["fast", "sir"])
def test_the_epidemic_ends_where_the_final_size_relation_says(name: str) -> None:
    case = {**CASES[name], "decay": 0.0, "days": 900}
    path = run(case, immune=0.1 * case["n"])
    r0, start, end = case["beta"] / case["gamma"], path[0], path[-1]
    assert end[E] + end[I] < 1e-3
    infected = (start[S] + start[E] + start[I] - end[S]) / case["n"]
    assert np.log(end[S] / start[S]) == pytest.approx(-r0 * infected, abs=1e-4)
    assert infected == pytest.approx(float(final_share(r0, 0.9)), abs=1e-4)


def test_final_share() -> None:
    z = final_share(np.array([0.5, 1.0, 1.5, 2.0, 4.0]))
    np.testing.assert_allclose(np.log1p(-z), -np.array([0.5, 1.0, 1.5, 2.0, 4.0]) * z, atol=1e-9)
    assert z[0] == z[1] == 0.0


@pytest.mark.parametrize("name", ["seird", "sir"])
def test_an_epidemic_begins_at_its_own_growth_rate(name: str) -> None:
    case = {**CASES[name], "decay": 0.0, "n": 1e12, "days": 20}
    path = run(case, immune=0.0)
    growth = growth_rate(np.array([case["beta"]]), rates_of(case))
    np.testing.assert_allclose(np.diff(np.log(path[:, I])), growth[0], rtol=1e-4)
    np.testing.assert_allclose(np.diff(np.log(np.diff(path[:, C]))), growth[0], rtol=1e-4)


def test_a_jump_of_the_rate_is_hit_exactly() -> None:
    case = {**CASES["sir"], "n": 1e12}
    start = start_state(np.array([20.0]), np.array([0.0]), np.array([0.5]), rates_of(case))
    path = integrate(start, rates_of(case), lambda t: np.where(t < 10, 0.5, 0.1)[:, None], 0, 20)
    growth = np.where(np.arange(20) < 10, 0.5, 0.1) - 1 / 7
    np.testing.assert_allclose(np.diff(np.log(path[:, I, 0])), growth, rtol=1e-6)
