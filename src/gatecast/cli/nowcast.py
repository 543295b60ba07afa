"""``gatecast nowcast``: from radar fields to the next two hours."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from gatecast.base.errors import DataError, SettingError
from gatecast.base.files import require_file
from gatecast.base.findings import Arg
from gatecast.cli.console import Console, repair_line
from gatecast.cli.flags import BASIC, DATA, MODEL, OUTPUT, OutputFlags, several
from gatecast.cli.output_folder import Folder

if TYPE_CHECKING:
    from gatecast.data.grid import Grid
    from gatecast.nowcast import ConvLSTMForecaster, Nowcast, NowcastBacktest
    from gatecast.nowcast.backtest import NowcastModel

FILES = ("nowcast.nc", "scores.csv", "report.html", "model.gatecast")
_SHOWN = (0.5, 5.0)  # mm/h, in the terminal
_LEADS = (30.0, 60.0, 90.0)


def nowcast(
    file: Annotated[
        Path, Parameter(help="Fields of rain: .npz, .npy, .nc or .zarr; with --format one radar file.", group=BASIC)
    ],
    /,
    *,
    horizon: Annotated[str, Parameter(help="The farthest time ahead: 90min, 2h.", group=BASIC)] = "90min",
    every: Annotated[str, Parameter(help="Time between two origins of the backtest; 0: no backtest.", group=BASIC)] = (
        "30min"
    ),
    model: Annotated[
        Path | None, Parameter(help="A model.gatecast of an earlier --train. [default: the bundled one]", group=MODEL)
    ] = None,
    train: Annotated[
        tuple[str, ...], several(str, "Files of other events to learn from, instead of the bundled model.", MODEL)
    ] = (),
    steps: Annotated[
        int | None, Parameter(help="Steps of the training with --train. [default: 400]", group=MODEL)
    ] = None,
    seed: Annotated[int, Parameter(help="Seed of the training.", group=MODEL)] = 0,
    units: Annotated[
        str | None, Parameter(help="mm/h, mm (a step) or dBZ, where the file does not say.", group=DATA)
    ] = (None),
    step: Annotated[float | None, Parameter(help="Minutes between two fields.", group=DATA)] = None,
    pixel_km: Annotated[float | None, Parameter(help="Size of a pixel in km.", group=DATA)] = None,
    variable: Annotated[
        str | None, Parameter(help="Name of the array, where the file has several.", group=DATA)
    ] = None,
    format: Annotated[
        str | None, Parameter(help="Of a radar file: odim_hdf5, knmi_hdf5, fmi_pgm …", group=DATA)
    ] = None,
    out: Annotated[Path, Parameter(help="Folder for the results.", group=OUTPUT)] = Path("nowcast-out"),
    output: OutputFlags = OutputFlags(),  # noqa: B008  frozen
) -> None:
    """Forecast rain from radar fields: map, probabilities, scores beside rivals, report."""
    console, minutes, between = Console(output), minutes_of("horizon", horizon), minutes_of("every", every, least=0)
    _check_applies(model, train, steps, seed)
    folder = Folder(out, FILES, overwrite=output.overwrite)
    for one in (file, *map(Path, train), *([model] if model else [])):
        if not one.is_dir():  # a Zarr store is a folder
            require_file(one)
    folder.require_other_than(file, model)
    from gatecast.data.grid import read_grid

    given: dict[str, Any] = {"units": units, "step": step, "pixel_km": pixel_km, "variable": variable, "format": format}
    grid = read_grid(file, **given)
    events = [read_grid(Path(one), **given) for one in train]
    fit = {"steps": steps, "seed": seed}
    run_nowcast(grid, events, model, console, folder, minutes=minutes, every=between, fit=fit, command="nowcast")


def minutes_of(name: str, text: str, least: float = 1.0) -> float:
    """Minutes of a time such as ``90min``, ``2h`` or ``90``.

    Raises:
        SettingError: another form.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(min|m|h|)", text.strip())
    minutes = float(found[1]) * (60 if found[2] == "h" else 1) if found else -1.0
    if not least <= minutes <= 1440:
        raise SettingError(Arg(name) + f" must be a time up to 24 h, got {text!r}", "write it as 90min or 2h")
    return minutes


def _check_applies(model: Path | None, train: tuple[str, ...], steps: int | None, seed: int) -> None:
    """Refuse options that apply to nothing."""
    if model is not None and train:
        raise SettingError(Arg("model") + " and " + Arg("train") + " were both given", "use one of the two")
    for name, value in (("steps", steps), ("seed", seed)):
        if value and not train:
            raise SettingError(Arg(name) + " applies to a training only", "name events to learn from: --train FILE")


