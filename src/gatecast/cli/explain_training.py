"""``gatecast explain-training``: read the learning curves of a saved model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from gatecast.cli.console import Console, numbers
from gatecast.cli.flags import BASIC, ShowFlags
from gatecast.cli.predict import load_model
from gatecast.cli.shell import in_shell

MOST_ROWS = 12
BARS = "▁▂▃▄▅▆▇█"


def explain_training(
    model: Annotated[Path, Parameter(help="A model.gatecast file.", group=BASIC)],
    /,
    *,
    show: ShowFlags = ShowFlags(),  # noqa: B008  frozen
) -> None:
    """Say whether a model was still learning, had converged or overfits. Nothing is written."""
    from gatecast.training import explain_training as explain

    console, found = Console(show), explain(load_model(model))
    console.paragraph(in_shell(found.text))
    console.say()
    for name, key in (("training", "train_loss"), ("held-back", "val_loss")):
        losses = [loss for entry in found.history if (loss := entry.get(key)) is not None]
        if losses:
            console.say(f"  {name:<9}  {bars(losses)}")
    console.say()
    console.table(["step", "epoch", "training", "held-back", "rate"], rows_of(found.history, found.kept), left=0)
    console.say("  * weights kept")
    facts = {"state": found.state, "text": found.text, "since": found.since, "kept": found.kept}
    document = {**facts, "stopped_early": found.stopped_early, "history": [dict(entry) for entry in found.history]}
    console.document({"command": "explain-training", **document})


def rows_of(history: Sequence[Mapping[str, Any]], kept: int) -> list[list[str]]:
    """At most ``MOST_ROWS`` evaluations, evenly spread, including the one whose weights were kept."""
    places = {round(k * (len(history) - 1) / max(1, MOST_ROWS - 1)) for k in range(MOST_ROWS)}
    places |= {k for k, entry in enumerate(history) if entry["step"] == kept}
    shown = [history[k] for k in sorted(places) if k < len(history)]
    steps = [f"{'*' if entry['step'] == kept else ''}{entry['step']}" for entry in shown]
    epochs = [f"{entry['epoch']:.2f}" if "epoch" in entry else "–" for entry in shown]
    losses = [numbers(_or_nan(entry.get(key)) for entry in shown) for key in ("train_loss", "val_loss")]
    return [list(row) for row in zip(steps, epochs, *losses, [f"{entry['lr']:.2g}" for entry in shown], strict=True)]


def bars(values: Sequence[float]) -> str:
    """The values as a row of bars, the largest highest."""
    low, high = min(values), max(values)
    return "".join(BARS[round(7 * (value - low) / (high - low or 1.0))] for value in values)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value
