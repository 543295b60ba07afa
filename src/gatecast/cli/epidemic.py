"""``gatecast epidemic``: compartment models and LSTMs on daily cases, with R_t, scenarios and a verdict by origin."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.cli.console import Console, scores_json
from gatecast.cli.epidemic_tables import print_study
from gatecast.cli.flags import BASIC, DATA, MODEL, DataFlags, FitFlags, OutputFlags, fit_config, several
from gatecast.cli.output_folder import Folder
from gatecast.cli.output_frames import records, summary
from gatecast.cli.read_args import check_inputs, given, source
from gatecast.cli.shell import in_shell
from gatecast.epidemic.config import StudyConfig

if TYPE_CHECKING:
    from gatecast.epidemic import Study

FILES = ("forecast.csv", "backtest.csv", "scores.csv", "parameters.csv", "reproduction.csv", "report.html")
_HELP = {one.name: one.metadata["help"] for one in fields(StudyConfig)}
_DEFAULT = StudyConfig()


def _one(name: str, group: Group = MODEL, **more: Any) -> Parameter:
    return Parameter(help=_HELP[name], group=group, **more)


def _several(name: str, kind: Any, group: Group = MODEL, default: str = "") -> Parameter:
    """Values separated by commas, or given one by one."""
    return several(kind, f"{_HELP[name]} [default: {default}]", group)


def epidemic(
    file: Annotated[
        Path, Parameter(help="CSV, TSV (also .gz) or Parquet file of daily cases; -: standard input.", group=BASIC)
    ],
    /,
    *,
    population: Annotated[str, Parameter(help="Persons, or the column that holds them for each series.", group=BASIC)],
    horizon: Annotated[int, _one("horizon", BASIC)] = _DEFAULT.horizon,
    models: Annotated[tuple[str, ...], _several("models", str, default="seir,lstm")] = tuple(_DEFAULT.models),
    scenario: Annotated[tuple[str, ...], _one("scenarios", negative=(), show_default=False)] = (),
    transmission: Annotated[str, _one("transmission")] = _DEFAULT.transmission,
    history: Annotated[int | None, _one("history")] = _DEFAULT.history,
    cumulative: Annotated[
        Literal["auto", "yes", "no"], Parameter(help="Whether the column counts all cases so far.", group=DATA)
    ] = "auto",
    windows: Annotated[int, _one("windows", BASIC)] = _DEFAULT.windows,
    step: Annotated[int | None, _one("step", BASIC)] = None,
    levels: Annotated[tuple[float, ...], _several("levels", float, BASIC, default="50,80,95")] = tuple(_DEFAULT.levels),
    seed: Annotated[int, _one("seed")] = _DEFAULT.seed,
    out: Annotated[Path, Parameter(help="Folder for the results.", group=BASIC)] = Path("epidemic-out"),
    data: DataFlags = DataFlags(),  # noqa: B008  frozen
    output: OutputFlags = OutputFlags(),  # noqa: B008
    fit: FitFlags = FitFlags(),  # noqa: B008
) -> None:
    """Forecast an epidemic: SEIR and LSTM against baselines, R_t, scenarios, verdict by origin and report."""
    console, persons = Console(output), _population(population)
    config = StudyConfig(
        horizon=horizon,
        models=models,
        scenarios=scenario,
        transmission=transmission,
        history=history,
        levels=levels,
        windows=windows,
        step=step,
        fit=fit_config(fit, progress=False),
        seed=seed,
    )
    _check_applies(config, fit)
    folder = Folder(out, FILES, overwrite=output.overwrite)
    check_inputs(file, None)
    folder.require_other_than(file)
    from gatecast.epidemic import read_cases

    sums = cumulative if cumulative == "auto" else cumulative == "yes"
    cases = read_cases(source(file), persons, cumulative=sums, **given(data))
    run_study(cases, persons, config, console, folder, command="epidemic")


def _check_applies(config: StudyConfig, fit: Any) -> None:
    """Refuse options of models that are not among those of the study."""
    equations = {"seir", "hybrid"} & {*config.models}
    networks = {"lstm", "hybrid"} & {*config.models}
    own = {
        "scenario": bool(config.scenarios),
        "transmission": config.transmission != _DEFAULT.transmission,
        "history": config.history != _DEFAULT.history,
    }
    lone = [Arg(name) for name, given in own.items() if given and not equations]
    lone += [
        Arg(one.name, of="FitConfig") for one in fields(fit) if getattr(fit, one.name) != one.default and not networks
    ]
    if lone:
        needed = "seir" if not equations else "lstm"
        problem = lone[0] + " applies to nothing: " + Arg("models", list(config.models)) + f" has no {needed.upper()}"
        raise SettingError(problem, "leave " + lone[0] + " out, or take " + Arg("models", [*config.models, needed]))


def _population(text: str) -> float | str:
    """A number, with thousands separators or without, or the name of a column."""
    try:
        return float(re.sub(r"(?<=\d)[_, ](?=\d{3})", "", text))
    except ValueError:
        return text


def run_study(
    cases: Any, population: float | str, config: StudyConfig, console: Console, folder: Folder, *, command: str
) -> None:
    """Run the study, print and write its results."""
    from gatecast.epidemic import study
    from gatecast.report import write_epidemic_report

    console.panel(cases.daily)
    with folder.writing(command):  # before anything is printed, which may fail
        found = study(cases, population, config, stage=console.doing)
        for name, frame in found.frames().items():
            folder.write_frame(f"{name}.csv", frame)
        write_epidemic_report(folder.file("report.html"), found, words=in_shell)
        paths = folder.close(command, found.record())
    print_study(found, console, folder.path / "forecast.csv")
    console.files(paths)
    console.document(_document(found, command, paths))


def _document(found: Study, command: str, paths: list[str]) -> dict[str, Any]:
    frames = found.frames()
    return {
        "command": command,
        "data": summary(found.panel),
        "verdict": found.verdict,
        "best": found.best.model,
        "scores": scores_json(found.backtest) if found.backtest is not None else None,
        "origins": records(found.origins.table) if found.origins else None,
        "summary": records(found.summary.astype(dict.fromkeys(("estimate", "low", "high"), str))),
        "parameters": records(found.parameters),
        "forecast": records(frames["forecast"]),
        "notes": [in_shell(one) for one in found.findings],
        "run": found.record(),
        "files": paths,
    }
