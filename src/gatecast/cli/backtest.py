"""``gatecast backtest``: compare models on the past of a file."""

from __future__ import annotations

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
    FitFlags,
    Levels,
    ModelFlags,
    NetFlags,
    Overwrite,
    ShowFlags,
    check_horizon,
    check_levels,
    fit_config,
    net_config,
)
from gatecast.cli.output_folder import Folder
from gatecast.cli.output_frames import summary
from gatecast.cli.read_args import check_inputs, read
from gatecast.cli.run import Task, compare

FILES = ("backtest.csv", "scores.csv")


def backtest(
    file: Annotated[Path, Parameter(help="CSV, TSV (also .gz) or Parquet file; -: standard input.", group=BASIC)],
    /,
    *,
    horizon: Annotated[int, Parameter(help="Steps ahead.", group=BASIC)],
    windows: Annotated[int, Parameter(help="Number of forecast origins.", group=BASIC)] = 5,
    step: Annotated[
        int | None, Parameter(help="Rows between two origins. [default: the horizon]", show_default=False, group=BASIC)
    ] = None,
    refit: Annotated[
        bool, Parameter(help="Refit the models at every origin.", group=BASIC, negative=(), show_default=False)
    ] = False,
    levels: Levels = LEVELS,
    out: Annotated[Path | None, Parameter(help="Folder for backtest.csv and scores.csv.", group=OUTPUT)] = None,
    overwrite: Overwrite = False,
    data: DataFlags = DataFlags(),  # noqa: B008  frozen
    model: ModelFlags = ModelFlags(),  # noqa: B008
    show: ShowFlags = ShowFlags(),  # noqa: B008
    net: NetFlags = NetFlags(),  # noqa: B008
    fit: FitFlags = FitFlags(),  # noqa: B008
) -> None:
    """Forecast the past of a file and compare the models with what happened."""
    console = Console(show)
    check_value(Arg("windows"), windows, "int", WINDOWS)
    folder = Folder(out, FILES, overwrite=overwrite) if out else None
    if folder is not None:
        folder.require_other_than(file)
    settings = fit_config(fit, progress=False)
    task = Task(check_horizon(horizon), model, net_config(net), settings, check_levels(levels), windows, step, refit)
    name = check_model(model)
    check_applies(name, model, net, fit, data=data)
    check_inputs(file, None)
    panel = read(file, data)
    check_models(panel, task)
    console.panel(panel)
    tested = compare(panel, task, console, name)
    verdict = tested.verdict(models.candidate(tested, name))
    console.say()
    console.scores(tested)
    console.say()
    console.paragraph(verdict.text)
    paths: list[str] = []
    if folder is not None:
        folder.write_frame("backtest.csv", tested.frame)
        folder.write_frame("scores.csv", tested.scores().reset_index())
        paths = folder.close("backtest", {"horizon": horizon, "windows": windows, "seconds": tested.seconds})
        console.files(paths)
    facts = {"command": "backtest", "data": summary(panel), "verdict": verdict.to_dict()}
    console.document({**facts, "scores": scores_json(tested), "notes": tested.notes, "files": paths})
