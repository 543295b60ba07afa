"""``gatecast demo``: the whole path on bundled real data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from gatecast.cli.console import Console
from gatecast.cli.flags import (
    BASIC,
    LEVELS,
    FitFlags,
    ModelFlags,
    NetFlags,
    Out,
    Overwrite,
    ShowFlags,
    check_horizon,
    fit_config,
    net_config,
)
from gatecast.cli.folder import Folder
from gatecast.cli.forecast import FILES, forecast_panel
from gatecast.cli.run import Task

DATASET = "covid_india"


def demo(
    *,
    dataset: Annotated[str, Parameter(help="Name of a bundled data set.", group=BASIC)] = DATASET,
    horizon: Annotated[int, Parameter(help="Steps ahead.", group=BASIC)] = 14,
    windows: Annotated[int, Parameter(help="Origins of the backtest; 0 for none.", group=BASIC)] = 5,
    out: Out = Path("demo-out"),
    overwrite: Overwrite = False,
    model: ModelFlags = ModelFlags(),  # noqa: B008  frozen
    show: ShowFlags = ShowFlags(),  # noqa: B008
    net: NetFlags = NetFlags(),  # noqa: B008
    fit: FitFlags = FitFlags(),  # noqa: B008
) -> None:
    """Forecast bundled real data (daily COVID-19 cases in India): table, verdict, report and model."""
    from gatecast.data import datasets

    console = Console(show)
    settings = fit_config(fit, progress=console.progress)
    task = Task(check_horizon(horizon), model, net_config(net), settings, LEVELS, windows)
    folder = Folder(out, FILES, overwrite=overwrite)
    forecast_panel(datasets.load(dataset), task, console, folder, command="demo")
    console.say(f"Open {folder.path / 'report.html'} in a browser.")
