"""``gatecast demo``: the whole path on bundled real data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from gatecast.base.errors import SettingError
from gatecast.cli.checks import check_applies, check_model
from gatecast.cli.console import Console
from gatecast.cli.flags import (
    BASIC,
    LSTMFlags,
    ModelFlags,
    NetFlags,
    Out,
    OutputFlags,
    fit_config,
)
from gatecast.cli.forecast import FILES, forecast_panel
from gatecast.cli.output_folder import Folder
from gatecast.cli.run import Task

DATASET = "covid_india"
EPIDEMICS = {"covid_china": 1.40e9, "covid_canada": 38.2e6, "covid_india": 1.38e9}  # persons
DEMO_ENDS = {"covid_china": 91, "covid_canada": 304}  # rows left out: after 2020-03-31, after 2021-06-30


def demo(
    what: Annotated[
        Literal["forecast", "epidemic", "rain"],
        Parameter(help="forecast, epidemic (SEIR beside LSTM) or rain (ConvLSTM on radar fields).", group=BASIC),
    ] = "forecast",
    /,
    *,
    dataset: Annotated[
        str | None,
        Parameter(help=f"Name of a bundled data set. [default: {DATASET}, epidemic covid_canada]", group=BASIC),
    ] = None,
    horizon: Annotated[int | None, Parameter(help="Steps ahead. [default: 14, epidemic 28]", group=BASIC)] = None,
    windows: Annotated[int, Parameter(help="Origins of the backtest; 0: no backtest.", group=BASIC)] = 5,
    out: Out = Path("demo-out"),
    lstm: LSTMFlags = LSTMFlags(),  # noqa: B008  frozen
    output: OutputFlags = OutputFlags(),  # noqa: B008
) -> None:
    """Forecast bundled real data (COVID-19 in India, China or Canada, rain over Finland): table, verdict and report."""
    from gatecast.data import datasets

    console = Console(output)
    if what == "rain":
        if replace(lstm.model, seed=1) != ModelFlags() or lstm.net != NetFlags() or dataset or horizon:
            raise SettingError("gatecast demo rain takes --out alone", "leave the others out")
        _rain(console, out, output.overwrite)
        return
    if what == "epidemic":
        if replace(lstm.model, seed=1) != ModelFlags() or lstm.net != NetFlags():
            raise SettingError(
                "gatecast demo epidemic takes --seed, but no other option of the model or network",
                "leave the others out",
            )
        ahead = 28 if horizon is None else horizon
        _epidemic(dataset or "covid_canada", ahead, windows, lstm, console, out, output.overwrite)
        return
    dataset, horizon = dataset or DATASET, 14 if horizon is None else horizon
    check_applies(check_model(lstm.model), lstm.model, lstm.net, lstm.fit)
    task = Task.of(lstm, horizon, progress=console.progress, windows=windows)
    folder = Folder(out, FILES, overwrite=output.overwrite)
    forecast_panel(datasets.load(dataset), task, console, folder, command="demo")
    console.say(f"Open {folder.path / 'report.html'} in a browser.")


def _epidemic(
    dataset: str, horizon: int, windows: int, lstm: LSTMFlags, console: Console, out: Path, overwrite: bool
) -> None:
    """SEIR and LSTM on a bundled epidemic, with fewer contacts as scenario."""
    from gatecast.cli import epidemic
    from gatecast.data import datasets
    from gatecast.epidemic import Cases, StudyConfig

    if dataset not in EPIDEMICS:
        raise SettingError(f"--dataset must be one of {', '.join(EPIDEMICS)} for an epidemic, got {dataset!r}")
    config = StudyConfig(
        horizon=horizon,
        scenarios=("name=30 % fewer contacts from now on contacts=-0.3",),
        windows=windows,
        step=7 if dataset == "covid_china" else 28,
        fit=fit_config(lstm.fit, progress=False),
        seed=lstm.model.seed,
    )
    folder = Folder(out, epidemic.FILES, overwrite=overwrite)
    cases = Cases.of(datasets.load(dataset).cut(DEMO_ENDS.get(dataset, 0)))
    epidemic.run_study(cases, EPIDEMICS[dataset], config, console, folder, command="demo epidemic")
    console.say(f"Open {folder.path / 'report.html'} in a browser.")


def _rain(console: Console, out: Path, overwrite: bool) -> None:
    """ConvLSTM beside its rivals on a bundled event that it has not learned from."""
    from gatecast.cli import nowcast
    from gatecast.nowcast import finland

    folder = Folder(out, nowcast.FILES, overwrite=overwrite)
    fit: dict[str, Any] = {"steps": None, "seed": 0}
    nowcast.run_nowcast(
        finland(), [], "rain-netherlands", console, folder, minutes=90, every=30, fit=fit, command="demo rain"
    )
    console.say(
        f"Open {folder.path / 'report.html'} in a browser. Fields: Finnish Meteorological Institute, CC BY 4.0."
    )
