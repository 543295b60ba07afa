"""A progress bar on the terminal for a number of fits."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress_bar(title: str, total: int, shown: bool | None) -> Iterator[Callable[[int, str], None]]:
    """A function that advances the bar by a count and shows a text after the title.

    Args:
        title: words before the bar.
        total: count at its end.
        shown: whether it is drawn; None draws it on a terminal.
    """
    if not (sys.stderr.isatty() if shown is None else shown):
        yield lambda count, text: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True, force_terminal=shown), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda count, text: bar.update(task, advance=count, description=f"{title} {text}")
