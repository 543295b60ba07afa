"""The forecaster: SIR, SEIR and SEIRD with the interface of every other model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from gatecast.base.errors import DataError, SettingError
from gatecast.base.findings import Arg
from gatecast.base.options import Bounds, check_value
from gatecast.base.text import time_text
from gatecast.data.panel import Panel, require_panel
from gatecast.epidemic.seir import tables
from gatecast.epidemic.seir.bands import Course, Drift, estimate_drift, run, sample_paths
from gatecast.epidemic.seir.changes import find_changes
from gatecast.epidemic.seir.equations import FINE_STEPS, FIT_STEPS, VARIANTS
from gatecast.epidemic.seir.fit import Fitted, bootstrap, fit
from gatecast.epidemic.seir.identify import Parameter, parameters
from gatecast.epidemic.seir.likelihood import LIKELIHOODS, Likelihood
from gatecast.epidemic.seir.objects import object_of
from gatecast.epidemic.seir.problem import Given
from gatecast.epidemic.seir.scenarios import Scenario
from gatecast.epidemic.seir.series import LEAST_DAYS, day_of, population_of, problem_of, require_daily_counts
from gatecast.epidemic.seir.transmission import TRANSMISSIONS, Piecewise, Transmission
from gatecast.evaluation.forecast import DEFAULT_LEVELS, Forecast, level_quantiles
from gatecast.forecasters.base import Forecaster

if TYPE_CHECKING:
    import pandas as pd

_PATHS = 2000
_AS_FITTED = Scenario()
_OPTIONS = {
    "variant": ("str", Bounds(one_of=VARIANTS)),
    "history": ("int", Bounds(least=LEAST_DAYS)),
    "drift": ("float", Bounds(least=0)),
    "starts": ("int", Bounds(least=2)),
    "draws": ("int", Bounds(least=2)),
}


@dataclass(frozen=True, eq=False)
class SeriesFit:
    """The fit of one series.

    Args:
        panel: the panel it was fitted on.
        index: its position there.
        first: row of the series in which the fit begins.
        fitted: the estimate.
        draws: ``(draws, parameters)`` of the parametric bootstrap.
        drift: how far the epidemic leaves the fitted course.
    """

    panel: Panel
    index: int
    first: int
    fitted: Fitted
    draws: np.ndarray
    drift: Drift

    @property
    def days(self) -> int:
        """Days fitted on."""
        return self.fitted.problem.days

    @cached_property
    def parameters(self) -> list[Parameter]:
        """Estimates with intervals and identifiability."""
        return parameters(self.fitted)

    def changed(self, scenario: Scenario) -> int:
        """Row, counted from ``first``, from which the scenario's contacts hold."""
        place = day_of(self.panel, self.index)
        return scenario.first_day(lambda date: place(date) - self.first, self.days)

    def course(
        self, days: int, scenario: Scenario = _AS_FITTED, draws: bool = False, steps: int | None = None
    ) -> Course:
        """The fitted course, or that of every draw, over ``days`` days from the first."""
        theta = self.draws if draws else self.fitted.theta[None]
        steps = steps or (FIT_STEPS if draws else FINE_STEPS)
        return run(self.fitted.problem, theta, days, scenario, self.changed(scenario), steps=steps)


