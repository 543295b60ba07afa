"""The fitting problem of each series of a panel, and the checks of the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gatecast.base.errors import DataError, SettingError
from gatecast.base.findings import Arg, InPython
from gatecast.base.text import percent, plural, shorten, time_text
from gatecast.data.panel import Panel
from gatecast.epidemic.seir.likelihood import Likelihood
from gatecast.epidemic.seir.problem import Given, Problem
from gatecast.epidemic.seir.transmission import DayOf, Piecewise, Transmission

LEAST_DAYS = 14
Population = float | Mapping[str, float] | str


def require_daily_counts(panel: Panel, variant: str) -> None:
    """Check that rows are a day apart, the number of targets, and that counts are not negative.

    Raises:
        DataError: with series, day and value.
    """
    if not panel.freq.is_integer and panel.freq.alias != "D":
        raise DataError(
            f"the equations expect one row a day, this panel has frequency {panel.freq}",
            "give daily counts",
            place=panel.source,
        )
    most = 2 if variant == "seird" else 1
    if panel.targets > most:
        raise DataError(
            Arg("variant", variant)
            + f" takes {'new cases, and optionally new deaths,' if most == 2 else 'one column'} as target, this panel "
            f"has {panel.targets}: {', '.join(panel.target_names)}",
            "read it with " + Arg("target", ...),
            place=panel.source,
        )
    for index in range(len(panel)):
        values = panel.series(index)
        wrong = np.argwhere(values < 0)
        if len(wrong):
            row, target = wrong[0]
            raise DataError(
                f"new cases per day must be 0 or more, but {panel.target_names[target]} of series "
                f"{panel.ids[index]} is {values[row, target]:g} at {time_text(panel.times(index)[row])}",
                "repair such days with gatecast.epidemic.daily_counts, which lists them",
                place=panel.source,
            )


def population_of(panel: Panel, population: Population) -> np.ndarray:
    """``(series,)`` persons.

    Raises:
        SettingError: for a series without a number, or a number below 1.
    """
    ids = [str(name) for name in panel.ids]
    if isinstance(population, str):
        if population not in panel.static_names:
            known = f"only {', '.join(panel.static_names)}" if panel.static_names else "no static column"
            raise SettingError(
                Arg("population", population) + f" names a static column, and the panel has {known}",
                "read it with "
                + Arg("static", [population])
                + InPython(", or give a number or a mapping from series to number"),
            )
        found = panel.static[:, panel.static_names.index(population)].astype(np.float64)
    elif isinstance(population, Mapping):
        missing = [name for name in ids if name not in population]
        if missing:
            raise SettingError(Arg("population") + f" lacks series {missing[0]!r}; it has {shorten(list(population))}")
        found = np.array([float(population[name]) for name in ids])
    else:
        found = np.full(len(ids), float(population))
    for name, number in zip(ids, found, strict=True):
        if not (np.isfinite(number) and number >= 1):
            raise SettingError(Arg("population") + f" must be at least 1 person, got {number:g} for {name}")
    return found


def day_of(panel: Panel, index: int) -> DayOf:
    """A function from a date to the row of a series (rows before the first have negative numbers).

    Raises:
        SettingError: for something else than a date.
    """

    def day(date: Any) -> int:
        try:
            at = np.array([date if panel.freq.is_integer else np.datetime64(str(date), "ns")])
            return round(float(panel.freq.position(panel.starts[index], at)[0]))
        except (ValueError, TypeError) as error:
            form = "a row number" if panel.freq.is_integer else "a date such as '2020-01-23'"
            raise SettingError(f"expected {form}, got {date!r}") from error

    return day


def problem_of(
    panel: Panel,
    index: int,
    *,
    population: float,
    variant: str,
    transmission: Transmission,
    likelihood: Likelihood,
    constants: dict[str, Given],
    history: int | None,
    limits: Mapping[str, tuple[float, float]],
) -> tuple[Problem | None, int]:
    """The problem of one series and the row it begins in; None for a series without cases.

    Raises:
        DataError: fewer than 14 days with a count, or more cases than people.
    """
    counts = panel.series(index).astype(np.float64)
    name = str(panel.ids[index])
    if not np.nansum(counts[:, 0]) > 0:
        return None, 0
    total = float(np.nansum(counts[:, 0]))
    most = np.max(constants["reporting"])
    if total > most * population:
        share = "" if most == 1 else f", of which at most {percent(most)} are reported,"
        raise DataError(
            f"series {name} counts {total:,.0f} cases{share} in a population of {population:,.0f}",
            "give the population that the cases come from, in persons: " + Arg("population", ...),
            place=panel.source,
        )
    first = int(np.argmax(np.nan_to_num(counts[:, 0]) > 0))  # days before the first case carry no information
    if history is not None:
        first = max(first, len(counts) - history)
    seen = int(np.isfinite(counts[first:, 0]).sum())
    if seen < LEAST_DAYS:
        raise DataError(
            f"series {name} has {plural(seen, 'day')} with a count since its first case, and at least {LEAST_DAYS} are "
            "needed to fit an epidemic",
            "wait for more, or leave the series out",
            place=panel.source,
        )
    place = day_of(panel, index)
    problem = Problem(
        counts=counts[first:],
        population=population,
        immune=float(np.nansum(counts[:first, 0])),
        variant=variant,
        transmission=transmission,
        changes=tuple(day - first for day in transmission.change_rows(place)),
        likelihood=likelihood,
        constants=constants,
        weekdays=_weekdays(panel.times(index)[first:]),
        limits=limits,
    )
    unknown = [one for one in limits if one not in problem.names]
    if unknown and not isinstance(transmission, Piecewise):
        raise SettingError(
            Arg("bounds") + f" names {unknown[0]!r}, which is not fitted", f"use {', '.join(problem.names)}"
        )
    return problem, first


def _weekdays(times: np.ndarray) -> np.ndarray:
    """Day of the week, 0 for Monday where there are dates."""
    if not np.issubdtype(times.dtype, np.datetime64):
        return np.arange(len(times)) % 7
    return (times.astype("datetime64[D]").astype(np.int64) + 3) % 7
