"""Do the intervals of SEIR cover? Parameters and forecasts of many simulated epidemics whose truth is known.

    python benchmarks/epidemic_coverage.py [--epidemics 200]

Every epidemic has its own β, decay, first infections, noise (negative binomial) and length; the fit knows the
incubation and infectious time. 95 % intervals of the parameters are by profile likelihood, those of R0 and of the final
size by parametric bootstrap. Forecast bands are of 14 days of counts: with β as fitted (``drift=0``), which is the
truth here, and with the drift that is measured on each series, as by default.
"""

from __future__ import annotations

from typing import Any

import common
import numpy as np

from gatecast import Panel, SEIRForecaster
from gatecast.epidemic.seir.likelihood import NegativeBinomial
from gatecast.epidemic.seir.problem import Problem
from gatecast.epidemic.seir.transmission import Exponential

LEVELS = (50, 80, 95)
HORIZON = 14
POPULATION = 1e6


def main() -> None:
    """Simulate, fit, count, print and write."""
    parser = common.arguments(__doc__)
    parser.add_argument("--epidemics", type=int, default=200)
    args = parser.parse_args()
    found: dict[str, list[bool]] = {}
    for number in range(args.epidemics):
        for name, inside in one(np.random.default_rng(number), number).items():
            found.setdefault(name, []).extend(inside)
        if number % 10 == 9:
            print(f"\n{number + 1} epidemics\n{common.table(table(found))}", flush=True)
    common.write("epidemic_coverage", table(found), args, epidemics=args.epidemics)


def table(found: dict[str, list[bool]]) -> list[dict[str, Any]]:
    """Share of intervals that hold the truth."""
    return [{"interval": name, "covers %": 100 * float(np.mean(b)), "of": len(b)} for name, b in found.items()]


def one(rng: np.random.Generator, seed: int) -> dict[str, list[bool]]:
    """Which intervals of one epidemic hold the truth."""
    truth = {"beta": rng.uniform(0.35, 0.9), "decay": rng.uniform(0.005, 0.04), "infected": rng.uniform(20, 200)}
    days, dispersion = int(rng.integers(35, 80)), rng.uniform(0.02, 0.15)
    problem = simulated(days + HORIZON)
    theta = np.log([[truth[name] for name in problem.names]])
    counts = NegativeBinomial().sample(problem.mean(theta)[0], dispersion, rng)
    panel = Panel.from_arrays([counts], freq="D").cut(HORIZON)
    result: dict[str, list[bool]] = {}
    for drift, label in ((0.0, "β as fitted"), (None, "measured drift")):
        model = SEIRForecaster(HORIZON, POPULATION, drift=drift, starts=6, draws=100, seed=seed).fit(panel)
        forecast = model.predict(levels=LEVELS)
        for level in LEVELS:
            low, high = (end[0, :, 0] for end in forecast.interval(level))
            after = counts[days:, 0]
            result[f"counts, {level} %, {label}"] = ((low <= after) & (after <= high)).tolist()
    return result | learned(model, truth, theta)


def learned(model: SEIRForecaster, truth: dict[str, float], theta: np.ndarray) -> dict[str, list[bool]]:
    """Parameters and what follows from them."""
    rows = model.params_.set_index("parameter")
    found = {f"{name}, 95 %": [bool(rows.loc[name, "low"] <= v <= rows.loc[name, "high"])] for name, v in truth.items()}
    total = float(simulated(800).mean(theta).sum())
    table = model.summary().set_index("quantity")
    for quantity, value in {"R0": 7 * truth["beta"], "final size (cases)": total}.items():
        found[f"{quantity}, 95 %"] = [bool(table.loc[quantity, "low"] <= value <= table.loc[quantity, "high"])]
    return found


def simulated(days: int) -> Problem:
    """The problem behind the counts."""
    given: dict[str, Any] = {
        "incubation": 5.0,
        "infectious": 7.0,
        "reporting": 1.0,
        "susceptible": 1.0,
        "fatality": 0.01,
    }
    counts, form = np.ones((days, 1)), Exponential()
    return Problem(counts, POPULATION, 0.0, "seir", form, (), NegativeBinomial(), given, np.arange(days) % 7)


if __name__ == "__main__":
    main()