@dataclass(eq=False, repr=False)
class SEIRForecaster(Forecaster):
    """SIR, SEIR or SEIRD equations with a transmission rate that may change in time.

    Each series of daily new cases is fitted separately by maximum likelihood, again at every origin. Intervals cover
    three uncertainties: the parameters (parametric bootstrap), the course of β after the origin (a random walk with the
    variance seen in forecasts from earlier origins of the series), and the noise of the counts. The point forecast is
    the fitted course; quantiles and samples are whole numbers of cases. ``predict`` on a panel other than that of
    ``fit`` fits it first; covariates are not used.

    Args:
        horizon: days ahead.
        population: persons: a number, a mapping from series to number, or the name of a static column of the panel.
        variant: ``"sir"``, ``"seir"`` or ``"seird"``; SEIRD takes new deaths as second target where the panel has them.
        transmission: ``"constant"``, ``"exponential"`` (β falls exponentially) or ``"piecewise"`` (β changes in steps,
            on days that are searched for), or with settings: ``"piecewise(changes=('2020-01-23',))"``,
            ``"exponential(start='2020-01-23', floor=0.1)"``, or an object.
        likelihood: ``"negative_binomial"`` or ``"log"`` (errors of the logarithm are normal).
        incubation: mean days from infection until infectious; a pair ``(low, high)`` has it fitted within.
        infectious: mean days infectious; or a pair.
        reporting: share of cases that are reported; or a pair.
        susceptible: share of the population that could be infected at first; or a pair.
        fatality: share of cases who die (SEIRD); or a pair.
        bounds: lower and upper bound of fitted parameters by name (``beta``, ``decay``, ``beta_0`` …, ``infected``)
            that replace the usual wide ones: ``{"beta": (0.1, 1.5)}``.
        history: days before the origin to fit on; None takes all. Earlier cases count as immune.
        drift: standard deviation of the daily change of log β after the origin; None estimates it from earlier origins,
            0 keeps β as fitted.
        starts: starting points of the fit.
        draws: repetitions of the bootstrap.
        seed: of starts, bootstrap and sample paths.
        name: column of the forecast.

    Attributes:
        params_: frame with ``unique_id, parameter, estimate, low, high, identifiable, reason``.
        r0_: basic reproduction number on the first fitted day, by series.

    Example:
        >>> import numpy as np, gatecast
        >>> days = np.arange(40)
        >>> panel = gatecast.Panel.from_arrays([np.rint(5 * np.exp(0.1 * days))], freq="D")
        >>> model = gatecast.SEIRForecaster(7, 1_000_000, transmission="constant", draws=50).fit(panel)
        >>> round(model.r0_["s0"], 1)
        2.6
    """

    horizon: int
    population: float | Mapping[str, float] | str
    _: KW_ONLY
    variant: str = "seir"
    transmission: Any = "exponential"
    likelihood: Any = "negative_binomial"
    incubation: Given = 5.0
    infectious: Given = 7.0
    reporting: Given = 1.0
    susceptible: Given = 1.0
    fatality: Given = 0.01
    bounds: Mapping[str, tuple[float, float]] | None = None
    history: int | None = None
    drift: float | None = None
    starts: int = 12
    draws: int = 200
    seed: int = 1
    name: str = "SEIR"

    # ── fit and predict ───────────────────────────────────────────────────────────────────────────────────────────
    def fit(self, panel: Panel) -> Self:
        """Fit every series of the panel up to its origin.

        Raises:
            DataError: for negative counts, too few days, more cases than people, or no case in any series.
            SettingError: for arguments that do not fit.
        """
        self._check()
        require_panel(panel)
        self.fits_ = self._fits(panel)
        self.panel_ = panel
        return self

    def _forecast(self, panel: Panel, horizon: int, levels: Sequence[float], samples: int | None) -> Forecast:
        return self._under(_AS_FITTED, self.name, panel, horizon, levels, samples)

    def scenario(
        self,
        name: str | Scenario = "",
        *,
        shift_days: int = 0,
        contacts: float = 0.0,
        start: str | int | None = None,
        horizon: int | None = None,
        levels: Sequence[float] = DEFAULT_LEVELS,
        samples: int | None = None,
    ) -> Forecast:
        """The forecast under a scenario; :meth:`curve` gives the whole course under it.

        Args:
            name: of the scenario; or a :class:`Scenario` with its settings.
            shift_days: days by which the course of β is moved; 5 for measures five days later.
            contacts: relative change of contacts from ``start`` on; -0.3 for 30 % fewer.
            start: date of that change; None takes the first day of the forecast.
            horizon: as for ``predict``.
            levels: as for ``predict``.
            samples: as for ``predict``.
        """
        made = name if isinstance(name, Scenario) else Scenario(name, shift_days, contacts, start)
        self._require_fitted()
        return self._under(made, made.title, self.panel_, self._steps(horizon), levels, samples)

    # ── results of the fit ────────────────────────────────────────────────────────────────────────────────────────
    @cached_property
    def params_(self) -> pd.DataFrame:
        """Parameters of every series with 95 % intervals, and whether the counts identify them."""
        return tables.parameter_table(self._learned())

    @property
    def r0_(self) -> dict[str, float]:
        """Basic reproduction number β/γ on the first fitted day, by series."""
        return {name: float(tables.first_r0(one.course(1))[0]) for name, one in self._learned().items()}

    def summary(self, scenario: Scenario = _AS_FITTED) -> pd.DataFrame:
        """R0, R_t and doubling time at the origin, peak and final size, with 95 % intervals, by series.

        Columns: ``unique_id, quantity, estimate, low, high``; dates of the peak are timestamps.
        """
        return tables.summary_table(self._learned(), scenario)

    def fitted_from(self, name: str) -> Any:
        """First day that a series is fitted on where ``history`` excludes earlier days; otherwise None."""
        one = self._learned()[name]
        return tables.first_day(one) if one.first and self.history is not None else None

    def reproduction(self, horizon: int = 0) -> pd.DataFrame:
        """R_t of every day: ``unique_id, ds, estimate, lo-95, hi-95, lo-50, hi-50, future``.

        Args:
            horizon: days after the origin to add, with β as fitted.
        """
        return tables.reproduction_table(self._learned(), horizon)

    def curve(self, scenario: Scenario | None = None, horizon: int | None = None) -> pd.DataFrame:
        """The fitted course: ``unique_id, ds, new, cumulative, S, E, I, R, D, R_t``, including future days.

        Args:
            scenario: changes of β; the past is run again under it.
            horizon: days after the origin; None takes the forecaster's.
        """
        return tables.curve_table(self._learned(), scenario or _AS_FITTED, self._steps(horizon))

    # ── inside ────────────────────────────────────────────────────────────────────────────────────────────────────
    def clone(self) -> Self:
        twin = super().clone()
        twin.__dict__.pop("params_", None)
        return twin

    def _check(self) -> None:
        self._steps(None)
        for name, (kind, bounds) in _OPTIONS.items():
            if getattr(self, name) is not None:
                check_value(Arg(name), getattr(self, name), kind, bounds)
        for name, given in self._constants().items():
            numbers = given if isinstance(given, tuple) else (given,)
            share = name in ("reporting", "susceptible", "fatality")
            wrong = len(numbers) > 2 or not all(0 < n <= (1 if share else np.inf) for n in numbers)
            if wrong or (len(numbers) == 2 and not numbers[0] < numbers[1]):
                unit = "a share above 0, at most 1" if share else "a number of days above 0"
                raise SettingError(Arg(name) + f" must be {unit}, or a pair (low, high) of such, got {given!r}")
        for name, pair in dict(self.bounds or {}).items():
            if not (len(pair) == 2 and 0 < pair[0] < pair[1] < np.inf):
                raise SettingError(Arg("bounds") + f"[{name!r}] must be a pair 0 < low < high, got {pair!r}")

    def _constants(self) -> dict[str, Given]:
        names = {"incubation": self.variant != "sir", "fatality": self.variant == "seird"}
        every = ("incubation", "infectious", "reporting", "susceptible", "fatality")
        given = {name: getattr(self, name) for name in every}
        return {
            name: tuple(value) if isinstance(value, (tuple, list)) and names.get(name, True) else _middle(value)
            for name, value in given.items()
        }

    def _fits(self, panel: Panel) -> dict[str, SeriesFit]:
        """The fit of every series with at least one case."""
        require_daily_counts(panel, self.variant)
        population = population_of(panel, self.population)
        fits = {}
        for index, name in enumerate(map(str, panel.ids)):
            one = self._fit_series(panel, index, float(population[index]))
            if one is not None:
                fits[name] = one
        if not fits:
            raise DataError(
                f"{panel.target_names[0]} has no cases, only zeros or missing values",
                "name the column of new cases: " + Arg("target", ...),
                place=panel.source,
            )
        return fits

    def _fit_series(self, panel: Panel, index: int, population: float) -> SeriesFit | None:
        form: Transmission = object_of("transmission", self.transmission, TRANSMISSIONS, Transmission)
        problem, first = problem_of(
            panel,
            index,
            population=population,
            variant=self.variant,
            transmission=form,
            likelihood=object_of("likelihood", self.likelihood, LIKELIHOODS, Likelihood),
            constants=self._constants(),
            history=self.history,
            limits=dict(self.bounds or {}),
        )
        if problem is None:
            return None
        if isinstance(form, Piecewise):
            inside = tuple(day for day in problem.changes if 0 < day < problem.days)
            problem = problem.with_changes(inside)
            problem = problem if form.changes else find_changes(problem, form, self.starts, self.seed)
        fitted = fit(problem, self.starts, self.seed)
        draws = bootstrap(fitted, self.draws, np.random.default_rng(self.seed))
        drift = estimate_drift(fitted) if self.drift is None else Drift(0.0, self.drift)
        return SeriesFit(panel, index, first, fitted, draws, drift)

    def _under(
        self, scenario: Scenario, name: str, panel: Panel, horizon: int, levels: Sequence[float], samples: int | None
    ) -> Forecast:
        """The forecast under a scenario; a panel other than that of ``fit`` is fitted first."""
        fits = self.fits_ if panel is self.panel_ else self._fits(panel)
        probabilities = level_quantiles(levels)
        shape = (len(panel), horizon, panel.targets)
        mean, quantiles = np.zeros(shape), np.zeros((*shape, len(probabilities)))
        paths = None if samples is None else np.zeros((len(panel), samples, horizon, panel.targets))
        rng = np.random.default_rng(self.seed)
        for index, series in enumerate(map(str, panel.ids)):
            one = fits.get(series)
            if one is None:
                continue
            count = max(_PATHS, samples or 0)
            changed = one.changed(scenario)
            drawn, _ = sample_paths(one.fitted, one.draws, count, horizon, one.drift, scenario, changed, rng)
            ahead = drawn[:, one.days :]
            course = one.course(one.days + horizon, scenario)
            mean[index] = one.fitted.problem.observed(course.states, course.values["reporting"])[0, one.days :]
            quantiles[index] = np.moveaxis(np.quantile(ahead, probabilities, axis=0), 0, -1)
            if paths is not None:
                paths[index] = ahead[:samples]
        return Forecast(name, panel, mean, probabilities, quantiles, paths, _notes(panel, fits))

    def _learned(self) -> dict[str, SeriesFit]:
        self._require_fitted()
        return self.fits_


def _middle(value: Given) -> float:
    """The number, or the middle of a pair of bounds that the variant does not fit."""
    return float(np.mean(value))


def _notes(panel: Panel, fits: dict[str, SeriesFit]) -> tuple[str, ...]:
    notes = []
    silent = len(panel) - len(fits)
    if silent:
        notes.append(f"{silent} of {len(panel)} series had no cases so far: zero is forecast.")
    found = {name: one for name, one in fits.items() if isinstance(one.fitted.problem.transmission, Piecewise)}
    for name, one in list(found.items())[:5]:
        days = [one.panel.times(one.index)[one.first + day] for day in one.fitted.problem.changes]
        if days:
            notes.append(f"{name}: transmission changes on {', '.join(map(time_text, days))}.")
    return tuple(notes)
