"""``gatecast lab memory``: the experiments of Hochreiter & Schmidhuber 1997, run again."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.options import SEED, Bounds, check_value
from gatecast.cli.console import Console
from gatecast.cli.flags import BASIC, MODEL, OUTPUT, Out, OutputFlags
from gatecast.cli.output_folder import Folder

if TYPE_CHECKING:
    from gatecast.lab import Outcome

FILES = ("memory.html", "memory.csv")
STORE = "outcomes.json"


def memory(
    *names: Annotated[str, Parameter(help="Experiments: 3a, 6a, default, all … (--list names all).", group=BASIC)],
    seeds: Annotated[int, Parameter(help="Runs of each experiment.", group=BASIC)] = 10,
    rivals: Annotated[bool, Parameter(help="Train other networks on the same tasks.", group=MODEL)] = True,
    most: Annotated[int | None, Parameter(help="Sequences after which a run is ended.", group=MODEL)] = None,
    list_: Annotated[
        bool, Parameter(name="--list", help="List the experiments.", group=OUTPUT, negative=(), show_default=False)
    ] = False,
    out: Out = Path("lab-memory"),
    output: OutputFlags = OutputFlags(),  # noqa: B008  frozen
) -> None:
    """Run the experiments of 1997 again: sequences until success beside the published figure, and rivals."""
    console = Console(output)
    if list_:
        _list(console)
        return
    check_value(Arg("seeds"), seeds, "int", Bounds(least=1, limit=1_000))
    if most is not None:
        check_value(Arg("most"), most, "int", Bounds(least=1, limit=SEED.limit))
    folder = Folder(out, FILES, overwrite=output.overwrite)
    from gatecast.lab import run_memory
    from gatecast.report import write_memory
    from gatecast.report.memory import verdict

    store = out / STORE
    if store.exists() and "gatecast lab memory" not in store.read_text("utf-8")[:200]:
        raise SettingError(f"{store} is not a file of gatecast lab memory", "name another folder with --out")
    try:
        found = run_memory(names, seeds=seeds, rivals=rivals, most=most, store=store, progress=_progress(console))
    except KeyboardInterrupt:
        print(f"\n{store} holds the finished experiments: run the same command again to resume", file=sys.stderr)
        raise
    with folder.writing("lab memory"):
        write_memory(folder.file("memory.html"), found)
        folder.write_frame("memory.csv", _frame(found))
        paths = folder.close("lab memory", {"experiments": [one.name for one in found], "seeds": seeds})
    _say(found, console)
    console.paragraph(verdict(found))
    console.say()
    console.files(paths)
    console.say(f"Open {folder.path / 'memory.html'} in a browser.")
    outcomes = [{**asdict(one), "published": one.experiment.published} for one in found]
    console.document({"command": "lab memory", "verdict": verdict(found), "outcomes": outcomes, "files": paths})


def _progress(console: Console) -> Callable[[str, float, int], None] | None:
    """One line on a terminal: experiment, share of its limit, successes, longest time left."""
    if console.progress is False or not sys.stderr.isatty():
        return None
    begun: dict[str, float] = {}

    def say(name: str, share: float, won: int) -> None:
        start = begun.setdefault(name, time.perf_counter())
        left = (time.perf_counter() - start) * (1 / max(share, 1e-6) - 1)
        text = f"{name}: {100 * share:.0f} % of the limit, {won} succeeded, at most {left / 60:.1f} min left"
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    return say


def _list(console: Console) -> None:
    from gatecast.lab.experiments import DEFAULT, EXPERIMENTS

    rows = [
        [name, one.title, f"{one.net.weights:,}", f"{one.published:,}", "yes" if name in DEFAULT else ""]
        for name, one in EXPERIMENTS.items()
    ]
    console.table(["experiment", "task", "weights", "published", "default"], rows, left=2)
    keys = ("experiment", "task", "weights", "published", "default")
    console.document({"experiments": [dict(zip(keys, row, strict=True)) for row in rows]})


def _frame(found: list[Outcome]) -> Any:
    """One row for each run of the network of 1997 and of its rivals."""
    import pandas as pd

    rows: list[tuple[Any, ...]] = []
    for one in found:
        ours = zip(one.seeds, one.sequences, one.wrong, strict=True)
        rows += [(one.name, "LSTM of 1997", seed, n, one.limit, wrong) for seed, n, wrong in ours]
        for rival in one.rivals:
            rows += [(one.name, rival.name, k + 1, n, rival.limit, None) for k, n in enumerate(rival.sequences)]
    return pd.DataFrame(rows, columns=["experiment", "network", "seed", "sequences", "limit", "wrong"])


def _say(found: list[Outcome], console: Console) -> None:
    from gatecast.report.memory import cells

    texts = [cells(one) for one in found]
    columns = ["published", "median", "range", "share", "wrong", "time"]
    rows = [[one.name, *(text[name] for name in columns)] for one, text in zip(found, texts, strict=True)]
    console.table(["experiment", *columns], rows)
    console.say()
    for one in found:
        shares = ", ".join(f"{rival.name} {100 * rival.share:.0f} %" for rival in one.rivals)
        if shares:
            console.say(f"  {one.name}, share that succeeds within {one.rivals[0].limit:,} sequences: {shares}")
    console.say()
