"""Time until gatecast forecasts as accurately as a peer does after 500 steps, and which one ends more accurate.

    python benchmarks/time_to_accuracy.py --peers DIR [--tasks air m4 ett] [--rounds 3]

A round is a seed. In each round every library runs in a separate process, one after the other: the peers for their
500 steps (200 on ETTh1), gatecast with its default settings, then gatecast for 50, 100, 200 … steps until it is as
accurate as the best peer. Time runs from the start of the process (imports included) to the forecast; the accuracy is
computed afterwards, on values that no library has seen.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import common
import tasks
from common import Run, median

PEERS = {"neuralforecast LSTM": ("neuralforecast", "LSTM"), "darts BlockRNNModel": ("darts", "BlockRNNModel")}
PEERS |= {"darts RNNModel": ("darts", "RNNModel")}
OURS = "gatecast"


def main() -> None:
    """Run the rounds, print accuracy first, then times and ratios, and write the result."""
    parser = common.arguments(__doc__)
    parser.add_argument("--tasks", nargs="+", default=list(tasks.ALL), choices=list(tasks.ALL))
    parser.add_argument("--steps", type=int, default=500, help="steps of the peers")
    parser.add_argument("--ett-steps", type=int, default=200, help="steps of the peers on ETTh1")
    parser.add_argument("--budgets", type=int, nargs="+", default=[50, 100, 200, 400, 800], help="steps of gatecast")
    args = parser.parse_args()
    installed = common.present(["neuralforecast", "darts"], args.peers)
    peers = {name: where for name, where in PEERS.items() if where[0] in installed}
    rows, gates, runs = [], [], []
    for key in args.tasks:
        measured = measure(key, peers, args)
        task = tasks.ALL[key]()
        runs += [run for one in measured for run in one.values()]
        gates.append(gate(task, peers, measured))
        print(f"\n{task.name}: accuracy ({task.metric} on unseen values, median of {args.rounds} seeds)")
        print("\n".join(f"  {name}: {common.shown(value)}" for name, value in gates[-1].items() if name != "task"))
        rows += [row(task, peer, measured, args) for peer in peers]
        print("\n" + common.table([r for r in rows if r["task"] == task.name]))
    common.write("time_to_accuracy", rows, args, versions=common.versions(runs), gates=gates)


def measure(key: str, peers: dict[str, tuple[str, str]], args: Any) -> list[dict[str, Run]]:
    """One dictionary a round: runs by name; gatecast's budgets are named by their steps."""
    steps = args.ett_steps if key == "ett" else args.steps
    rounds: list[dict[str, Run]] = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "task.npz"
        tasks.ALL[key]().save(file)
        job = {"task": str(file), "what": "forecast"}
        for seed in range(1, args.rounds + 1):
            done: dict[str, Run] = {}
            for name, (library, model) in peers.items():
                made = {**job, "model": model, "steps": steps, "seed": seed}
                done[name] = common.worker(library, made, peers=args.peers, threads=args.threads)
                _tell(key, seed, name, done[name])
            best = min((accuracy(run) for run in done.values()), default=float("-inf"))
            for budget in [None, *args.budgets]:
                made = {**job, "model": "default", "steps": budget, "seed": seed}
                name = f"{OURS} {budget}" if budget else OURS
                done[name] = common.worker("gatecast", made, peers=args.peers, threads=args.threads)
                _tell(key, seed, name, done[name])
                if budget and accuracy(done[name]) <= best:
                    break
            rounds.append(done)
    return rounds


def gate(task: tasks.Task, peers: Any, measured: list[dict[str, Run]]) -> dict[str, Any]:
    """Accuracy of everybody with the yardstick."""
    found: dict[str, Any] = {"task": task.name, f"seasonal naive ({task.season})": task.score(task.naive())}
    for name in [*peers, OURS]:
        found[name] = median(accuracy(done[name]) for done in measured)
    return found


def row(task: tasks.Task, peer: str, measured: list[dict[str, Run]], args: Any) -> dict[str, Any]:
    """The peer beside gatecast: medians over the rounds; ratios are formed within a round."""
    reached = [first_as_accurate(done, accuracy(done[peer])) for done in measured]
    pairs = [(done[peer], done[name]) for done, name in zip(measured, reached, strict=True) if name]
    steps = [done[name].result["steps"] for done, name in zip(measured, reached, strict=True) if name]
    times = {
        f"{who} {kind} s": median(run.result[f"forecast_{kind}"] for run in ones)
        for who, ones in (("peer", [p for p, _ in pairs]), (OURS, [o for _, o in pairs]))
        for kind in ("wall", "cpu")
    }
    final = [done[OURS] for done in measured]
    return {
        "task": task.name,
        "peer": peer,
        f"peer {'accuracy'}": median(accuracy(done[peer]) for done in measured),
        "reached": f"{len(pairs)} of {len(measured)}",
        f"{OURS} steps": median(steps) if steps else None,
        **times,
        "wall ratio": median(p.result["forecast_wall"] / o.result["forecast_wall"] for p, o in pairs),
        "cpu ratio": median(p.result["forecast_cpu"] / o.result["forecast_cpu"] for p, o in pairs),
        f"{OURS} final": median(map(accuracy, final)),
        f"{OURS} final wall s": median(run.result["forecast_wall"] for run in final),
        "ends more accurate": median(map(accuracy, final)) < median(accuracy(done[peer]) for done in measured),
    }


def first_as_accurate(done: dict[str, Run], wanted: float) -> str | None:
    """Name of the cheapest gatecast run of a round that is as accurate as wanted."""
    ours = {name: run for name, run in done.items() if name.split()[0] == OURS and accuracy(run) <= wanted}
    return min(ours, key=lambda name: ours[name].result["forecast_cpu"], default=None)


def accuracy(run: Run) -> float:
    """What the worker measured on unseen values."""
    return float(run.result["accuracy"])


def _tell(task: str, seed: int, name: str, run: Run) -> None:
    figures = run.result
    print(
        f"{task} seed {seed} {name}: accuracy {figures['accuracy']:.4f}, forecast after "
        f"{figures['forecast_wall']:.1f} s ({figures['forecast_cpu']:.1f} CPU s), {run.rss_mb:.0f} MiB",
        flush=True,
    )


if __name__ == "__main__":
    main()
