"""Progress bar of a training run: steps, loss, remaining time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Report = Callable[[int, list[dict[str, Any]]], None]


@contextmanager
def progress_bar(steps: int, start: int, show: bool | None) -> Iterator[Report]:
    """A function that shows the progress; call it after each step.

    Args:
        steps: number of steps.
        start: steps already done.
        show: True, False, or None: on a terminal only.
    """
    if show is False or (show is None and not sys.stderr.isatty()):
        yield lambda step, history: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[loss]}"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("training", total=steps, completed=start, loss="")

        def report(step: int, history: list[dict[str, Any]]) -> None:
            bar.update(task, completed=step, loss=_text(history))

        yield report


def _text(history: list[dict[str, Any]]) -> str:
    if not history:
        return ""
    latest = history[-1]
    validation = "" if latest["val_loss"] is None else f", held-back {latest['val_loss']:.4f}"
    return f"loss {latest['train_loss']:.4f}{validation}"
