"""Time of one forecast from a loaded model, and what ``import gatecast`` costs beyond PyTorch.

    python benchmarks/latency.py [--rounds 7] [--calls 300]

A model of the air passengers and one of ETTh1 are fitted for a few steps, saved, and loaded in a fresh process, where
one series is forecast again and again: ``model.predict()`` from the model's own data, and ``model.predict(panel=new)``
with new data in it. The gate: the loaded model's forecast equals the saved one's.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import common
import tasks
from common import median

TARGET_MS, TARGET_IMPORT_S = 3.0, 0.5


def main() -> None:
    """Measure forecasts and imports, print them, and write the result."""
    parser = common.arguments(__doc__, rounds=7)
    parser.add_argument("--calls", type=int, default=300, help="forecasts of each kind")
    args = parser.parse_args()
    runs, rows = [], []
    with tempfile.TemporaryDirectory() as folder:
        for key in ("air", "ett"):
            run = one_forecast(key, Path(folder), args)
            runs.append(run)
            rows += run.result["rows"]
            print(f"{key}: the loaded model forecasts what the saved one did: {run.result['equal']}")
            if not run.result["equal"]:
                raise SystemExit("the loaded model's forecast differs: no times are reported")
    rows += imports(args)
    print(common.table(rows))
    common.write("latency", rows, args, versions=common.versions(runs))


def one_forecast(key: str, folder: Path, args: argparse.Namespace) -> common.Run:
    """Fit and save in one process, load and forecast in the next."""
    task, model = folder / f"{key}.npz", folder / f"{key}.gatecast"
    tasks.ALL[key]().save(task)
    python = [sys.executable, str(common.HERE / "peers" / "latency_worker.py")]
    common.run([*python, "save", str(task), str(model)], threads=args.threads)
    result = folder / f"{key}.json"
    command = [*python, "load", str(task), str(model), str(result), str(args.calls)]
    return common.run(command, threads=args.threads, result=result)


def imports(args: argparse.Namespace) -> list[dict[str, Any]]:
    """``import torch`` and gatecast's forecaster in turns, after one of each to warm the disk."""
    statements = ("import torch", "from gatecast import LSTMForecaster")  # `import gatecast` alone loads when used
    seconds: dict[str, list[common.Run]] = {statement: [] for statement in statements}
    for turn in range(args.rounds + 1):
        for name, runs in seconds.items():
            run = common.run([sys.executable, "-c", name], threads=args.threads)
            if turn:
                runs.append(run)
    rows = [
        {
            "what": name,
            "median ms": 1e3 * median(run.wall for run in runs),
            "fastest ms": 1e3 * min(run.wall for run in runs),
            "CPU ms": 1e3 * median(run.cpu for run in runs),
        }
        for name, runs in seconds.items()
    ]
    beyond = {name: rows[1][name] - rows[0][name] for name in ("median ms", "fastest ms", "CPU ms")}
    return [*rows, {"what": "gatecast beyond torch", **beyond, "target ms": 1e3 * TARGET_IMPORT_S}]


if __name__ == "__main__":
    main()
