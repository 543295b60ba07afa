"""``gatecast predict``: forecast new data with a saved model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from gatecast.base.errors import ModelFileError
from gatecast.cli.console import Console
from gatecast.cli.flags import (
    BASIC,
    LEVELS,
    OUTPUT,
    DataFlags,
    File,
    Future,
    Levels,
    OutputFlags,
)
from gatecast.cli.output_folder import Folder
from gatecast.cli.output_frames import records, summary
from gatecast.cli.read_args import check_inputs, read, source
from gatecast.evaluation.forecast import checked_levels
from gatecast.evaluation.output_frame import output_frame

if TYPE_CHECKING:
    from gatecast.evaluation import Forecast

FILES = ("forecast.csv", "report.html")


def predict(
    model: Annotated[Path, Parameter(help="A model.gatecast file.", group=BASIC)],
    file: File,
    /,
    *,
    horizon: Annotated[int | None, Parameter(help="Steps ahead, at most the model's own.", group=BASIC)] = None,
    levels: Levels = LEVELS,
    future: Future = None,
    out: Annotated[Path | None, Parameter(help="Folder for forecast.csv and report.html.", group=OUTPUT)] = None,
    data: DataFlags = DataFlags(),  # noqa: B008  frozen
    output: OutputFlags = OutputFlags(),  # noqa: B008
) -> None:
    """Forecast new data with a saved model, without training. Nothing is written unless --out is given."""
    console = Console(output)
    folder = Folder(out, FILES, overwrite=output.overwrite) if out else None
    check_inputs(file, future)
    if folder is not None:
        folder.require_other_than(file, future, model)
    forecaster = load_model(model)
    if not hasattr(forecaster, "horizon"):
        raise ModelFileError(f"{model} holds a classifier, which makes no forecasts", "use it in Python: gatecast.load")
    panel = read(file, data, forecaster.schema_)
    later = source(future) if future is not None else None
    forecast = forecaster.predict(horizon, panel=panel, levels=checked_levels(levels), future=later)
    panel = forecast.panel  # with the rows that the model keeps, where the file continues them
    paths = _write(forecast, folder, str(model)) if folder is not None else []
    console.panel(panel)
    console.say()
    console.forecast(forecast, folder.path / "forecast.csv" if folder is not None else None)
    if paths:
        console.files(paths)
    facts = {"command": "predict", "data": summary(panel), "model": forecast.model}
    rows = records(output_frame(forecast))
    console.document({**facts, "forecast": rows, "notes": list(forecast.notes), "files": paths})


def load_model(model: Path) -> Any:
    """Load a saved model; the path is checked before PyTorch is loaded."""
    if not model.is_file():
        raise ModelFileError(f"there is no model file {model}", "gatecast forecast writes one to its --out folder")
    from gatecast.forecasters import load

    return load(model)


def _write(forecast: Forecast, folder: Folder, model: str) -> list[str]:
    from gatecast.report import write_report

    record = {"command": "predict", "model": model, "horizon": forecast.horizon, "levels": list(forecast.levels)}
    with folder.writing("predict"):
        folder.write_frame("forecast.csv", output_frame(forecast))
        write_report(folder.file("report.html"), panel=forecast.panel, forecast=forecast, run=record)
        return folder.close("predict", record)
