"""The fit: known parameters are found again, intervals cover, and parameters that are not identified are reported."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from epidemic.seir.epidemics import CONSTANTS, TRUTH, counts, problem

from gatecast.epidemic.seir.changes import find_changes
from gatecast.epidemic.seir.fit import Fitted, bootstrap, fit
from gatecast.epidemic.seir.identify import parameters
from gatecast.epidemic.seir.likelihood import LogNormal, NegativeBinomial
from gatecast.epidemic.seir.problem import Problem
from gatecast.epidemic.seir.transmission import Constant, Exponential, Piecewise


def fitted(one: Problem, truth: dict[str, float], dispersion: float | None = None, seed: int = 0) -> Fitted:
    return fit(replace(one, counts=counts(one, truth, dispersion, seed)), 3, 1)


def estimates(done: Fitted) -> dict[str, float]:
    return dict(zip(done.problem.names, np.exp(done.theta).tolist(), strict=True))


@pytest.mark.parametrize(
    ("fields", "truth"),
    [
        ({}, TRUTH),
        ({"variant": "sir"}, {"beta": 0.35, "decay": 0.01, "infected": 30.0}),
        ({"form": Constant()}, {"beta": 0.4, "infected": 80.0}),
        (
            {"form": Piecewise(changes=("2020-02-23", "2020-03-14"))},
            {"beta_0": 0.7, "beta_1": 0.2, "beta_2": 0.35, "infected": 40.0},
        ),
        ({"form": Exponential(start="2020-02-18", floor=0.2)}, {"beta": 0.6, "decay": 0.1, "infected": 40.0}),
        ({"likelihood": LogNormal()}, TRUTH),
    ],
)
def test_known_parameters_are_recovered(fields: dict[str, Any], truth: dict[str, float]) -> None:
    found = estimates(fitted(problem(**fields), truth))
    assert found == pytest.approx(truth, rel=0.02)


def test_latent_and_infectious_time_are_recovered_from_a_whole_epidemic() -> None:
    free = {**CONSTANTS, "incubation": (2.0, 12.0), "infectious": (2.0, 20.0)}
    truth = {"beta": 0.6, "infected": 50.0, "incubation": 5.0, "infectious": 7.0}
    found = estimates(fitted(problem(150, Constant(), constants=free), truth))
    assert found == pytest.approx(truth, rel=0.02)


def test_deaths_tell_the_fatality() -> None:
    free = {**CONSTANTS, "fatality": (1e-4, 0.2)}
    truth = {**TRUTH, "fatality": 0.03}
    found = estimates(fitted(problem(targets=2, variant="seird", constants=free), truth, 0.02))
    assert found["fatality"] == pytest.approx(0.03, rel=0.1)


def test_intervals_cover_the_truth() -> None:
    inside = []
    for seed in range(6):
        done = fitted(problem(60), TRUTH, 0.05, seed)
        rows = {one.name: one for one in parameters(done)}
        inside += [rows[name].low <= value <= rows[name].high for name, value in TRUTH.items()]
        drawn = np.exp(bootstrap(done, 60, np.random.default_rng(seed)))
        low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
        # the bootstrap and the profile tell the same story
        assert low[0] == pytest.approx(rows["beta"].low, rel=0.06)
        assert high[0] == pytest.approx(rows["beta"].high, rel=0.06)
    assert np.mean(inside) >= 0.83  # 18 intervals of 95 %


def test_before_the_peak_the_susceptible_share_is_not_identified() -> None:
    free = {**CONSTANTS, "susceptible": (0.01, 1.0)}
    truth = {"beta": 0.45, "infected": 50.0, "susceptible": 0.6}
    early = {one.name: one for one in parameters(fitted(problem(35, Constant(), constants=free), truth, 0.05))}
    assert early["susceptible"].identifiable is False
    assert early["susceptible"].high == pytest.approx(1.0)
    assert "trades off with beta (condition of the Hessian" in early["susceptible"].reason
    late = {one.name: one for one in parameters(fitted(problem(140, Constant(), constants=free), truth, 0.05))}
    assert late["susceptible"].identifiable
    assert late["susceptible"].reason == ""
    assert late["susceptible"].low < 0.6 < late["susceptible"].high


def test_an_estimate_at_its_bound_is_reported() -> None:
    done = fitted(problem(40, limits={"beta": (0.01, 0.5)}), TRUTH)
    beta = next(one for one in parameters(done) if one.name == "beta")
    assert beta.estimate == pytest.approx(0.5, rel=1e-3)
    assert not beta.identifiable
    assert beta.reason.startswith("the estimate lies at its upper bound, 0.5")


def test_early_on_the_two_times_are_not_identified() -> None:
    free = {**CONSTANTS, "incubation": (1.0, 14.0), "infectious": (1.0, 21.0)}
    truth = {"beta": 0.6, "infected": 50.0, "incubation": 5.0, "infectious": 7.0}
    rows = {one.name: one for one in parameters(fitted(problem(30, Constant(), constants=free), truth, 0.05))}
    assert not rows["incubation"].identifiable
    assert not rows["infectious"].identifiable
    assert "trades off with" in rows["infectious"].reason
    assert "condition of the Hessian" in rows["infectious"].reason
    assert rows["reporting"].identifiable is None
    assert rows["reporting"].reason == "given"


def test_the_estimate_is_an_optimum() -> None:
    done = fitted(problem(40), TRUTH, 0.05)
    one = done.problem

    def loss(theta: np.ndarray) -> float:
        return float((one.likelihood.residuals(one.counts, one.mean(theta[None])[0], done.dispersion) ** 2).sum())

    assert loss(done.theta) == pytest.approx(done.deviance)
    assert all(loss(done.theta + side * step) > done.deviance for step in 0.01 * np.eye(3) for side in (-1, 1))
    assert done.jacobian.shape == (40, 3)


def test_weekdays_are_found() -> None:
    factors = np.array([1.2, 1.1, 1.1, 1.0, 1.0, 0.7, 0.5])
    factors = factors / np.exp(np.log(factors).mean())
    done = fitted(problem(70, factors=factors), TRUTH, 0.01)
    np.testing.assert_allclose(done.problem.factors, factors, rtol=0.12)
    assert estimates(done)["beta"] == pytest.approx(0.6, rel=0.05)


def test_change_points_are_found() -> None:
    truth = {"beta_0": 0.7, "beta_1": 0.15, "infected": 40.0}
    one = problem(70, Piecewise(changes=("2020-03-04",)))
    scattered = replace(one, counts=counts(one, truth, 0.02))
    form = Piecewise(most=1)
    found = find_changes(replace(scattered, transmission=form, changes=()), form, 2, 1)
    assert len(found.changes) == 1
    assert abs(found.changes[0] - 30) <= 1


def test_no_change_point_is_found_at_a_constant_rate() -> None:
    one = problem(60, Piecewise())
    flat = replace(one, counts=counts(one, {"beta_0": 0.4, "infected": 40.0}, 0.05))
    assert find_changes(flat, Piecewise(), 2, 1).changes == ()


@pytest.mark.parametrize("likelihood", [NegativeBinomial(), LogNormal()])
def test_dispersion_is_found_again(likelihood: Any) -> None:
    rng = np.random.default_rng(0)
    mean = np.full((4000, 1), 300.0)
    drawn = likelihood.sample(mean, 0.1, rng)
    assert likelihood.dispersion(drawn, mean, 0) == pytest.approx(0.1, rel=0.1)
    assert (drawn == np.floor(drawn)).all()
    residuals = likelihood.residuals(drawn, mean, 0.1)
    assert residuals.std() == pytest.approx(1.0, rel=0.05)
    assert likelihood.residuals(np.array([[np.nan]]), np.array([[3.0]]), 0.1) == 0


def test_the_negative_binomial_deviance_is_the_loss_of_log_likelihood() -> None:
    from scipy.stats import nbinom

    def log_likelihood(y: float, mu: float, alpha: float) -> float:
        return float(nbinom.logpmf(y, 1 / alpha, 1 / (1 + alpha * mu)))

    for y, mu, alpha in [(0.0, 3.0, 0.2), (7.0, 3.0, 0.2), (40.0, 60.0, 0.05)]:
        residual = NegativeBinomial().residuals(np.array(y), np.array(mu), alpha)
        assert residual**2 == pytest.approx(
            2 * (log_likelihood(y, max(y, 1e-12), alpha) - log_likelihood(y, mu, alpha))
        )
