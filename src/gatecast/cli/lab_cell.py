"""``gatecast lab cell``: train a small LSTM on a file and write the page that shows its inside."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from gatecast.cli.console import Console
from gatecast.cli.flags import BASIC, DATA, MODEL, DataFlags, Out, OutputFlags
from gatecast.cli.output_folder import Folder
from gatecast.cli.output_frames import summary
from gatecast.cli.read_args import check_inputs, read

if TYPE_CHECKING:
    from gatecast.lab import Inside

FILES = ("cell.html",)
BUNDLED = "air_passengers"


def cell(
    file: Annotated[
        Path | None,
        Parameter(help="CSV, TSV (also .gz) or Parquet file; -: standard input; none: air passengers.", group=BASIC),
    ] = None,
    /,
    *,
    horizon: Annotated[int, Parameter(help="Steps ahead that the LSTM learns to forecast.", group=BASIC)] = 12,
    series: Annotated[str | None, Parameter(help="Series to look at. [default: the first]", group=DATA)] = None,
    hidden_size: Annotated[int, Parameter(name="--hidden", help="Units of the LSTM, at most 64.", group=MODEL)] = 16,
    context: Annotated[int | None, Parameter(help="Rows that the LSTM reads.", group=MODEL)] = None,
    base: Annotated[
        Literal["last", "season", "mixture", "none"],
        Parameter(help="What the LSTM corrects: the last value, the last season, a mixture, nothing.", group=MODEL),
    ] = "last",
    steps: Annotated[int, Parameter(help="Training steps at most.", group=MODEL)] = 300,
    seed: Annotated[int, Parameter(help="Random seed.", group=MODEL)] = 1,
    out: Out = Path("lab-out"),
    data: DataFlags = DataFlags(),  # noqa: B008  frozen
    output: OutputFlags = OutputFlags(),  # noqa: B008
) -> None:
    """Show the inside of a trained LSTM: gates and memory over time, the four steps in numbers, what it leans on."""
    console = Console(output)
    folder = Folder(out, FILES, overwrite=output.overwrite)
    if file is not None:
        check_inputs(file, None)
        folder.require_other_than(file)
    from gatecast.lab import InsideConfig, look_inside
    from gatecast.report import write_cell

    given = {"horizon": horizon, "hidden_size": hidden_size, "context": context, "base": base}
    config = InsideConfig(**given, steps=steps, seed=seed)  # type: ignore[arg-type]
    panel = read(file, data) if file is not None else _bundled()
    console.panel(panel)
    with folder.writing("lab cell"), console.doing("Training and recording"):
        inside = look_inside(config.forecaster().fit(panel), series=series)
        write_cell(folder.file("cell.html"), inside)
        settings = {one.name: getattr(config, one.name) for one in fields(config)}
        paths = folder.close("lab cell", {"series": inside.series, **settings})
    _say(inside, console)
    console.files(paths)
    console.say(f"Open {folder.path / 'cell.html'} in a browser.")
    console.document(
        {"command": "lab cell", "data": summary(panel), "series": inside.series, **_numbers(inside), "files": paths}
    )


def _bundled() -> Any:
    from gatecast.data import datasets

    return datasets.load(BUNDLED)


def _numbers(inside: Inside) -> dict[str, Any]:
    """Mean gates, memory by unit, and influence of each input by lag."""
    memory = inside.seen.memory()[0].tolist()
    gates = {name: float(inside.seen[name].mean()) for name in "ifo"}
    influence = {name: inside.by_lag()[:, k].tolist() for k, name in enumerate(inside.inputs)}
    return {"gates": gates, "memory": memory, "influence": influence}


def _say(inside: Inside, console: Console) -> None:
    """The gates of the units with the longest and the shortest memory at the last step."""
    order, memory = inside.unit_order(), inside.seen.memory()[0]
    shown = order if len(order) <= 6 else [*order[:3], *order[-3:]]
    rows = [
        [str(unit), f"{memory[unit]:.1f}", *(f"{float(inside.seen[name][0, -1, 0, unit]):+.2f}" for name in "fiogch")]
        for unit in shown
    ]
    console.say(f"At the last of {len(inside.times)} steps, longest memory first")
    console.table(["unit", "remembers (steps)", "f", "i", "o", "g", "c", "h"], rows)
    console.say()
