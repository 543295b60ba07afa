"""A study of an epidemic from the reported counts to the verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

from gatecast.base.errors import DataError, GatecastError, SettingError
from gatecast.base.findings import Arg, Finding, InPython, Text
from gatecast.data.panel import Panel
from gatecast.epidemic.as_reported import AsReported
from gatecast.epidemic.cases import Cases, Population, read_cases
from gatecast.epidemic.config import StudyConfig
from gatecast.epidemic.hybrid import SEIRHybrid
from gatecast.epidemic.origins import OriginScores, by_origin
from gatecast.epidemic.result import Study
from gatecast.epidemic.seir import SEIRForecaster
from gatecast.evaluation.forecast import Forecast
from gatecast.forecasters import Drift, LSTMForecaster, Naive, SeasonalNaive
from gatecast.forecasters.backtest import Backtest, backtest
from gatecast.forecasters.base import Forecaster
from gatecast.training import FitConfig

LSTM_STEPS = 300  # the LSTM is trained again at every origin, and these series are short
_PATHS = 500

Stage = Callable[[str], AbstractContextManager[Any]]


def study(
    source: Any,
    population: Population,
    config: StudyConfig | None = None,
    *,
    reading: Mapping[str, Any] | None = None,
    stage: Stage = nullcontext,
    **options: Any,
) -> Study:
    """Study an epidemic: repair the counts, compare models on past origins, fit SEIR, forecast, run scenarios.

    Every model is fitted again at every origin on the counts as they were reported by then, next to ``Naive``,
    ``SeasonalNaive`` and ``Drift``. SEIR is always fitted: it gives R_t, parameters and scenarios.

    Args:
        source: :class:`Cases`, a panel of new or cumulative cases, or anything that :func:`read_cases` reads.
        population: persons: a number, a mapping from series to number, or the name of a column of ``source``.
        config: the options.
        reading: arguments of :func:`read_cases`, where it reads.
        stage: called with the name of each stage; the stage runs inside the context manager that it returns.
        **options: fields of :class:`StudyConfig`, which take precedence over those of ``config``.

    Returns:
        The study. Models that failed to forecast, and a backtest that could not be run, are in its ``findings``.

    Raises:
        DataError: for counts that cannot be fitted, or when no model can forecast.
        SettingError: for options that do not fit the data.

    Example:
        >>> from gatecast import datasets
        >>> from gatecast.epidemic import study
        >>> cases = datasets.load("covid_china").cut(128)  # up to 2020-02-23
        >>> found = study(cases, 1.4e9, horizon=7, models=["seir"], windows=0, scenarios=["contacts=-0.3"])
        >>> found.best.model, found.best.mean.shape
        ('SEIR', (1, 7, 1))
        >>> {title: bool(ratio < 1) for title, ratio in found.scenario_ratios().items()}
        {'contacts -30 %': True}
    """
    config = replace(config or StudyConfig(), **options)
    cases = _cases(source, population, reading or {})
    panel = cases.daily
    _require_one_population(panel, population)
    seir = _seir(population, config)
    with stage("Fitting SEIR"):
        seir.fit(panel)  # first: it refuses data that do not fit
    for one in config.scenarios:
        _require_start(one.start, panel, config.horizon)
    findings: list[Finding] = []
    tested, origins = _compare(cases, population, config, stage, findings) if config.windows else (None, None)
    forecasts = _forecasts(panel, seir, population, config, stage, findings)
    return Study(config, population, cases, seir, forecasts, tested, origins, tuple(findings))


def _cases(source: Any, population: Population, reading: Mapping[str, Any]) -> Cases:
    if isinstance(source, Cases):
        return source
    return Cases.of(source, **reading) if isinstance(source, Panel) else read_cases(source, population, **reading)


def _require_one_population(panel: Panel, population: Population) -> None:
    if isinstance(population, int | float) and len(panel) > 1:
        raise SettingError(
            Arg("population") + f" is one number, {population:,.0f}, and the data have {len(panel)} series",
            "name the column that holds the population of each" + InPython(", or map each series to its number"),
        )


def _require_start(start: str | int | None, panel: Panel, horizon: int) -> None:
    """Check that a scenario starts before the forecast ends."""
    if start is None or (panel.freq.is_integer and isinstance(start, int)):
        return
    begins = Arg("scenario") + f" begins on {start}"
    if panel.freq.is_integer:
        raise SettingError(begins + ", and the rows have no dates", "name their column with " + Arg("time", ...))
    last = (panel.starts + (panel.lengths + horizon - 1) * np.timedelta64(1, "D")).max()
    if np.datetime64(str(start)) > last:
        raise SettingError(
            begins + f", after {str(last)[:10]}, the last day of the forecast",
            "take an earlier start, or a longer " + Arg("horizon"),
        )


# ── models ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _seir(population: Population, config: StudyConfig) -> SEIRForecaster:
    return SEIRForecaster(config.horizon, population, **_equations(config))


def _hybrid(population: Population, config: StudyConfig) -> SEIRHybrid:
    return SEIRHybrid(config.horizon, population, **_equations(config))


def _equations(config: StudyConfig) -> dict[str, Any]:
    return {name: getattr(config, name) for name in ("transmission", "history", "seed")}


def _lstm(population: Population, config: StudyConfig) -> LSTMForecaster:
    fit = config.fit or FitConfig(progress=False)
    fit = replace(fit, steps=LSTM_STEPS) if fit.steps is None and fit.epochs is None else fit
    # quantiles: the same WIS as negative_binomial with mean_abs on Canada's waves, and intervals that cover
    return LSTMForecaster(config.horizon, fit=fit, seed=config.seed)


_MODELS: dict[str, Callable[[Population, StudyConfig], Forecaster]] = {"seir": _seir, "lstm": _lstm, "hybrid": _hybrid}


def models_of(population: Population, config: StudyConfig) -> list[Forecaster]:
    """The models of a study, unfitted, by the order of their names in the options."""
    return [_MODELS[name](population, config) for name in config.models]


# ── stages ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _compare(
    cases: Cases, population: Population, config: StudyConfig, stage: Stage, findings: list[Finding]
) -> tuple[Backtest | None, OriginScores | None]:
    """The backtest of all models, and its scores by origin; a finding where the series are too short."""
    models = [*models_of(population, config), Naive(), SeasonalNaive(), Drift()]
    reported = [AsReported(model, cases.reported, cumulative=cases.cumulative) for model in models]
    try:
        with stage("Backtesting " + ", ".join(model.name for model in models)):
            tested = backtest(
                reported,
                cases.daily,
                config.horizon,
                windows=config.windows,
                step=config.origin_step,
                refit=True,
                levels=config.levels,
                progress=False,
            )
    except DataError as error:
        findings.append(_missing("No backtest", error))
        return None, None
    return tested, by_origin(tested)


def _forecasts(
    panel: Panel,
    seir: SEIRForecaster,
    population: Population,
    config: StudyConfig,
    stage: Stage,
    findings: list[Finding],
) -> dict[str, Forecast]:
    """The forecast of every model from the last day on."""
    made: dict[str, Forecast] = {}
    failed = []
    for name, model in zip(config.models, models_of(population, config), strict=True):
        try:
            with stage(f"Fitting {model.name} on all days"):
                fitted = seir if name == "seir" else model.fit(panel)
                forecast = fitted.predict(config.horizon, levels=config.levels, samples=_PATHS)
        except DataError as error:
            failed.append(_missing(f"No forecast by {model.name}", error))
            continue
        made[forecast.model] = forecast
    findings += failed
    if not made:
        raise DataError(_joined(failed))
    return made


def _missing(what: str, error: GatecastError) -> Finding:
    """What is missing from the study, with the reason."""
    place = error.finding.place
    return Finding(f"{what}: {place}" if place else what, error.finding.problem, error.finding.remedy)


def _joined(findings: list[Finding]) -> Text:
    """Several findings as one problem, which keeps their arguments."""
    words = Text()
    for one in findings:
        words = words + f"{' ' if words else ''}{one.place}: " + one.problem
        words = words + "; " + one.remedy if one.remedy else words
    return words
