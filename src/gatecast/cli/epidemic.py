"""``gatecast epidemic``: compartment models and LSTMs on daily cases, with R_t, scenarios and a verdict by origin."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from gatecast.base.errors import DataError, SettingError
from gatecast.cli.console import Console, numbers, scores_json
from gatecast.cli.flags import (
    BASIC,
    DATA,
    MODEL,
    DataFlags,
    FitFlags,
    Levels,
    Overwrite,
    ShowFlags,
    check_horizon,
    check_levels,
    fit_config,
    split_commas,
)
from gatecast.cli.folder import Folder
from gatecast.cli.frames import forecast_frame, records, summary
from gatecast.cli.reading import read
from gatecast.cli.speech import typed

if TYPE_CHECKING:
    from gatecast.data import Panel
    from gatecast.epidemic import Origins
    from gatecast.evaluation import Forecast
    from gatecast.forecasters import Backtest, Forecaster
    from gatecast.training import FitConfig

FILES = ("forecast.csv", "backtest.csv", "scores.csv", "parameters.csv", "reproduction.csv", "report.html")
HUB_LEVELS = (50.0, 80.0, 95.0)
LSTM_STEPS = 300  # training again at every origin adds up, and these series are short
HISTORY = 42  # days: a wave is longer, and β falls or rises steadily in a part of it only
_PATHS = 500


@dataclass(frozen=True)
class Study:
    """What is asked for.

    Args:
        horizon: days ahead.
        population: number of persons, or the name of a column.
        models: names in :data:`MODELS`.
        scenarios: as typed.
        transmission: of the compartment model.
        history: days it is fitted on.
        levels: interval levels in percent.
        windows, step: origins of the backtest and the days between two.
        fit: training of the LSTM.
        seed: of everything random.
    """

    horizon: int
    population: float | str
    models: tuple[str, ...] = ("seir", "lstm")
    scenarios: tuple[str, ...] = ()
    transmission: str = "exponential"
    history: int | None = HISTORY
    levels: tuple[float, ...] = HUB_LEVELS
    windows: int = 6
    step: int | None = None
    fit: FitConfig | None = None
    seed: int = 1


def _seir(study: Study) -> Forecaster:
    from gatecast.epidemic import SEIRForecaster

    return SEIRForecaster(
        study.horizon,
        study.population,
        transmission=study.transmission,
        history=study.history,
        seed=study.seed,
    )


def _lstm(study: Study) -> Forecaster:
    from gatecast.forecasters import LSTMForecaster

    # quantiles: the same WIS as negative_binomial with mean_abs on Canada's waves, and intervals that cover
    return LSTMForecaster(study.horizon, fit=study.fit, seed=study.seed)


def _hybrid(study: Study) -> Forecaster:
    from gatecast.epidemic import SEIRHybrid

    return SEIRHybrid(
        study.horizon, study.population, transmission=study.transmission, history=study.history, seed=study.seed
    )


MODELS: dict[str, Callable[[Study], Forecaster]] = {"seir": _seir, "lstm": _lstm, "hybrid": _hybrid}
_BASELINES = ("Naive", "SeasonalNaive", "Drift")


def epidemic(
    file: Annotated[Path, Parameter(help="CSV, TSV (also .gz) or Parquet file of daily cases.", group=BASIC)],
    /,
    *,
    population: Annotated[str, Parameter(help="Persons, or the column that holds them for each series.", group=BASIC)],
    horizon: Annotated[int, Parameter(help="Days ahead.", group=BASIC)] = 28,
    models: Annotated[
        tuple[str, ...],
        Parameter(
            help=f"Models beside the baselines, of {', '.join(MODELS)}. [default: seir,lstm]",
            group=MODEL,
            converter=split_commas(str),
            negative=(),
            n_tokens=1,
            show_default=False,
        ),
    ] = ("seir", "lstm"),
    scenario: Annotated[
        tuple[str, ...],
        Parameter(
            help='What if: "shift_days=5" (measures five days later), "contacts=-0.3 start=2020-03-01"; may be given '
            "several times.",
            group=MODEL,
            negative=(),
            show_default=False,
        ),
    ] = (),
    transmission: Annotated[
        str,
        Parameter(
            help="constant, exponential or piecewise, or with settings: piecewise(changes=('2020-01-23',)).",
            group=MODEL,
        ),
    ] = "exponential",
    history: Annotated[
        int | None, Parameter(help="Days before each origin that SEIR is fitted on.", group=MODEL)
    ] = HISTORY,
    cumulative: Annotated[
        Literal["auto", "yes", "no"], Parameter(help="Whether the column counts all cases so far.", group=DATA)
    ] = "auto",
    windows: Annotated[int, Parameter(help="Origins of the backtest; 0 for none.", group=BASIC)] = 6,
    step: Annotated[
        int | None, Parameter(help="Days between two origins. [default: half the horizon]", group=BASIC)
    ] = None,
    levels: Levels = HUB_LEVELS,
    seed: Annotated[int, Parameter(help="Seed of everything random.", group=MODEL)] = 1,
    out: Annotated[Path, Parameter(help="Folder for the results.", group=BASIC)] = Path("epidemic-out"),
    overwrite: Overwrite = False,
    data: DataFlags = DataFlags(),  # noqa: B008  frozen
    show: ShowFlags = ShowFlags(),  # noqa: B008
    fit: FitFlags = FitFlags(),  # noqa: B008
) -> None:
    """Forecast an epidemic: SEIR and LSTM beside baselines, R_t, scenarios, verdict by origin and report."""
    console = Console(show)
    study = Study(
        horizon=check_horizon(horizon),
        population=_population(population),
        models=check_models(models),
        scenarios=scenario,
        transmission=transmission,
        history=history,
        levels=check_levels(levels),
        windows=windows,
        step=step,
        fit=training(fit),
        seed=seed,
    )
    folder = Folder(out, FILES, overwrite=overwrite)
    panel = read_cases(file, data, study)
    run_study(panel, study, console, folder, cumulative=_CUMULATIVE[cumulative], command="epidemic")


_CUMULATIVE: dict[str, bool | str] = {"auto": "auto", "yes": True, "no": False}


def check_models(names: tuple[str, ...]) -> tuple[str, ...]:
    """The models asked for, when they are models."""
    plain = tuple(dict.fromkeys(name.lower() for name in names))
    for name in plain:
        if name not in MODELS:
            raise SettingError(f"--models takes {', '.join(MODELS)}, separated by commas; got {name!r}")
    return plain or ("seir",)


def _population(text: str) -> float | str:
    """A number, with the separators that people write, or the name of a column."""
    try:
        return float(re.sub(r"(?<=\d)[_, ](?=\d{3})", "", text))
    except ValueError:
        return text


def training(flags: Any) -> FitConfig:
    """The LSTM's training, shorter than usual unless its steps were given."""

    made: FitConfig = fit_config(flags, progress=False)
    return replace(made, steps=LSTM_STEPS) if made.steps is None and made.epochs is None else made


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────
_CASES = (r"new.*(case|confirm|positive)|(case|confirm).*(new|daily)", r"confirm|case|positive|infect")
_DEATHS = r"death|deceas|died|fatal|mortal"


