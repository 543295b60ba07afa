"""The LSTM layer beside those of other libraries: Keras, Flax and JAX, ONNX Runtime, PyTorch.

    python benchmarks/layers_rivals.py --peers DIR [--rounds 5] [--most-threads 1] [--shapes 8]

Each library has a process and an environment of its own, which stays open, and they take turns: in every round each
runs the same case for a moment, on the same core or cores. Ratios are formed within a round; medians over rounds are
shown. Gate first: with the same weights, each gives the outputs, and in training the gradients of x and of the first
recurrent matrix, of gatecast's reference in float64, to 1e-4 (the norm of the difference over the norm); a forecaster
the same losses for three steps. Each library runs as its users run it: Keras on PyTorch eagerly, Keras on JAX and Flax
compiled, the batch first where that is its habit. With one thread CPU time counts, with two the clock on the wall.
*Options*: what Keras has for the same, and a loop over PyTorch's cell; with recurrent dropout the gate sees the run
without it, since each library draws its own masks. *Training step*: LSTM, the last output, a linear map, squared error,
Adam.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import common
import numpy as np

sys.path.insert(1, str(common.HERE / "peers"))

from rival import EPSILON, LEARNING_RATE, NORM_GAIN

SHAPES = [
    (32, 96, 1, 64, 1), (32, 96, 7, 128, 2), (256, 48, 8, 128, 1), (1, 512, 8, 64, 1),
    (64, 336, 7, 256, 2), (512, 168, 1, 128, 2), (32, 512, 512, 512, 1), (128, 24, 16, 32, 1),
]  # fmt: skip
OPTIONS = {"lengths": "lengths of a quarter to all steps", "recurrent_dropout": "recurrent dropout 0.2",
           "layer_norm": "layer normalisation"}  # fmt: skip
MIDDLE = (64, 96, 8, 128, 1)  # of the options
SMALL = (32, 96, 1, 64, 1)  # of the training step
TASKS = {"inference": "inference", "training": "forward + backward", "step": "training step"}
TOLERANCE = 1e-4
BLOCK = 0.15  # seconds of one rival before the next has its turn


class Worker:
    """A rival's process, open for as long as its context."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.rivals, self.versions = self._answer()["rivals"], self._last["versions"]

    def ask(self, **job: Any) -> dict[str, Any]:
        """Send a job and wait for the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"a rival ended with {self.process.wait()}: {self.process.args}")
        self._last: dict[str, Any] = json.loads(line)
        return self._last


@contextmanager
def started(python: str, script: str, threads: int, *words: str, **env: str) -> Iterator[Worker]:
    """A process on as many cores as it may have threads."""
    limits = {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "MKL", "OPENBLAS", "NUMBA")}
    if threads == 1:
        env |= {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"}
    cores = sorted(os.sched_getaffinity(0))[:threads]
    process = subprocess.Popen(
        [python, str(common.HERE / "peers" / script), *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **limits, **env},
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )  # fmt: skip
    try:
        yield Worker(process)
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Measure every case, print the tables, write the result and the plot."""
    parser = common.arguments(__doc__, rounds=5)
    parser.add_argument("--most-threads", type=int, default=2, help="1: leave out the settings with two threads")
    parser.add_argument("--shapes", type=int, default=len(SHAPES), help="number of shapes, at most eight")
    args = parser.parse_args()
    rows, versions, worst = [], common.versions(), 0.0
    for threads in range(1, 1 + args.most_threads):
        with ExitStack() as stack:
            workers = [stack.enter_context(worker) for worker in workers_of(args.peers, threads)]
            for worker in workers:
                versions |= worker.versions
            for found, error in measured(workers, threads, args):
                rows += found
                worst = max(worst, error)
    print(common.table(rows))
    gates = [{"gate": "outputs, gradients and losses of every rival", "relative error": f"≤ {worst:.1e}"}]
    path = common.write("layers_rivals", rows, args, title="The LSTM layer beside other libraries", versions=versions,
                        gates=gates, plot="img/layers-rivals.png")  # fmt: skip
    if args.out == common.RESULTS:
        subprocess.run([sys.executable, str(common.HERE / "plot_layers.py"), str(path)], check=True)


