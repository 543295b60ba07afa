"""Results of the fit as frames: parameters, reproduction numbers, the course, peak and final size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gatecast.epidemic.seir.bands import Course, without_weekdays
from gatecast.epidemic.seir.equations import COMPARTMENTS, C, S, growth_rate
from gatecast.epidemic.seir.scenarios import Scenario

if TYPE_CHECKING:
    from gatecast.epidemic.seir.forecaster import SeriesFit

Fits = Mapping[str, "SeriesFit"]

_END = 730  # days after the origin, by which the epidemic is assumed to end
_LONG_STEPS = 2  # per day over those years; the relative error of the final size is 1e-4
_ENDS = (2.5, 97.5)


def parameter_table(fits: Fits) -> pd.DataFrame:
    """One row per series and parameter."""
    rows = [
        {"unique_id": name, **_plain(asdict(parameter))} for name, one in fits.items() for parameter in one.parameters
    ]
    return pd.DataFrame(rows)


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    return {"parameter": fields.pop("name"), **fields}


def first_r0(course: Course) -> np.ndarray:
    """``(sets,)`` β/γ on the first day."""
    return course.beta[0] * course.values["infectious"]


def reproduction_table(fits: Fits, horizon: int) -> pd.DataFrame:
    """R_t by day with 50 and 95 % bands of the bootstrap."""
    return pd.concat([_reproduction(name, one, horizon) for name, one in fits.items()], ignore_index=True)


def _reproduction(name: str, one: SeriesFit, horizon: int) -> pd.DataFrame:
    days, population = one.days + horizon, one.fitted.problem.population
    estimate = one.course(days).reproduction(population)[0, :days]
    drawn = one.course(days, draws=True).reproduction(population)[:, :days]
    low, low_half, high_half, high = np.percentile(drawn, [2.5, 25, 75, 97.5], axis=0)
    return pd.DataFrame(
        {
            "unique_id": name,
            "ds": _times(one, days),
            "estimate": estimate,
            "lo-95": low,
            "hi-95": high,
            "lo-50": low_half,
            "hi-50": high_half,
            "future": np.arange(days) >= one.days,
        }
    )


def curve_table(fits: Fits, scenario: Scenario, horizon: int) -> pd.DataFrame:
    """The course without weekday factors."""
    return pd.concat([_curve(name, one, scenario, horizon) for name, one in fits.items()], ignore_index=True)


def _curve(name: str, one: SeriesFit, scenario: Scenario, horizon: int) -> pd.DataFrame:
    days, problem = one.days + horizon, one.fitted.problem
    course = one.course(days, scenario)
    new = without_weekdays(problem).observed(course.states, course.values["reporting"])[0, :, 0]
    states = {label: course.states[1:, place, 0] for place, label in enumerate(COMPARTMENTS)}
    columns = {"unique_id": name, "ds": _times(one, days), "new": new, "cumulative": problem.immune + new.cumsum()}
    return pd.DataFrame({**columns, **states, "R_t": course.reproduction(problem.population)[0, :days]})


def summary_table(fits: Fits, scenario: Scenario) -> pd.DataFrame:
    """R0, R_t, doubling time, peak and final size, with 95 % intervals of the bootstrap."""
    rows = [row for name, one in fits.items() for row in _summary(name, one, scenario)]
    return pd.DataFrame(rows)


def _summary(name: str, one: SeriesFit, scenario: Scenario) -> Iterator[dict[str, Any]]:
    days = one.days + _END
    here, drawn = (
        _quantities(one, one.course(days, scenario, draws=many, steps=_LONG_STEPS)) for many in (False, True)
    )
    for quantity, values in here.items():
        low, high = np.nanpercentile(drawn[quantity], _ENDS) if np.isfinite(drawn[quantity]).any() else (np.nan, np.nan)
        found: tuple[Any, ...] = (float(values[0]), float(low), float(high))
        if quantity == "peak date":
            found = tuple(_date(one, value) for value in found)
        yield {"unique_id": name, "quantity": quantity, **dict(zip(("estimate", "low", "high"), found, strict=True))}


def _quantities(one: SeriesFit, course: Course) -> dict[str, np.ndarray]:
    """Each ``(sets,)``."""
    problem = one.fitted.problem
    new = without_weekdays(problem).observed(course.states, course.values["reporting"])[..., 0]
    reproduction = course.reproduction(problem.population)
    share = course.states[one.days, S] / problem.population
    growth = growth_rate(course.beta[one.days], problem.rates(course.values), share)
    return {
        "R0": first_r0(course),
        "R_t at the origin": reproduction[:, one.days],
        "doubling time (days)": np.log(2) / growth,  # negative: the time in which cases halve
        "peak date": new.argmax(axis=1).astype(np.float64),
        "peak (new cases a day)": new.max(axis=1),
        "final size (cases)": problem.immune + course.states[-1, C] * course.values["reporting"],
    }


def first_day(one: SeriesFit) -> Any:
    """Time of the first fitted day."""
    return _times(one, 1)[0]


def _date(one: SeriesFit, row: float) -> Any:
    return _times(one, round(row) + 1)[-1] if np.isfinite(row) else None


def _times(one: SeriesFit, days: int) -> Any:
    """Times of ``days`` days from the first fitted one."""
    times = one.panel.freq.times(one.panel.starts[one.index], one.first, days)
    return times if one.panel.freq.is_integer else pd.DatetimeIndex(times)
