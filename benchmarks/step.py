"""Where the time of one training step goes, for a tiny forecaster: what the loop adds to the arithmetic.

    python benchmarks/step.py [--rounds 7] [--steps 200]

One LSTM layer of 64 units and a linear map, batches of 32 windows of 96 rows, 24 rows ahead, AdamW: the loop of
``gatecast.training`` itself runs, with a clock around each of its parts, in turns with the same loop without clocks.
The clock counts CPU time of the process, which a busy machine changes less than time on the wall; medians of the steps.
*ratio* is the whole step over forward + backward + optimiser; the goal is 1.3 at most. The gate: with and without
clocks the weights are the same, to the bit.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import common
import numpy as np
import torch
from common import median

import gatecast
from gatecast import FitConfig, NetConfig, Panel
from gatecast.batches.scalers import SCALERS
from gatecast.batches.windows import InputScales, Windows, split_origins
from gatecast.models.config import Shapes
from gatecast.models.model import ForecastModel
from gatecast.nn.heads import HEADS
from gatecast.training import loop

CONTEXT, HORIZON, HIDDEN, BATCH, TARGET = 96, 24, 64, 32, 1.3
MATH = ("forward", "backward", "optimiser")
PARTS = ("gather", *MATH, "gradient norm and clip")


def main() -> None:
    """Measure, print, and write the result."""
    parser = common.arguments(__doc__, rounds=7)
    parser.add_argument("--steps", type=int, default=200, help="steps of each run")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    plain, _, _ = trained(args.steps, None)  # the first run also warms up
    whole: list[float] = []
    parts: dict[str, list[float]] = defaultdict(list)
    for _ in range(args.rounds):
        timed, _, clocks = trained(args.steps, PARTS)
        if not all(torch.equal(a, b) for a, b in zip(plain.parameters(), timed.parameters(), strict=True)):
            raise SystemExit("the clocks changed the weights: no times are reported")
        for name in PARTS:
            parts[name].append(1e6 * median(clocks[name]))
        _, times, _ = trained(args.steps, None)
        whole.append(1e6 * median(times))
    rows = table(whole, parts, args)
    print(common.table(rows))
    versions = {**common.versions(), "gatecast": gatecast.__version__, "torch": torch.__version__}
    gates = [{"what": "weights with and without clocks", "equal": True}]
    common.write("step", rows, args, versions=versions, gates=gates)


def table(whole: list[float], parts: dict[str, list[float]], args: argparse.Namespace) -> list[dict[str, Any]]:
    """A row a part, in the order of the step; medians over rounds of the median step."""
    middle = {name: median(values) for name, values in parts.items()}
    rest = [w - sum(parts[name][k] for name in PARTS) for k, w in enumerate(whole)]
    ratio = [w / sum(parts[name][k] for name in MATH) for k, w in enumerate(whole)]
    rows = [{"part": name, "CPU µs": middle[name], "share of the step": middle[name] / median(whole)} for name in PARTS]
    rows += [{"part": "rest of the loop", "CPU µs": median(rest), "share of the step": median(rest) / median(whole)}]
    rows += [{"part": "whole step", "CPU µs": median(whole), "share of the step": 1.0}]
    rows[-1] |= {"ratio": median(ratio), "least ratio": min(ratio), "largest ratio": max(ratio), "goal": TARGET}
    return rows


def trained(steps: int, clocked: Any) -> tuple[ForecastModel, list[float], dict[str, list[float]]]:
    """The model after a training, seconds of each step, and, if ``clocked``, of each part."""
    windows, training, held_back = data()
    torch.manual_seed(0)
    shapes = Shapes(CONTEXT, HORIZON, outputs=1)
    net = NetConfig(kind="direct", hidden_size=HIDDEN, num_layers=1, dropout=0.0, base="none", skip=False, linear=False)
    model = ForecastModel(shapes, net, SCALERS["standard"](), HEADS["point"]())
    config = FitConfig(batch_size=BATCH, evaluations=1, progress=False)
    stamps: list[float] = []
    clocks: dict[str, list[float]] = defaultdict(list)
    kept = {name: getattr(loop, name) for name in ("learning_rate", "optimizer_of", "engine_of", "clip_gradients")}

    def stamp(*given: Any) -> float:
        stamps.append(time.process_time())
        return float(kept["learning_rate"](*given))

    def clock(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            begun = time.process_time()
            result = work(*given, **named)
            clocks[name].append(time.process_time() - begun)
            return result

        return timed

    def optimizer_of(*given: Any) -> Any:
        optimizer = kept["optimizer_of"](*given)
        optimizer.step = clock("optimiser", optimizer.step)
        return optimizer

    def engine_of(*given: Any) -> Any:
        engine = kept["engine_of"](*given)
        engine.backward = clock("backward", engine.backward)
        return engine

    loop.learning_rate = stamp
    if clocked:
        loop.optimizer_of, loop.engine_of, loop.clip_gradients = (
            optimizer_of,
            engine_of,
            clock(PARTS[-1], kept["clip_gradients"]),
        )
        model.forward = clock("forward", model.forward)  # type: ignore[method-assign]
        windows.gather = clock("gather", windows.gather)  # type: ignore[method-assign]
    try:
        loop.train(model, windows, training, held_back, config, steps=steps, seed=1)
    finally:
        for name, original in kept.items():
            setattr(loop, name, original)
    return model, list(np.diff(stamps)), clocks


def data() -> tuple[Windows, Any, Any]:
    """Four noisy daily waves of 2,000 hours; nothing held back."""
    draws = np.random.default_rng(0).normal(0, 0.1, (4, 2000))
    panel = Panel.from_arrays(list((np.sin(np.arange(2000) * 2 * np.pi / 24) + draws).astype(np.float32)))
    windows = Windows(panel, CONTEXT, HORIZON, scales=InputScales.fit(panel))
    return windows, *split_origins(panel, CONTEXT, HORIZON, held_back=0)


if __name__ == "__main__":
    main()