def read_cases(file: Path, flags: DataFlags, study: Study) -> Panel:
    """The file as a panel of its column of cases, where no other is named."""
    roles: dict[str, Any] = {} if flags.target else _case_column(file, flags)
    if isinstance(study.population, str):
        names = _column_names(file, flags)
        if names and study.population not in names:
            raise SettingError(
                f"--population {study.population!r} is neither a number of persons nor a column of {file.name}; the "
                f"columns are {', '.join(names[:20])}"
            )
        roles["static"] = (study.population, *(name for name in flags.static if name != study.population))
    panel = read(file, replace(flags, **roles))
    if not flags.target and re.search(_DEATHS, panel.target_names[0], re.IGNORECASE):
        raise DataError(
            f"{file.name}: {panel.target_names[0]} counts deaths, and the equations are fitted to new cases; give a "
            f"file with cases, or say target={panel.target_names[0]} to take the deaths for cases all the same"
        )
    if panel.targets > 1:
        raise DataError(f"{file.name}: one column of cases is expected, got {', '.join(panel.target_names)}")
    return panel


def _case_column(file: Path, flags: DataFlags) -> dict[str, Any]:
    """The column that is named like cases, where there is just one."""
    names = _column_names(file, flags)
    for pattern in _CASES:
        deaths = {name for name in names if re.search(_DEATHS, name, re.IGNORECASE)}
        found = [name for name in names if re.search(pattern, name, re.IGNORECASE) and name not in deaths]
        if len(found) == 1:
            return {"target": tuple(found)}
    return {}


