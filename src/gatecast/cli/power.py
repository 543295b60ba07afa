"""``gatecast power``: wind power from weather forecasts as they were known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from gatecast.base.errors import SettingError
from gatecast.base.files import require_file
from gatecast.base.findings import Arg
from gatecast.cli.console import Console, repair_line
from gatecast.cli.flags import BASIC, DATA, MODEL, OUTPUT, DataFlags, OutputFlags
from gatecast.cli.output_folder import Folder
from gatecast.cli.read_args import read

if TYPE_CHECKING:
    import pandas as pd

    from gatecast.power import Plant, PowerForecast, Vintages

FILES = ("forecast.csv", "scores.csv")
_ROWS = 12


def power(
    file: Annotated[Path, Parameter(help="CSV or Parquet file of hourly power.", group=BASIC)],
    /,
    *,
    weather: Annotated[
        Path, Parameter(help="CSV file of weather forecasts: a row for each issue and hour ahead.", group=BASIC)
    ],
    capacity: Annotated[float, Parameter(help="Of each site, in the unit of the power.", group=BASIC)],
    horizon: Annotated[int, Parameter(help="Hours ahead.", group=BASIC)] = 48,
    issued: Annotated[str, Parameter(help="Column of the weather with the time of issue.", group=DATA)] = "issued",
    lead: Annotated[str, Parameter(help="Column of the weather with the hours ahead, from 1 on.", group=DATA)] = "lead",
    site: Annotated[
        str | None, Parameter(help="Column of the weather with the site. [default: one weather for all]", group=DATA)
    ] = None,
    test: Annotated[int, Parameter(help="Days at the end to test on; 0: no test.", group=BASIC)] = 60,
    members: Annotated[int, Parameter(help="Networks of the ensemble.", group=MODEL)] = 5,
    kind: Annotated[Literal["cnn", "lstm"], Parameter(help="Layers over the hours ahead.", group=MODEL)] = "cnn",
    steps: Annotated[int | None, Parameter(help="Steps of each training. [default: 1200]", group=MODEL)] = None,
    seed: Annotated[int, Parameter(help="Seed of weights and bootstrap samples.", group=MODEL)] = 0,
    out: Annotated[Path, Parameter(help="Folder for the results.", group=OUTPUT)] = Path("power-out"),
    data: DataFlags = DataFlags(),  # noqa: B008  frozen
    output: OutputFlags = OutputFlags(),  # noqa: B008
) -> None:
    """Forecast wind power by an ensemble of networks, with weather forecasts as they were known."""
    console = Console(output)
    folder = Folder(out, FILES, overwrite=output.overwrite)
    for one in (file, weather):
        require_file(one)
    folder.require_other_than(file, weather)
    if test < 0:
        raise SettingError(Arg("test") + f" must be at least 0 days, got {test}")
    from gatecast.power import Plant, PowerConfig, PowerForecaster
    from gatecast.power.config import DEFAULT_FIT
    from gatecast.power.evaluate import score_latest

    panel = read(file, data)
    plant = Plant.of(panel, _weather(weather, issued, lead, site), capacity)
    _say_plant(plant, console)
    fit = replace(DEFAULT_FIT, steps=steps or DEFAULT_FIT.steps, progress=console.progress)
    model = PowerForecaster(horizon, members=members, net=PowerConfig(kind=kind), fit_config=fit, seed=seed)
    record: dict[str, Any] = {"command": "power", "capacity": capacity, "horizon": horizon, "members": members}
    record |= {"kind": kind, "steps": fit.steps, "seed": seed, "test_days": test}
    with folder.writing("power"):
        table = score_latest(model, plant, test) if test else None
        found = model.fit(plant).predict(plant)
        frame = found.to_frame()
        folder.write_frame("forecast.csv", frame)
        if table is not None:
            folder.write_frame("scores.csv", table)
        paths = folder.close("power", record)
    _say(found, frame, table, console)
    console.files(paths)
    console.document(_document(frame, table, record, paths))


def _weather(path: Path, issued: str, lead: str, site: str | None) -> dict[str, Vintages] | Vintages:
    import pandas as pd

    from gatecast.power import Vintages

    table = pd.read_csv(path)
    if site is None:
        return Vintages.read(table, issued=issued, lead=lead, name=path.name)
    if site not in table.columns:
        raise SettingError(f"there is no column {site!r} in {path.name}", "name one with " + Arg("site", "farm"))
    parts = table.groupby(table[site].astype(str))
    return {
        name: Vintages.read(part.drop(columns=site), issued=issued, lead=lead, name=path.name) for name, part in parts
    }


def _say_plant(plant: Plant, console: Console) -> None:
    first, last = plant.times[0], plant.times[-1]
    sites = f"{len(plant.ids)} site{'s' if len(plant.ids) > 1 else ''}"
    console.say(f"{sites}, {len(plant.times):,} hours, {first} to {last}")
    weather = plant.weather[0]
    console.say(
        f"weather: {', '.join(weather.names)}, {len(weather.issued):,} issues, {weather.values.shape[1]} h ahead"
    )
    for one in plant.found:
        console.say(f"  {repair_line(one)}")


def _say(found: PowerForecast, frame: pd.DataFrame, table: pd.DataFrame | None, console: Console) -> None:
    if table is not None:
        columns = [name for name in table.columns if name != "model"]
        rows = [[str(row["model"]), *(_number(row[name]) for name in columns)] for _, row in table.iterrows()]
        console.say("\nOn the latest days, which the networks had not learned from (shares of capacity)")
        console.table(["model", *columns], rows)
    console.say(f"\nForecast from {found.origins[-1]}")
    rows = [
        [str(row["site"]), str(row["time"])[:16], *(f"{row[name]:.4g}" for name in ("mean", "q10", "q90"))]
        for _, row in frame.head(_ROWS).iterrows()
    ]
    console.table(["site", "time", "mean", "q10", "q90"], rows, left=2)
    if len(frame) > _ROWS:
        console.say(f"  … {len(frame) - _ROWS:,} more rows in forecast.csv")


def _number(value: float) -> str:
    return "-" if value != value else f"{value:.4f}"


def _document(
    frame: pd.DataFrame, table: pd.DataFrame | None, record: dict[str, Any], paths: list[str]
) -> dict[str, Any]:
    from gatecast.cli.output_frames import records

    scores = records(table) if table is not None else None
    return {**record, "scores": scores, "forecast": records(frame), "files": paths}
