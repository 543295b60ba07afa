"""Rain: a ConvLSTM fitted on two events and tested on the third, all three ways, beside its rivals.

    python benchmarks/rain.py [--seeds 3] [--steps 400]
    python benchmarks/rain.py --bundle      the forecasters and the crop that come with the package

Origins every 30 minutes, hits and misses pooled over origins (pixels that were not observed left out).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import common
import numpy as np
import pandas as pd
import torch
from tasks import data_folder

from gatecast.data.grid import Grid, read_grid
from gatecast.nowcast import ConvLSTMForecaster, Extrapolation, Persistence, Smoothed, backtest_nowcasts
from gatecast.nowcast.config import DEFAULT_FIT

EVENTS = {
    "Finland": "radar_finland_20160928/fmi_20160928_2km.npz",
    "Melbourne": "radar_melbourne_20180616/bom_melbourne_20180616_1km.npz",
    "Netherlands": "radar_netherlands_20100826/knmi_20100826_1km.npz",
}
LEADS, THRESHOLDS = (30.0, 60.0, 90.0), (0.5, 5.0)
PACKAGE = Path(__file__).resolve().parent.parent / "src" / "gatecast" / "nowcast"
CROP = slice(280, 536), slice(60, 316)  # of the Finnish fields: the south, all within range of a radar


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="networks a split")
    parser.add_argument("--steps", type=int, default=DEFAULT_FIT.steps, help="steps of a training")
    parser.add_argument("--bundle", action="store_true", help="write the files that come with the package")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    events = {name: read_grid(data_folder() / file) for name, file in EVENTS.items()}
    if args.bundle:
        bundle(events, args.steps)
        return
    found = pd.concat([test(events, name, args.seeds, args.steps) for name in events])
    keys = ["event", "threshold", "minutes", "model"]
    table = found.groupby(keys)["CSI"].mean().unstack()
    print(table.round(3).to_string())
    print(gains_of(table).round(3).to_string())
    scores = found.groupby(keys, sort=False)[["CSI", "FSS 20 km", "Brier", "CRPS"]].mean().round(4).reset_index()
    common.write("rain", scores.to_dict("records"), args, title="Rain: CSI on an event that was not learned from")


def fitted(events: list[Grid], seed: int, steps: int) -> ConvLSTMForecaster:
    return ConvLSTMForecaster(90, fit=replace(DEFAULT_FIT, steps=steps), seed=seed).fit(events)


def test(events: dict[str, Grid], name: str, seeds: int, steps: int) -> pd.DataFrame:
    """Scores of all models on one event, which the networks have not seen."""
    others = [grid for other, grid in events.items() if other != name]
    parts = []
    for seed in range(seeds):
        rivals = [Smoothed(), Extrapolation(), Persistence()] if seed == 0 else []
        tested = backtest_nowcasts([fitted(others, seed, steps), *rivals], events[name], thresholds=THRESHOLDS)
        table = tested.scores().query("minutes in @LEADS")
        parts.append(table.assign(event=name, seed=seed))
        shares = tested.reliability.query("model == 'ConvLSTM'").set_index("bin")
        shares = shares[shares["pixels"] >= 0.01 * shares["pixels"].sum()]
        off = (shares["observed"] / shares["pixels"] - shares["probability"] / shares["pixels"]).abs().max()
        print(f"{name}, seed {seed}: largest error of reliability {100 * off:.1f} points", flush=True)
    return pd.concat(parts)


def gains_of(table: pd.DataFrame) -> pd.DataFrame:
    """CSI over that of the better of persistence and extrapolation, chosen in hindsight; geometric mean of events."""
    better = table[["Persistence", "Extrapolation"]].max(axis=1)
    ratios = table[["ConvLSTM", "Smoothed"]].div(better, axis=0)
    means = np.exp(np.log(ratios.clip(lower=1e-3)).groupby(["threshold", "minutes"]).mean())
    return pd.concat([ratios, pd.concat({"geometric mean": means}, names=["event"])])


def bundle(events: dict[str, Grid], steps: int) -> None:
    """The forecasters of :mod:`gatecast.nowcast.bundled` and its crop."""
    for name, learned in (("rain", ("Finland", "Netherlands")), ("rain-netherlands", ("Netherlands",))):
        print(fitted([events[one] for one in learned], 0, steps).save(PACKAGE / "weights" / f"{name}.gatecast"))
    whole = np.load(data_folder() / EVENTS["Finland"])
    arrays = {key: whole[key] for key in whole.files}
    arrays["rain_mm_h"] = arrays["rain_mm_h"][(slice(None), *CROP)]
    (PACKAGE / "events").mkdir(exist_ok=True)
    np.savez_compressed(PACKAGE / "events" / "finland_20160928.npz", **arrays)


if __name__ == "__main__":
    main()
