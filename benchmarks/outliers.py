"""What a loss makes of outliers: the same network on a wave, clean and with spikes in the past.

    python benchmarks/outliers.py

The series is a season of 24 rows with noise of standard deviation 1, 480 rows long. In the second half of the table one
row in twenty of the past is raised by 15 (a meter that sometimes reads too high). Everything else is the default: only
`LSTMForecaster(loss=…)` changes. Each forecast is compared with the wave itself, without noise or spikes, over 96 rows
from four origins; *bias* is the mean error. Median and range over the seeds, of series and network alike.
"""

from __future__ import annotations

from typing import Any

import common
import numpy as np
import torch

import gatecast
from gatecast import FitConfig, LSTMForecaster, NetConfig, Panel

ROWS, SEASON, HORIZON, ORIGINS = 480, 24, 24, 4
LOSSES = ("mse", "mae", "huber", "log_cosh", "quantile(probability=0.5)")
NET, FIT = NetConfig(hidden_size=32), FitConfig(steps=200, progress=False)


def series(seed: int, *, spikes: bool) -> tuple[np.ndarray, np.ndarray]:
    """What is measured, and the wave behind it."""
    random, steps = np.random.default_rng(seed), np.arange(ROWS)
    wave = 50 + 8 * np.sin(2 * np.pi * steps / SEASON) + 3 * np.sin(4 * np.pi * steps / SEASON + seed)
    noise, hit = random.normal(size=ROWS), random.random(ROWS) < 0.05
    return wave + noise + 15 * (hit & spikes), wave


def errors(loss: str, seed: int, *, spikes: bool) -> np.ndarray:
    """Forecast less wave, of all origins."""
    values, wave = series(seed, spikes=spikes)
    panel = Panel.from_arrays([values.astype(np.float32)], freq="h")
    model = LSTMForecaster(HORIZON, season=SEASON, loss=loss, net=NET, fit=FIT, seed=seed)
    model.fit(panel.cut(ORIGINS * HORIZON))
    found = []
    for k in range(ORIGINS, 0, -1):
        origin = ROWS - k * HORIZON
        forecast = model.predict(panel=panel.cut(k * HORIZON)).mean[0, :, 0]
        found.append(forecast - wave[origin : origin + HORIZON])
    return np.concatenate(found)


def main() -> None:
    """Every loss with every seed."""
    parser = common.arguments(__doc__, threads=1)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rows: list[dict[str, Any]] = []
    for task, spikes in (("clean past", False), ("one row in twenty raised by 15", True)):
        for loss in LOSSES:
            found = [errors(loss, seed, spikes=spikes) for seed in range(1, args.seeds + 1)]
            rows.append(
                {
                    "task": task,
                    "loss": loss,
                    "MAE": common.spread([float(np.abs(one).mean()) for one in found], ".2f"),
                    "RMSE": common.spread([float((one**2).mean() ** 0.5) for one in found], ".2f"),
                    "bias": common.spread([float(one.mean()) for one in found], ".2f"),
                }
            )
            print(rows[-1], flush=True)
    versions = common.versions() | {"gatecast": gatecast.__version__, "torch": torch.__version__}
    common.write("outliers", rows, args, versions=versions, title="Losses and outliers")


if __name__ == "__main__":
    main()
