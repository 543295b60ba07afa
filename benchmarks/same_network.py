"""The same network in three libraries: cost of a training step, memory, and time of a forecast.

    python benchmarks/same_network.py --peers DIR [--tasks air m4 ett] [--rounds 3]

Two LSTM layers of 128 over every value of the context, the same context, horizon, batch of 32 windows, MAE loss and
number of steps; windows scaled as each library does. The cost of a step is (time of a fit of N steps − time of a fit
of one step) / (N − 1). The libraries take turns; every run is a separate process.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import common
import tasks
from common import Run, median

MODELS = {"gatecast": "same", "neuralforecast": "LSTM", "darts": "BlockRNNModel"}
STEPS = {"air": 200, "m4": 60, "ett": 30}


def main() -> None:
    """Run the rounds, print the gate, then costs and ratios, and write the result."""
    parser = common.arguments(__doc__)
    parser.add_argument("--tasks", nargs="+", default=list(tasks.ALL), choices=list(tasks.ALL))
    parser.add_argument("--steps", type=int, help="steps of the long fit; default 200, 60, 30 by task")
    args = parser.parse_args()
    libraries = common.present(MODELS, args.peers)
    rows, gates, runs = [], [], []
    for key in args.tasks:
        task = tasks.ALL[key]()
        measured = measure(key, libraries, args)
        runs += [run for done in measured.values() for run in done]
        gates.append(gate(task, measured))
        print(f"\n{task.name}: gate\n{common.table(gates[-1])}")
        rows += [row(task, name, measured) for name in libraries]
        print("\n" + common.table(rows[-len(libraries) :]))
    common.write("same_network", rows, args, versions=common.versions(runs), gates=[g for gate in gates for g in gate])
    if not all(g["passed"] for gate in gates for g in gate if g["library"] == "gatecast"):
        raise SystemExit("gatecast did not pass the gate: its times above count for nothing")


def measure(key: str, libraries: list[str], args: Any) -> dict[str, list[Run]]:
    """Runs of each library, in turns."""
    measured: dict[str, list[Run]] = {name: [] for name in libraries}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "task.npz"
        tasks.ALL[key]().save(file)
        for turn in range(args.rounds):
            for name in libraries:
                job = {"task": str(file), "what": "step", "model": MODELS[name], "seed": turn + 1}
                job |= {"steps": args.steps or STEPS[key]}
                run = common.worker(name, job, peers=args.peers, threads=args.threads)
                measured[name].append(run)
                print(f"{key} round {turn + 1} {name}: {run.result['step_ms']:.1f} ms a step", flush=True)
    return measured


def gate(task: tasks.Task, measured: dict[str, list[Run]]) -> list[dict[str, Any]]:
    """Same work? Trained parameters within a factor of 1.5 of the largest peer's, and a forecast as good as theirs."""
    accuracy = {name: median(run.result["accuracy"] for run in runs) for name, runs in measured.items()}
    size = {name: runs[0].result["parameters"] for name, runs in measured.items()}
    worst = max((accuracy[name] for name in measured if name != "gatecast"), default=float("inf"))
    least = max((size[name] for name in measured if name != "gatecast"), default=0) / 1.5
    return [
        {
            "task": task.name,
            "library": name,
            "parameters": size[name],
            f"accuracy ({task.metric})": accuracy[name],
            "passed": accuracy[name] <= 1.1 * worst and size[name] >= least,
        }
        for name in measured
    ]


def row(task: tasks.Task, name: str, measured: dict[str, list[Run]]) -> dict[str, Any]:
    """Medians of one library, and how many times gatecast's each is (formed within a round)."""
    mine, ours = measured[name], measured["gatecast"]

    def ratio(figure: str) -> float:
        return median(m.result[figure] / o.result[figure] for m, o in zip(mine, ours, strict=True))

    return {
        "task": task.name,
        "library": name,
        "step ms": median(run.result["step_ms"] for run in mine),
        "step CPU ms": median(run.result["step_cpu_ms"] for run in mine),
        "range CPU ms": common.spread([run.result["step_cpu_ms"] for run in mine]),
        "peak MiB": median(run.rss_mb for run in mine),
        "predict ms": 1e3 * median(run.result["predict_s"] for run in mine),
        "step × ours": ratio("step_ms"),
        "step CPU × ours": ratio("step_cpu_ms"),
        "memory × ours": median(m.rss_mb / o.rss_mb for m, o in zip(mine, ours, strict=True)),
        "predict × ours": ratio("predict_s"),
    }


if __name__ == "__main__":
    main()