def workers_of(peers: Path | None, threads: int) -> list[Any]:
    """A context for each process; says which libraries are not installed."""
    found: list[Any] = [started(sys.executable, "rival_torch.py", threads, name) for name in ("gatecast", "torch")]
    others = {"keras": [("rival_keras.py", {"KERAS_BACKEND": "torch"}), ("rival_onnx.py", {})],
              "jax": [("rival_keras.py", {"KERAS_BACKEND": "jax"}), ("rival_jax.py", {})]}  # fmt: skip
    for library in common.present(others, peers):
        python = common.python_of(library, peers)
        assert python is not None
        found += [started(python, script, threads, **env) for script, env in others[library]]
    return found


def measured(
    workers: list[Worker], threads: int, args: argparse.Namespace
) -> Iterator[tuple[list[dict[str, Any]], float]]:
    """Rows of each part, and the largest error of its gate."""
    heading = f"{threads} thread{'s' * (threads > 1)}"
    for task in ("inference", "training"):
        rows, error = [], 0.0
        for shape in SHAPES[: args.shapes]:
            row, one = beside(workers, task, "", shape, threads, args.rounds)
            rows.append({"task": f"{heading}: {TASKS[task]}", "B, T, I, H, layers": ", ".join(map(str, shape))} | row)
            error = max(error, one)
        names = dict.fromkeys(name for row in rows for name in row if name.endswith("× ours"))
        means = {name: geometric_mean([row[name] for row in rows if name in row]) for name in names}
        yield [*rows, {"task": rows[0]["task"], "B, T, I, H, layers": "geometric mean"} | means], error
    if threads == 1:
        for option, words in OPTIONS.items():
            row, error = beside(workers, "training", option, MIDDLE, threads, args.rounds)
            yield [{"task": f"{heading}: options, {TASKS['training']} of {MIDDLE}", "what": words} | row], error
    row, error = beside(workers, "step", "", SMALL, threads, args.rounds)
    yield [{"task": f"{heading}: training step of a small forecaster, {SMALL}", "what": "Adam"} | row], error


def beside(
    workers: list[Worker], task: str, option: str, shape: tuple[int, ...], threads: int, rounds: int
) -> tuple[dict[str, Any], float]:
    """One case: every rival that offers it passes the gate, then they take turns."""
    sizes = dict(zip(("batch", "time", "input", "hidden", "layers"), shape, strict=True))
    seconds: dict[str, list[float]] = {}
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "given.npz", Path(folder) / "found.npz"
        exact = write_case(given, task, option, sizes)
        order = [(worker, name) for worker in workers for name in worker.rivals]
        calls: dict[str, int] = {}

        def build(worker: Worker, name: str) -> dict[str, Any]:
            return worker.ask(
                do="build", rival=name, task=task, option=option, given=str(given), found=str(found), **sizes
            )

        for worker, name in order:
            answer = build(worker, name)
            if "left_out" not in answer:
                worst = max(worst, gate(name, task, option, shape, exact, found))
                calls[name] = max(1, round(BLOCK / answer["seconds"]))
        many = {id(worker) for worker in workers if sum(name in calls for name in worker.rivals) > 1}
        for _ in range(rounds):
            for worker, name in order:
                if name in calls:
                    if id(worker) in many:  # it holds one call at a time
                        build(worker, name)
                    took = worker.ask(do="time", calls=calls[name])
                    seconds.setdefault(name, []).append(took["cpu" if threads == 1 else "wall"])
    row = {"ms": statistics.median(seconds["gatecast"]) * 1e3}
    for name, own in seconds.items():
        if name != "gatecast":
            row[f"{name} × ours"] = statistics.median(a / b for a, b in zip(own, seconds["gatecast"], strict=True))
    print(task, option, shape, {name: round(value, 2) for name, value in row.items()}, flush=True)
    return row, worst


