"""``gatecast lab gradients``: gradients by lag of recurrent networks, beside theory, on one page."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from gatecast.cli.console import Console
from gatecast.cli.flags import BASIC, MODEL, Out, OutputFlags
from gatecast.cli.output_folder import Folder

if TYPE_CHECKING:
    from gatecast.lab import Gradients

FILES = ("gradients.html", "gradients.csv")


def gradients(
    *,
    lag: Annotated[int, Parameter(help="Largest lag, in steps.", group=BASIC)] = 100,
    hidden: Annotated[int, Parameter(help="Units of a layer.", group=MODEL)] = 32,
    batch: Annotated[int, Parameter(help="Sequences that norms are averaged over.", group=MODEL)] = 16,
    recall: Annotated[int, Parameter(help="Steps over which networks are trained to remember.", group=MODEL)] = 100,
    updates: Annotated[int, Parameter(help="Training steps of each network.", group=MODEL)] = 400,
    seed: Annotated[int, Parameter(help="Random seed.", group=MODEL)] = 1,
    out: Out = Path("lab-gradients"),
    output: OutputFlags = OutputFlags(),  # noqa: B008  frozen
) -> None:
    """Measure gradients by lag of RNN, GRU, LSTM and LSTM1997 beside theory, and write a page about them."""
    console = Console(output)
    folder = Folder(out, FILES, overwrite=output.overwrite)
    from gatecast.lab import GradientsConfig, measure_gradients
    from gatecast.report import write_gradients
    from gatecast.report.gradients import verdict

    config = GradientsConfig(lag=lag, hidden=hidden, batch=batch, recall=recall, updates=updates, seed=seed)
    with folder.writing("lab gradients"):
        with console.doing("Measuring gradients and training"):
            found = measure_gradients(config)
        write_gradients(folder.file("gradients.html"), found)
        folder.write_frame("gradients.csv", _frame(found))
        paths = folder.close("lab gradients", asdict(config))
    _say(found, console)
    console.paragraph(verdict(found))
    console.say()
    console.files(paths)
    console.say(f"Open {folder.path / 'gradients.html'} in a browser.")
    console.document({"command": "lab gradients", "verdict": verdict(found), **_numbers(found), "files": paths})


def _frame(found: Gradients) -> Any:
    """One row for each curve and lag."""
    import pandas as pd

    rows = [
        (group, curve.label, lag, value)
        for group, curves in found.groups.items()
        for curve in curves
        for lag, value in enumerate(curve.norms)
    ]
    return pd.DataFrame(rows, columns=["group", "network", "lag", "norm"])


def _say(found: Gradients, console: Console) -> None:
    for group in ("cells", "bias", "radius"):
        rows = [
            [curve.label, f"{curve.factor:.4f}", "" if curve.theory is None else f"{curve.theory:.4f}", curve.words]
            for curve in found.groups[group]
        ]
        console.table(["network", "factor per step", "theory", ""], rows)
        console.say()
    rows = [[run.name, f"{run.losses[-1]:.3f}", f"{100 * run.right:.1f} %"] for run in [*found.runs, *found.clipping]]
    console.say(f"Trained to name the first of {found.config.recall} inputs")
    console.table(["network", "last loss", "right answers"], rows)
    shown = ", ".join(f"{value:.0e} ({name})" for name, value in found.differences.items())
    console.say(f"Largest relative difference from the analytic product: {shown}")
    console.say()


def _numbers(found: Gradients) -> dict[str, Any]:
    return {
        "curves": [
            {"group": group, "network": one.label, "factor": one.factor, "theory": one.theory, "last": one.norms[-1]}
            for group, curves in found.groups.items()
            for one in curves
        ],
        "differences": found.differences,
        "trained": {run.name: run.right for run in found.runs},
    }
