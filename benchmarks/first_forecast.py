"""CPU seconds of a newcomer's first forecast: a script of a few lines, from the start of the process to its end.

    python benchmarks/first_forecast.py --peers DIR [--rounds 3]

The scripts are ``peers/first_*.py``: read the CSV of the air passengers, fit an LSTM with default settings, print
twelve months. Beside them ``gatecast forecast FILE``, which adds baselines, a backtest and the report. The gate: each
prints a forecast of twelve rows or more.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import common
import tasks
from common import median

TARGET_S = 8.0
LIBRARIES = ("gatecast", "neuralforecast", "darts")


def main() -> None:
    """Run everything in turns, print CPU and wall seconds, and write the result."""
    args = common.arguments(__doc__).parse_args()
    commands = {f"{name} (script)": script(name, args) for name in common.present(LIBRARIES, args.peers)}
    commands["gatecast forecast (command)"] = command_line()
    measured: dict[str, list[common.Run]] = {name: [] for name in commands}
    for turn in range(args.rounds):
        for name, command in commands.items():
            run = common.run(command, threads=args.threads)
            if len(run.output.strip().splitlines()) < 12:
                raise SystemExit(f"{name} printed no forecast:\n{run.output}")
            measured[name].append(run)
            print(f"round {turn + 1} {name}: {run.cpu:.1f} CPU s, {run.wall:.1f} s", flush=True)
    rows = [row(name, runs, measured["gatecast (script)"]) for name, runs in measured.items()]
    print(common.table(rows))
    common.write("first_forecast", rows, args)


def script(library: str, args: argparse.Namespace) -> list[str]:
    """The newcomer's script in the library's own environment."""
    python = common.python_of(library, args.peers)
    return [str(python), str(common.HERE / "peers" / f"first_{library}.py"), str(tasks.air_file())]


def command_line() -> list[str]:
    """The command of the README."""
    python = Path(str(common.python_of("gatecast", None)))
    return [str(python.with_name("gatecast")), "forecast", str(tasks.air_file()), "--horizon", "12", "--out", "out"]


def row(name: str, runs: list[common.Run], ours: list[common.Run]) -> dict[str, Any]:
    """Medians, and how many times gatecast's CPU seconds these are."""
    return {
        "what": name,
        "CPU s": median(run.cpu for run in runs),
        "range CPU s": common.spread([run.cpu for run in runs]),
        "wall s": median(run.wall for run in runs),
        "peak MiB": median(run.rss_mb for run in runs),
        "CPU × ours": median(m.cpu / o.cpu for m, o in zip(runs, ours, strict=True)),
        "target CPU s": TARGET_S if name == "gatecast (script)" else None,
    }


if __name__ == "__main__":
    main()