def write_case(path: Path, task: str, option: str, sizes: dict[str, int]) -> dict[str, np.ndarray]:
    """Draw a case, write it for the rivals, and give what is exact."""
    draw = np.random.default_rng(0)
    batch, time, features, hidden = (sizes[name] for name in ("batch", "time", "input", "hidden"))
    x = draw.standard_normal((batch, time, features))
    case = {"x": x, "grad": draw.standard_normal((batch, time, hidden)),
            "target": draw.standard_normal((batch, 1)), "head_w": draw.uniform(-0.1, 0.1, (1, hidden)),
            "head_b": np.zeros(1)}  # fmt: skip
    for layer in range(sizes["layers"]):
        columns = {"weight_ih": (features if layer == 0 else hidden,), "weight_hh": (hidden,), "bias_ih": ()}
        for name, shape in columns.items():
            case[f"{name}_l{layer}"] = draw.uniform(-(hidden**-0.5), hidden**-0.5, (4 * hidden, *shape))
    case = {name: array.astype(np.float32) for name, array in case.items()}
    case["lengths"] = draw.integers(time // 4, time + 1, batch)
    if option == "lengths":  # Keras repeats an output at masked steps, where the gradient would reach the last one
        case["grad"] *= (np.arange(time) < case["lengths"][:, None])[..., None]
    layer = reference(case, option, sizes)
    if task == "inference":
        from gatecast.convert import from_layer, to_onnx

        plain = from_layer(layer.float()).with_options(layer_norm=False)
        model = to_onnx(plain, lengths=option == "lengths").SerializeToString()
        case["onnx"] = np.frombuffer(model, np.uint8)
        layer.double()
    np.savez(path, **case)  # type: ignore[arg-type]
    return exact_results(layer, case, task, option)


def reference(case: dict[str, np.ndarray], option: str, sizes: dict[str, int]) -> Any:
    """The layer in float64, which runs the reference."""
    import torch

    from gatecast.nn import LSTM

    layer = LSTM(*(sizes[name] for name in ("input", "hidden", "layers")), layer_norm=option == "layer_norm").double()
    own = {name: torch.from_numpy(array).double() for name, array in case.items() if "_l" in name}
    zeros = {name.replace("_ih", "_hh"): torch.zeros_like(value) for name, value in own.items() if "bias" in name}
    layer.load_state_dict(layer.state_dict() | own | zeros)
    if option == "layer_norm":
        for name in ("norm_ih_l0", "norm_hh_l0"):
            getattr(layer, name).data.fill_(NORM_GAIN)
    return layer


def exact_results(layer: Any, case: dict[str, np.ndarray], task: str, option: str) -> dict[str, np.ndarray]:
    """What a rival must give."""
    import torch

    x = torch.from_numpy(case["x"]).double().transpose(0, 1).requires_grad_()
    lengths = torch.from_numpy(case["lengths"]) if option == "lengths" else None
    if task != "step":
        y = layer(x, lengths=lengths)[0]
        found = {"y": y.detach().transpose(0, 1).numpy()}
        if task == "training":
            y.backward(torch.from_numpy(case["grad"]).double().transpose(0, 1))
            assert x.grad is not None
            found |= {"grad_x": x.grad.transpose(0, 1).numpy(), "grad_w_hh": layer.weight_hh_l0.grad.numpy()}
        return found
    head = [torch.from_numpy(case[name]).double().requires_grad_() for name in ("head_w", "head_b")]
    learned = [parameter for name, parameter in layer.named_parameters() if "bias_hh" not in name]
    adam, losses = torch.optim.Adam([*learned, *head], LEARNING_RATE, eps=EPSILON), []
    for _ in range(3):
        adam.zero_grad()
        y = layer(x)[0][-1] @ head[0].T + head[1]
        loss = (y - torch.from_numpy(case["target"])).square().mean()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    return {"losses": np.array(losses)}


def gate(name: str, task: str, option: str, shape: tuple[int, ...], exact: dict[str, np.ndarray], found: Path) -> float:
    """The largest relative error; no time is taken where a result is wrong."""
    worst = 0.0
    with np.load(found) as file:
        for key, value in exact.items():
            got = file[key].astype(np.float64)
            if option == "lengths" and key == "y":  # outputs at masked steps are each library's own business
                got = np.where(value == 0, 0.0, got)
            worst = max(worst, float(np.linalg.norm(got - value) / np.linalg.norm(value)))
    if not worst < TOLERANCE:
        raise SystemExit(f"{name}, {task} {option} of {shape}: relative error {worst:.1e}; no times are reported")
    return worst


def geometric_mean(values: list[float]) -> float:
    """The mean of ratios."""
    return math.exp(statistics.mean(map(math.log, values)))


if __name__ == "__main__":
    main()
