"""``gatecast forecast``: from a file to a forecast with a verdict and a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.options import WINDOWS, Bounds, check_value
from gatecast.cli import models
from gatecast.cli.checks import check_applies, check_model, check_space, prepared
from gatecast.cli.console import Console, scores_json
from gatecast.cli.flags import (
    BASIC,
    DEFAULT_OUT,
    LEVELS,
    OUTPUT,
    DataFlags,
    File,
    Future,
    Horizon,
    Levels,
    LSTMFlags,
    Out,
    OutputFlags,
    switch,
)
from gatecast.cli.output_folder import Folder
from gatecast.cli.output_frames import records, summary
from gatecast.cli.read_args import check_inputs, read, source
from gatecast.cli.run import Outcome, Task, run_forecast
from gatecast.evaluation.output_frame import output_frame

if TYPE_CHECKING:
    from gatecast.data import Panel

FILES = ("forecast.csv", "backtest.csv", "report.html", "model.gatecast")


def forecast(
    file: File,
    /,
    *,
    horizon: Horizon,
    levels: Levels = LEVELS,
    future: Future = None,
    windows: Annotated[int, Parameter(help="Origins of the backtest; 0: no backtest.", group=BASIC)] = 5,
    refit: Annotated[
        bool,
        switch("Refit at every origin of the backtest.", BASIC),
    ] = False,
    out: Out = DEFAULT_OUT,
    history: Annotated[
        bool,
        Parameter(
            help="Keep the last rows of each series in the model file, which predict continues.",
            group=OUTPUT,
            negative="--no-history",
        ),
    ] = True,
    data: DataFlags = DataFlags(),  # noqa: B008  frozen
    lstm: LSTMFlags = LSTMFlags(),  # noqa: B008
    output: OutputFlags = OutputFlags(),  # noqa: B008
) -> None:
    """Forecast a file: backtest beside baselines, verdict, forecast, report and model."""
    console = Console(output)
    name = check_model(lstm.model)
    models.check_name(name, windows=windows)
    check_applies(name, lstm.model, lstm.net, lstm.fit, data=data, more={"future": future})
    _check_used(name, windows, refit=refit, history=history)
    later = source(future) if future is not None else None
    more = {"windows": windows, "refit": refit, "future": later, "history": history}
    task = Task.of(lstm, horizon, levels, progress=console.progress, **more)
    folder = Folder(out, FILES, overwrite=output.overwrite)
    check_inputs(file, future)
    folder.require_other_than(file, future)
    forecast_panel(read(file, data), task, console, folder, command="forecast")


def _check_used(name: str, windows: int, *, refit: bool, history: bool) -> None:
    """Refuse options that apply to nothing."""
    check_value(Arg("windows"), windows, "int", Bounds(least=0, limit=WINDOWS.limit))
    if refit and not windows:
        problem = Arg("refit") + " is an option of the backtest, and " + Arg("windows", 0) + " leaves it out"
        raise SettingError(problem, "leave " + Arg("refit") + " out, or take " + Arg("windows", 5))
    if not history and name in models.CLASSES and name != "zeroshot":
        problem = Arg("history", False) + " is about the model file, and " + Arg("model", name) + " has none"
        raise SettingError(problem, "leave " + Arg("history", False) + " out, or take " + Arg("model", "lstm"))


def forecast_panel(panel: Panel, task: Task, console: Console, folder: Folder, *, command: str) -> Outcome:
    """Run the task on a panel; print and write the results."""
    panel, task = prepared(panel, task)
    check_space(folder, panel, task)
    console.panel(panel)
    with folder.writing(command):  # before anything is printed, which may fail
        outcome = run_forecast(
            panel,
            task,
            console,
            tested=lambda past: folder.write_frame("backtest.csv", past.frame),
            fitted=lambda model: _save(model, task, folder),
        )
        paths = _write(outcome, folder, command)
    console.say()
    for note in outcome.notes:
        console.say(note)
    if outcome.backtest is not None:
        console.scores(outcome.backtest)
        console.say()
        console.paragraph(outcome.verdict.text)
        console.recommended(outcome.verdict, outcome.forecast.model)
    console.say()
    console.forecast(outcome.forecast, folder.path / "forecast.csv")
    if "model.gatecast" not in folder.written:
        console.say(
            f"No model file: the forecast is by {outcome.forecaster.name}, "
            "and only a single LSTM, fitted or pre-trained, can be saved."
        )
    console.files(paths)
    console.document(_document(outcome, command, paths))
    return outcome


def _save(model: Any, task: Task, folder: Folder) -> None:
    """Write the model file, where the model has one."""
    if model.savable:
        model.save(folder.file("model.gatecast"), history=task.history)


def _write(outcome: Outcome, folder: Folder, command: str) -> list[str]:
    from gatecast.report import write_report

    record = {"command": command, **outcome.record()}
    history = getattr(outcome.forecaster, "history_", None)
    folder.write_frame("forecast.csv", output_frame(outcome.forecast))
    write_report(
        folder.file("report.html"),
        panel=outcome.panel,
        forecast=outcome.forecast,
        backtest=outcome.backtest,
        training=history if isinstance(history, list) else None,
        run=record,
    )
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