def run_nowcast(
    grid: Grid,
    events: list[Grid],
    model: Path | str | None,
    console: Console,
    folder: Folder,
    *,
    minutes: float,
    every: float,
    fit: dict[str, Any],
    command: str,
) -> None:
    """Train where events are given, test on the past of the fields, forecast, print and write.

    Args:
        model: a file, or the name of a bundled forecaster; None for the bundled one.
    """
    from gatecast.nowcast import Extrapolation, Persistence, Smoothed, backtest_nowcasts

    _say_grid(grid, console)
    with folder.writing(command):
        forecaster = _forecaster(events, model, minutes, fit, console)
        if events:
            forecaster.save(folder.file("model.gatecast"))
        tested, example = None, None
        if every:
            models: list[NowcastModel] = [forecaster, Smoothed(), Extrapolation(), Persistence()]
            with console.doing("Testing on the past of these fields"):
                try:
                    tested = backtest_nowcasts(models, grid, minutes=minutes, every=every)
                    example = _example(forecaster, grid, minutes)
                except DataError as error:
                    console.say(f"No backtest: {error}")
        ahead = forecaster.predict(grid, max(1, int(minutes // grid.step)))
        ahead.write(folder.file("nowcast.nc"))
        if tested is not None:
            folder.write_frame("scores.csv", tested.scores())
        record = _record(command, grid, forecaster, minutes, every)
        from gatecast.report import write_nowcast_report

        write_nowcast_report(folder.file("report.html"), ahead, backtest=tested, example=example, run=record)
        paths = folder.close(command, record)
    _say(ahead, tested, console)
    console.files(paths)
    console.document(_document(ahead, tested, record, paths))


def _forecaster(
    events: list[Grid], model: Path | str | None, minutes: float, fit: dict[str, Any], console: Console
) -> ConvLSTMForecaster:
    from gatecast.nowcast import ConvLSTMForecaster, pretrained
    from gatecast.nowcast.config import DEFAULT_FIT

    if isinstance(model, Path):
        return ConvLSTMForecaster.load(model)
    if not events:
        return pretrained(model or "rain")  # type: ignore[arg-type]
    settings = replace(DEFAULT_FIT, steps=fit["steps"] or DEFAULT_FIT.steps, progress=console.progress)
    return ConvLSTMForecaster(max(minutes, 90), fit=settings, seed=fit["seed"]).fit(events)


def _example(forecaster: ConvLSTMForecaster, grid: Grid, minutes: float) -> tuple[Nowcast, Grid]:
    """The latest forecast of which all that fell is known, and what fell."""
    steps = max(1, int(minutes // grid.step))
    last = len(grid) - steps
    return forecaster.predict(grid.rows(0, last), steps), grid.rows(last, len(grid))


def _say_grid(grid: Grid, console: Console) -> None:
    console.say(f"{grid.source}: {grid!r}")
    console.say(f"{grid.start} to {grid.end} UTC, {100 * float(grid.missing.mean()):.1f} % of the pixels missing")
    for one in grid.repairs:
        console.say(f"  {repair_line(one)}")


def _say(ahead: Nowcast, tested: NowcastBacktest | None, console: Console) -> None:
    console.say()
    if tested is not None:
        table = tested.scores()
        leads = [one for one in _LEADS if one in set(table["minutes"])] or sorted(set(table["minutes"]))[-1:]
        console.say(f"Backtest: {tested.origins} origins; CSI (1 is perfect)")
        columns = ["model", *(f"{threshold:g} mm/h {lead:g} min" for threshold in _SHOWN for lead in leads)]
        cells = table.set_index(["model", "threshold", "minutes"])["CSI"]
        rows = [
            [
                name,
                *(f"{cells.get((name, threshold, lead), float('nan')):.3f}" for threshold in _SHOWN for lead in leads),
            ]
            for name in tested.models
        ]
        console.table(columns, rows)
        console.say()
        minutes = min(set(table["minutes"]), key=lambda one: abs(one - 60))
        console.paragraph(tested.verdict(ahead.model, minutes=minutes))
        console.say()
    console.say(f"Nowcast by {ahead.model}: {len(ahead)} fields to {str(ahead.times[-1])[:16].replace('T', ' ')} UTC")


def _record(command: str, grid: Grid, forecaster: ConvLSTMForecaster, minutes: float, every: float) -> dict[str, Any]:
    learned = list(forecaster.events_)
    return {"command": command, "source": grid.source, "minutes": minutes, "every": every, "learned_from": learned}


def _document(
    ahead: Nowcast, tested: NowcastBacktest | None, record: dict[str, Any], paths: list[str]
) -> dict[str, Any]:
    import numpy as np

    from gatecast.cli.output_frames import records

    return {
        **record,
        "model": ahead.model,
        "times": [str(one) for one in ahead.times],
        "area_0.5_mm_h": [None if np.isnan(one) else round(float(one), 4) for one in ahead.area(0.5)],
        "scores": records(tested.scores()) if tested is not None else None,
        "verdict": tested.verdict(ahead.model) if tested is not None else None,
        "files": paths,
    }