def _column_names(file: Path, flags: DataFlags) -> list[str]:
    import pandas as pd

    from gatecast.base.files import require_file

    require_file(file)
    if ".parquet" in file.suffixes or flags.header is not None:
        return []
    try:
        return [str(name) for name in pd.read_csv(file, nrows=0, sep=flags.delimiter or None, engine="python").columns]
    except (ValueError, OSError, UnicodeError):
        return []  # reading it in earnest says what is wrong


# ── the study ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Result:
    """What a study gives."""

    panel: Panel
    forecasts: dict[str, Forecast]
    seir: Any
    backtest: Backtest | None = None
    origins: Origins | None = None
    scenarios: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    before: list[float] = field(default_factory=list)


def run_study(
    reported: Panel, study: Study, console: Console, folder: Folder, *, cumulative: bool | str, command: str
) -> None:
    """Repair, backtest, fit, forecast; print and write what it gives."""
    from gatecast.epidemic.counts import daily_counts, looks_cumulative

    scenarios = [parse_scenario(text) for text in study.scenarios]
    sums = looks_cumulative(reported) if cumulative == "auto" else bool(cumulative)
    panel = daily_counts(reported, cumulative=cumulative)
    console.panel(panel)
    _require_one_population(panel, study)
    seir = _seir(study)
    with console.doing("Fitting SEIR"):
        seir.fit(panel)  # says at once what does not fit
    for one in scenarios:
        _require_seen(one.start, panel, study.horizon)
    result = Result(panel, {}, seir, scenarios={one.title: one for one in scenarios})
    result.before = [_before(reported, panel, row) if sums else 0.0 for row in range(len(panel))]
    if study.windows:
        _compare(result, reported, study, console, sums)
    _forecast(result, study, console)
    _print(result, study, console, folder)
    paths = _write(result, study, folder, command)
    console.files(paths)
    console.document(_document(result, study, command, paths))


def _require_seen(start: str | None, panel: Panel, horizon: int) -> None:
    """A scenario begins before the forecast ends."""
    import numpy as np

    if start is None:
        return
    if panel.freq.is_integer:
        raise SettingError(f"--scenario begins on {start}, and the rows have no dates; name their column with --time")
    last = (panel.starts + (panel.lengths + horizon - 1) * np.timedelta64(1, "D")).max()
    if np.datetime64(start) > last:
        raise SettingError(
            f"--scenario begins on {start}, after {str(last)[:10]}, the last day of the forecast; take an earlier "
            "start, or a longer --horizon"
        )


def _before(reported: Panel, panel: Panel, row: int) -> float:
    """Cases that a cumulative column had counted before its first day: what the differences do not hold."""
    import numpy as np

    return float(max(np.nanmax(reported.series(row)) - np.nansum(panel.series(row)), 0.0))


def _require_one_population(panel: Panel, study: Study) -> None:
    if isinstance(study.population, float) and len(panel) > 1:
        raise SettingError(
            f"--population {study.population:,.0f} is one number, and the file has {len(panel)} series; name the "
            "column that holds the population of each"
        )


def parse_scenario(text: str) -> Any:
    """A :class:`Scenario` from ``shift_days=5``, ``contacts=-0.3 start=2020-03-01``, with ``name=…`` before or after.

    Raises:
        SettingError: a setting that there is none of, or a value that is no number.
    """
    from gatecast.epidemic.seir import Scenario

    pairs = re.findall(r"(\w+)\s*=\s*(.+?)(?=[,\s]+\w+\s*=|$)", text.strip())
    known = {"name": str, "shift_days": int, "contacts": float, "start": str}
    if not pairs or any(name not in known for name, _ in pairs):
        raise SettingError(
            "--scenario takes shift_days, contacts, start and name, each with its value, such as 'shift_days=5' or "
            f"'contacts=-0.3 start=2020-03-01'; got {text!r}"
        )
    given = {name: _scenario_value(text, name, value.strip(), known[name]) for name, value in pairs}
    try:
        return Scenario(**given)
    except ValueError as error:
        raise SettingError(f"--scenario {text!r}: {error}") from error


