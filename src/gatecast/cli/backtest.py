"""``gatecast backtest``: compare models on the past of a file."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from gatecast.base.findings import Arg
from gatecast.base.options import WINDOWS, check_value
from gatecast.cli import models
from gatecast.cli.checks import check_applies, check_model, check_models
from gatecast.cli.console import Console, scores_json
from gatecast.cli.flags import (
    BASIC,
    LEVELS,
    OUTPUT,
    DataFlags,
    File,
    Horizon,
    Levels,
    LSTMFlags,
    OutputFlags,
    switch,
)
from gatecast.cli.output_folder import Folder
from gatecast.cli.output_frames import summary
from gatecast.cli.read_args import check_inputs, read
from gatecast.cli.run import Task, compare

FILES = ("backtest.csv", "scores.csv")


def backtest(
    file: File,
    /,
    *,
    horizon: Horizon,
    windows: Annotated[int, Parameter(help="Number of forecast origins.", group=BASIC)] = 5,
    step: Annotated[
        int | None, Parameter(help="Rows between two origins. [default: the horizon]", show_default=False, group=BASIC)
    ] = None,
    refit: Annotated[bool, switch("Refit the models at every origin.", BASIC)] = False,
    levels: Levels = LEVELS,
    out: Annotated[Path | None, Parameter(help="Folder for backtest.csv and scores.csv.", group=OUTPUT)] = None,
    data: DataFlags = DataFlags(),  # noqa: B008  frozen
    lstm: LSTMFlags = LSTMFlags(),  # noqa: B008
    output: OutputFlags = OutputFlags(),  # noqa: B008
) -> None:
    """Forecast the past of a file and compare the models with what happened."""
    console = Console(output)
    check_value(Arg("windows"), windows, "int", WINDOWS)
    folder = Folder(out, FILES, overwrite=output.overwrite) if out else None
    if folder is not None:
        folder.require_other_than(file)
    task = Task.of(lstm, horizon, levels, progress=False, windows=windows, step=step, refit=refit)
    name = check_model(lstm.model)
    check_applies(name, lstm.model, lstm.net, lstm.fit, data=data)
    check_inputs(file, None)
    panel = read(file, data)
    check_models(panel, task)
    console.panel(panel)
    paths: list[str] = []
    with folder.writing("backtest") if folder is not None else nullcontext():  # before anything is printed
        tested = compare(panel, task, console, name)
        if folder is not None:
            folder.write_frame("backtest.csv", tested.frame)
            folder.write_frame("scores.csv", tested.scores().reset_index())
            paths = folder.close("backtest", {"horizon": horizon, "windows": windows, "seconds": tested.seconds})
    verdict = tested.verdict(models.candidate(tested, name))
    console.say()
    console.scores(tested)
    console.say()
    console.paragraph(verdict.text)
    console.recommended(verdict, verdict.candidate)
    if paths:
        console.files(paths)
    facts = {"command": "backtest", "data": summary(panel), "verdict": verdict.to_dict()}
    console.document({**facts, "scores": scores_json(tested), "notes": tested.notes, "files": paths})
