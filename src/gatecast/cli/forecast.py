"""``gatecast forecast``: from a file to a forecast with a verdict and a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from gatecast.base.errors import ModelFileError
from gatecast.cli import models
from gatecast.cli.console import Console, scores_json
from gatecast.cli.flags import (
    BASIC,
    DATA,
    DEFAULT_OUT,
    LEVELS,
    DataFlags,
    FitFlags,
    Levels,
    ModelFlags,
    NetFlags,
    Out,
    Overwrite,
    ShowFlags,
    check_horizon,
    check_levels,
    fit_config,
    net_config,
)
from gatecast.cli.output_folder import Folder
from gatecast.cli.output_frames import records, summary
from gatecast.cli.read_args import read
from gatecast.cli.run import Outcome, Task, run_forecast
from gatecast.cli.shell import in_shell
from gatecast.evaluation.output_frame import output_frame

if TYPE_CHECKING:
    from gatecast.data import Panel

FILES = ("forecast.csv", "backtest.csv", "report.html", "model.gatecast")


def forecast(
    file: Annotated[Path, Parameter(help="CSV, TSV (also .gz) or Parquet file.", group=BASIC)],
    /,
    *,
    horizon: Annotated[int, Parameter(help="Steps ahead.", group=BASIC)],
    levels: Levels = LEVELS,
    future: Annotated[
        Path | None, Parameter(help="File with the known covariates of the steps ahead.", group=DATA)
    ] = None,
    windows: Annotated[int, Parameter(help="Origins of the backtest; 0: no backtest.", group=BASIC)] = 5,
    refit: Annotated[
        bool,
        Parameter(help="Refit at every origin of the backtest.", group=BASIC, negative=(), show_default=False),
    ] = False,
    out: Out = DEFAULT_OUT,
    overwrite: Overwrite = False,
    data: DataFlags = DataFlags(),  # noqa: B008  frozen
    model: ModelFlags = ModelFlags(),  # noqa: B008
    show: ShowFlags = ShowFlags(),  # noqa: B008
    net: NetFlags = NetFlags(),  # noqa: B008
    fit: FitFlags = FitFlags(),  # noqa: B008
) -> None:
    """Forecast a file: backtest beside baselines, verdict, forecast, report and model."""
    console = Console(show)
    models.check_name(model.model, windows=windows)
    task = Task(
        check_horizon(horizon),
        model,
        net_config(net),
        fit_config(fit, progress=console.progress),
        check_levels(levels),
        windows,
        refit=refit,
        future=future,
    )
    folder = Folder(out, FILES, overwrite=overwrite)
    forecast_panel(read(file, data), task, console, folder, command="forecast")


def forecast_panel(panel: Panel, task: Task, console: Console, folder: Folder, *, command: str) -> Outcome:
    """Run the task on a panel; print and write the results."""
    console.panel(panel)
    outcome = run_forecast(panel, task, console)
    console.say()
    for note in outcome.notes:
        console.say(note)
    if outcome.backtest is not None:
        console.scores(outcome.backtest)
        console.say()
        console.paragraph(outcome.verdict.text)
    console.say()
    console.forecast(outcome.forecast, folder.path / "forecast.csv")
    paths = _write(outcome, folder, command, console)
    console.files(paths)
    console.document(_document(outcome, command, paths))
    return outcome


def _write(outcome: Outcome, folder: Folder, command: str, console: Console) -> list[str]:
    from gatecast.report import write_report

    record = {"command": command, **outcome.record()}
    history = getattr(outcome.forecaster, "history_", None)
    folder.write_frame("forecast.csv", output_frame(outcome.forecast))
    if outcome.backtest is not None:
        folder.write_frame("backtest.csv", outcome.backtest.frame)
    write_report(
        folder.file("report.html"),
        panel=outcome.panel,
        forecast=outcome.forecast,
        backtest=outcome.backtest,
        training=history if isinstance(history, list) else None,
        run=record,
    )
    try:
        outcome.forecaster.save(folder.path / "model.gatecast")
        folder.file("model.gatecast")
    except ModelFileError as error:
        console.say(f"No model file: {in_shell(error)}.")
    return folder.close(command, record)


def _document(outcome: Outcome, command: str, paths: list[str]) -> dict[str, Any]:
    tested = outcome.backtest
    return {
        "command": command,
        "data": summary(outcome.panel),
        "model": outcome.forecast.model,
        "verdict": outcome.verdict.to_dict() if outcome.verdict else None,
        "scores": scores_json(tested) if tested is not None else None,
        "forecast": records(output_frame(outcome.forecast)),
        "notes": [*outcome.notes, *outcome.forecast.notes],
        "run": outcome.record(),
        "files": paths,
    }
