"""Simulated epidemics whose truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np

from gatecast.data.panel import Panel
from gatecast.epidemic.seir.likelihood import NegativeBinomial
from gatecast.epidemic.seir.problem import Problem
from gatecast.epidemic.seir.transmission import Exponential, Transmission

TRUTH = {"beta": 0.6, "decay": 0.02, "infected": 50.0}
START = np.datetime64("2020-02-03", "ns")  # a Monday
CONSTANTS: dict[str, Any] = {
    "incubation": 5.0,
    "infectious": 7.0,
    "reporting": 1.0,
    "susceptible": 1.0,
    "fatality": 0.01,
}


def problem(days: int = 80, form: Transmission | None = None, *, targets: int = 1, **fields: Any) -> Problem:
    """A problem without counts yet."""
    form = form or Exponential()
    plain: dict[str, Any] = {
        "counts": np.ones((days, targets)),
        "population": 1e6,
        "immune": 0.0,
        "variant": "seir",
        "transmission": form,
        "changes": form.change_rows(lambda date: int((np.datetime64(date, "ns") - START) / np.timedelta64(1, "D"))),
        "likelihood": NegativeBinomial(),
        "constants": CONSTANTS,
        "weekdays": np.arange(days) % 7,
    }
    return Problem(**{**plain, **fields})


def counts(one: Problem, truth: dict[str, float], dispersion: float | None = None, seed: int = 0) -> np.ndarray:
    """``(days, targets)`` the expected counts, or counts that scatter about them."""
    mean = one.mean(np.log([[truth[name] for name in one.names]]))[0]
    return mean if dispersion is None else one.likelihood.sample(mean, dispersion, np.random.default_rng(seed))


def panel(*values: np.ndarray, **fields: Any) -> Panel:
    """A daily panel from a Monday on."""
    starts = np.array([START] * len(values))
    return Panel.from_arrays([np.asarray(v) for v in values], freq="D", starts=starts, **fields)


def epidemic(days: int = 80, dispersion: float | None = 0.05, seed: int = 0, **truth: float) -> Panel:
    """One SEIR epidemic in a million people."""
    return panel(counts(problem(days), {**TRUTH, **truth}, dispersion, seed))
