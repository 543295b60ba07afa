"""Memory of a large panel: 100,000 series × 1,000 steps in float32 (400 MB), read, trained on and forecast.

    python benchmarks/scale.py [--series 100000] [--steps 200]

Measures the peak resident memory of this process above what importing takes, over the size of the panel; the goal is
less than 2. The array itself counts. The gate: the training loss falls, and the forecasts are finite and better than
the naive forecast on values that were held back.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from typing import Any

import common
import numpy as np

LIMIT = 2.0


def main() -> None:
    """Make the array, read, fit, predict; print memory after each; write the result."""
    parser = common.arguments(__doc__)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--length", type=int, default=1_000)
    parser.add_argument("--steps", type=int, default=200, help="training steps")
    parser.add_argument("--horizon", type=int, default=24)
    parser.add_argument("--forecast", type=int, default=2_000, help="series to forecast")
    args = parser.parse_args()
    import torch

    torch.set_num_threads(args.threads)
    rows, gate = measure(args)
    print(f"gate: {gate}")
    print(common.table(rows))
    common.write("scale", rows, args, versions=_versions(), gates=[gate])
    if not gate["passed"]:
        raise SystemExit("the gate was not passed: the memory above counts for nothing")


def measure(args: argparse.Namespace) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows of memory and time after each stage, and the gate."""
    import pandas  # noqa: F401  read_panel's own import

    import gatecast
    import gatecast.data
    import gatecast.forecasters

    rows: list[dict[str, Any]] = []
    size = args.series * args.length * 4 / 2**20
    clock = [time.perf_counter(), peak()]

    def stage(name: str) -> None:
        now = time.perf_counter()
        above = peak() - clock[1]
        rows.append({"after": name, "seconds": now - clock[0], "peak MiB above import": above, "× panel": above / size})
        clock[0] = now

    values = walks(args.series, args.length)
    stage(f"making the array ({size:.0f} MiB)")
    panel = gatecast.read_panel(values, freq="h")
    del values
    stage("read_panel")
    fit = gatecast.FitConfig(steps=args.steps, progress=False)
    model = gatecast.LSTMForecaster(args.horizon, context=96, fit=fit).fit(panel.cut(args.horizon))
    stage(f"fit, {args.steps} steps")
    part = panel.take(np.arange(args.forecast))
    made = model.predict(panel=part.cut(args.horizon)).mean[..., 0]
    stage(f"predict, {args.forecast} series")
    return rows, gate_of(part, made, model, args, rows[-1]["× panel"])


def walks(series: int, length: int) -> np.ndarray:
    """``(series, length)``: a daily wave of random size and phase plus noise, made series by series in place."""
    rng = np.random.default_rng(1)
    values = np.empty((series, length), np.float32)
    hours = np.arange(length, dtype=np.float32) * np.float32(2 * np.pi / 24)
    for row in values:
        height, phase = rng.uniform(1, 5), rng.uniform(0, 2 * np.pi)
        row[:] = 20 + height * np.sin(hours + np.float32(phase))
        row += rng.standard_normal(length, dtype=np.float32) * 0.5
    return values


def gate_of(part: Any, made: np.ndarray, model: Any, args: argparse.Namespace, times: float) -> dict[str, Any]:
    """Did it learn?"""
    actual = part.cut(args.horizon).actual(args.horizon)[..., 0]
    last = np.stack([part.series(i)[-args.horizon - 1, 0] for i in range(len(part))])[:, None]
    error, naive = float(np.abs(made - actual).mean()), float(np.abs(last - actual).mean())
    return {
        "MAE": round(error, 4),
        "naive MAE": round(naive, 4),
        "steps": model.history_[-1]["step"],
        "× panel": round(times, 3),
        "below 2": times < LIMIT,
        "passed": bool(np.isfinite(made).all() and error < naive),
    }


def peak() -> float:
    """Largest resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _versions() -> dict[str, str]:
    import torch

    import gatecast

    return {**common.versions(), "torch": torch.__version__, "gatecast": gatecast.__version__, "numpy": np.__version__}


if __name__ == "__main__":
    main()