def _scenario_value(text: str, name: str, value: str, kind: Any) -> Any:
    """The value as a number, a date or a name."""
    import pandas as pd

    try:
        if name == "start":
            return str(pd.Timestamp(value).date())
        return kind(value)
    except ValueError as error:
        words = {
            "shift_days": "days in whole numbers, such as 5 or -5",
            "contacts": "a relative change such as -0.3, for 30 % fewer",
            "start": "a date such as 2020-03-01",
        }[name]
        raise SettingError(f"--scenario {text!r}: {name} is {words}; got {value!r}") from error


def line_up(study: Study) -> list[Forecaster]:
    """The models asked for, and the baselines."""
    from gatecast import forecasters

    return [*(MODELS[name](study) for name in study.models), *(getattr(forecasters, name)() for name in _BASELINES)]


def _compare(result: Result, reported: Panel, study: Study, console: Console, sums: bool) -> None:
    from gatecast.epidemic import by_origin
    from gatecast.epidemic.as_reported import AsReported
    from gatecast.forecasters import backtest

    models = [AsReported(model, reported, cumulative=sums) for model in line_up(study)]
    step = study.step or max(1, study.horizon // 2)
    try:
        with console.doing("Backtesting " + ", ".join(model.name for model in models)):
            tested = backtest(
                models,
                result.panel,
                study.horizon,
                windows=study.windows,
                step=step,
                refit=True,
                levels=study.levels,
                progress=False,
            )
    except DataError as error:
        result.notes.append(f"No backtest: {typed(str(error))}")
        return
    result.backtest, result.origins = tested, by_origin(tested)


def _forecast(result: Result, study: Study, console: Console) -> None:
    """Every model from the last day on."""
    models = {"seir": result.seir}
    for name in study.models:
        model = models.get(name) or MODELS[name](study)
        try:
            with console.doing(f"Fitting {model.name} on all days"):
                fitted = model if name == "seir" else model.fit(result.panel)
                made = fitted.predict(study.horizon, levels=study.levels, samples=_PATHS)
        except DataError as error:
            result.notes.append(f"No forecast by {model.name}: {typed(str(error))}")
            continue
        result.forecasts[made.model] = made
    if not result.forecasts:
        raise DataError(" ".join(note for note in result.notes if note.startswith("No forecast")))


def chosen(result: Result) -> Forecast:
    """The forecast of the model that did best in the backtest, of those that forecast; the first without one."""
    made = result.forecasts
    if result.origins is None:
        return next(iter(made.values()))
    scores = result.origins.means.loc["all"]
    return min(made.values(), key=lambda one: scores.get(one.model, float("inf")))


# ── output ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _print(result: Result, study: Study, console: Console, folder: Folder) -> None:
    console.say()
    for note in result.notes:
        console.say(note)
    if result.backtest is not None and result.origins is not None:
        _print_scores(result.backtest, console)
        _print_origins(result.origins, console)
        console.paragraph(result.origins.text)
        console.say()
    _print_learned(result.seir, console)
    console.forecast(chosen(result), folder.path / "forecast.csv")
    for title, one in result.scenarios.items():
        other, base = (result.seir.curve(s, study.horizon).groupby("unique_id") for s in (one, None))
        share = other.tail(study.horizon)["new"].sum() / base.tail(study.horizon)["new"].sum()
        console.say(f"Scenario {title}: {share:.2f} times the new cases of the next {study.horizon} days")


def _print_scores(tested: Backtest, console: Console) -> None:
    table = tested.scores().sort_values("WIS")
    shown = ["WIS", "MAE", "MASE", *[name for name in table.columns if name.startswith("coverage-")]]
    rows = zip(table.index, *(numbers(table[name]) for name in shown), strict=True)
    origins = "1 origin" if len(tested.cutoffs) == 1 else f"{len(tested.cutoffs)} origins"
    console.say(f"Backtest: {origins} × {tested.horizon} days, each on what was reported by then")
    heads = [f"in {name.partition('-')[2]} %" if name.startswith("coverage") else name for name in shown]
    console.table(["model", *heads], [[str(cell) for cell in row] for row in rows])
    for model, reason in tested.failed.items():
        console.say(f"  {model} failed: {typed(reason)}")


def _print_origins(origins: Origins, console: Console) -> None:
    models = [str(name) for name in origins.means.columns]
    console.say()
    console.say("WIS by origin")
    cells = [numbers(origins.table[name]) for name in models]
    days = [str(cutoff)[:10] for cutoff in origins.table["cutoff"]]
    rows = zip(days, origins.table["phase"], *cells, origins.table["best"], strict=True)
    console.table(["origin", "phase", *models, "best"], [[str(cell) for cell in row] for row in rows], left=2)
    console.say()


def _print_learned(seir: Any, console: Console) -> None:
    table = seir.summary()
    for name, rows in list(table.groupby("unique_id", sort=False))[:3]:
        console.say(f"What SEIR finds{f' for {name}' if table['unique_id'].nunique() > 1 else ''} (95 % interval)")
        console.table(["", "estimate", "low", "high"], [_learned_row(row) for row in rows.itertuples()])
        if (day := seir.fitted_from(name)) is not None:
            console.say(f"  Fitted to the days from {_cell(day)} on: R0 and the peak are of these days, not of all.")
    doubtful = seir.params_[seir.params_["identifiable"].eq(False)]
    for row in doubtful.head(3).itertuples():
        console.say(f"  {row.parameter} cannot be told: {row.reason}")
    console.say()


def _learned_row(row: Any) -> list[str]:
    """A line of the summary; a doubling time below zero is the time in which cases halve."""
    if row.quantity.startswith("doubling time") and row.low <= row.estimate <= row.high < 0:
        return ["halving time (days)", *map(_cell, (-row.estimate, -row.high, -row.low))]
    return [row.quantity, *map(_cell, (row.estimate, row.low, row.high))]


def _cell(value: Any) -> str:
    if hasattr(value, "strftime"):
        return str(value)[:10]
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _write(result: Result, study: Study, folder: Folder, command: str) -> list[str]:
    import pandas as pd

    from gatecast.report.epidemic import write_epidemic_report

    folder.write_frame("forecast.csv", pd.concat([forecast_frame(one) for one in result.forecasts.values()]))
    if result.backtest is not None:
        folder.write_frame("backtest.csv", result.backtest.frame)
        folder.write_frame("scores.csv", result.backtest.scores().reset_index())
    folder.write_frame("parameters.csv", result.seir.params_)
    folder.write_frame("reproduction.csv", result.seir.reproduction(study.horizon))
    write_epidemic_report(
        folder.file("report.html"),
        panel=result.panel,
        forecasts=list(result.forecasts.values()),
        chosen=chosen(result).model,
        seir=result.seir,
        backtest=result.backtest,
        origins=result.origins,
        scenarios=list(result.scenarios.values()),
        notes=result.notes,
        before=result.before,
        run=_record(study),
    )
    return folder.close(command, _record(study))


def _record(study: Study) -> dict[str, Any]:
    fields = {name: value for name, value in vars(study).items() if name != "fit"}
    return {**fields, "models": ", ".join(study.models), "scenarios": "; ".join(study.scenarios) or "none"}


def _document(result: Result, study: Study, command: str, paths: list[str]) -> dict[str, Any]:
    import json

    def plain(frame: Any) -> Any:
        return json.loads(frame.to_json(orient="records", date_format="iso"))

    tested, origins = result.backtest, result.origins
    return {
        "command": command,
        "data": summary(result.panel),
        "verdict": origins.text if origins else None,
        "best": chosen(result).model,
        "scores": scores_json(tested) if tested is not None else None,
        "origins": plain(origins.table) if origins else None,
        "summary": plain(result.seir.summary().astype(dict.fromkeys(("estimate", "low", "high"), str))),
        "parameters": plain(result.seir.params_),
        "forecast": [row for one in result.forecasts.values() for row in records(forecast_frame(one))],
        "notes": result.notes,
        "run": _record(study),
        "files": paths,
    }
