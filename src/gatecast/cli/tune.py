"""``gatecast tune``: search for settings, fit the best and write a page about the search."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from gatecast.base.errors import SettingError
from gatecast.cli import models
from gatecast.cli.checks import check_model
from gatecast.cli.console import Console, numbers
from gatecast.cli.flags import (
    BASIC,
    OUTPUT,
    DataFlags,
    File,
    Horizon,
    LSTMFlags,
    Out,
    OutputFlags,
    check_horizon,
    fit_config,
    net_config,
    several,
)
from gatecast.cli.output_folder import Folder
from gatecast.cli.output_frames import summary
from gatecast.cli.read_args import check_inputs, read

if TYPE_CHECKING:
    from gatecast.tuning import Tuning

FILES = ("best.toml", "trials.csv", "tuning.html", "model.gatecast")
STORAGE = "tuning.sqlite3"
SEARCH = Group("Search", sort_key=3)


def tune(
    file: File,
    /,
    *,
    horizon: Horizon,
    trials: Annotated[int, Parameter(help="Trials in total, including those of a resumed search.", group=BASIC)] = 40,
    minutes: Annotated[float | None, Parameter(help="Start no trial after this many minutes.", group=BASIC)] = None,
    fields: Annotated[
        tuple[str, ...],
        several(
            str, "Fields to search: net.hidden_size,fit.learning_rate … [default: the most important ones]", SEARCH
        ),
    ] = (),
    folds: Annotated[int, Parameter(help="Periods of the past on which settings are compared.", group=SEARCH)] = 3,
    test: Annotated[int, Parameter(help="Windows at the end, held out from the search.", group=SEARCH)] = 3,
    workers: Annotated[
        str | None, Parameter(help="Local processes, or ray for a Ray cluster; the trials are the same.", group=SEARCH)
    ] = None,
    storage: Annotated[
        Path | None,
        Parameter(
            help=f"SQLite file of the trials, from which a stopped search resumes. [default: {STORAGE} in --out]",
            group=OUTPUT,
            show_default=False,
        ),
    ] = None,
    out: Out = Path("tune-out"),
    data: DataFlags = DataFlags(),  # noqa: B008  frozen
    lstm: LSTMFlags = LSTMFlags(),  # noqa: B008
    output: OutputFlags = OutputFlags(),  # noqa: B008
) -> None:
    """Search for settings on the past of a file, test the best on held-out rows and fit it."""
    from gatecast.base.errors import require
    from gatecast.tuning.run import check_size

    console = Console(output)
    check_size(trials=trials, minutes=minutes, folds=folds, test=test)
    if check_model(lstm.model) != "lstm":
        raise SettingError("tune searches the settings of the LSTM", f"leave --model {lstm.model.model} out")
    require("optuna", extra="tune", purpose="gatecast tune")
    folder = Folder(out, FILES, overwrite=output.overwrite)
    settings = fit_config(lstm.fit, progress=console.progress)
    base = models.lstm(check_horizon(horizon), lstm.model, net_config(lstm.net), settings)
    check_inputs(file, None)
    folder.require_other_than(file)
    panel = read(file, data)
    base.check(panel)
    console.panel(panel)
    if storage is None:
        out.mkdir(parents=True, exist_ok=True)
        storage = out / STORAGE

    from gatecast.tuning import tune as search

    try:
        found = search(
            panel,
            horizon,
            model=base,
            fields=fields or None,
            trials=trials,
            minutes=minutes,
            folds=folds,
            test=test,
            storage=storage,
            workers=_workers(workers),
            seed=lstm.model.seed,
            progress=console.progress,
        )
    except KeyboardInterrupt:
        print(f"\n{storage} holds the trials so far: run the same command again to resume", file=sys.stderr)
        raise
    paths = _write(found, folder)
    _say(found, console)
    console.files(paths)
    facts = {"command": "tune", "data": summary(panel), **found.to_dict()}
    console.document({**facts, "model": found.model.describe(), "storage": str(storage), "files": paths})


def _workers(text: str | None) -> int | str | None:
    """The text as a number where it is one."""
    return int(text) if text is not None and text.lstrip("-").isdigit() else text


def _say(found: Tuning, console: Console) -> None:
    states = [one.state for one in found.trials]
    stopped, failed = states.count("pruned"), states.count("failed")
    console.say()
    console.say(f"{len(states)} trials, {stopped} stopped early, {failed} failed; the best, measured with other seeds")
    cells = [numbers([one.loss for one in found.finalists])]
    gains = ["–" if not one.number else f"{100 * one.gain:+.1f} ± {100 * one.error:.1f} %" for one in found.finalists]
    rows = [
        [f"{one.number}{' (default)' if not one.number else ''}", loss, gain, "chosen" if one.chosen else ""]
        for one, loss, gain in zip(found.finalists, cells[0], gains, strict=True)
    ]
    console.table(["trial", found.metric, "gain", ""], rows)
    for note in found.notes:
        console.say(f"  {note}")
    console.say()
    console.paragraph(found.text)
    if found.settings:
        console.say()
        console.table(["field", "value"], [[name, _short(value)] for name, value in found.settings.items()])
    console.say()


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _write(found: Tuning, folder: Folder) -> list[str]:
    from gatecast.report import write_tuning

    run = {"horizon": found.folds.horizon, "settings": found.settings, "seconds": found.seconds}
    with folder.writing("tune"):
        found.model.save(folder.file("model.gatecast"))
        folder.write_text("best.toml", found.to_toml())
        folder.write_frame("trials.csv", found.to_frame())
        write_tuning(folder.file("tuning.html"), found)
        return folder.close("tune", run)
