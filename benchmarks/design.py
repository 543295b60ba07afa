"""Choice of the defaults: one setting changed at a time, over development data sets.

    python benchmarks/design.py [--sets air tetouan …] [--variants default direct …] [--seeds 1]

Each data set is forecast from rolling origins over its last part, after one fit before the first of them; M4 hourly
stands here without the part that the competition tests on, ETTh1 without its test months. A row is a variant: its MASE
on each set, and the geometric mean of MASE over the default's (above 1: worse than the default). The default's cover of
its intervals and the scores of simple models are in rows of their own.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import common
import numpy as np
import tasks

from gatecast import (
    FitConfig,
    LinearAR,
    LSTMForecaster,
    NetConfig,
    Panel,
    SeasonalNaive,
    backtest,
    datasets,
    read_panel,
)
from gatecast.data.frequency import Frequency
from gatecast.forecasters.backtest import Backtest

FIT = FitConfig(steps=300, progress=False)
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "kind direct": {"net": NetConfig(kind="direct")},
    "kind seq2seq": {"net": NetConfig(kind="seq2seq")},
    "kind recursive": {"net": NetConfig(kind="recursive")},
    "base last": {"net": NetConfig(base="last")},
    "base season": {"net": NetConfig(base="season")},
    "base none": {"net": NetConfig(base="none")},
    "without linear": {"net": NetConfig(linear=False)},
    "with skip": {"net": NetConfig(skip=True)},
    "2 layers": {"net": NetConfig(num_layers=2)},
    "hidden 64": {"net": NetConfig(hidden_size=64)},
    "bidirectional": {"net": NetConfig(bidirectional=True)},
    "scaler last": {"scaler": "last"},
    "scaler robust": {"scaler": "robust"},
    "scaler mean_abs": {"scaler": "mean_abs"},
    "without calendar": {"calendar": False},
    "without refit": {"fit": replace(FIT, refit=False)},
    "3 members": {"members": 3},
}


# ── data sets: panel, horizon, origins, rows between them ─────────────────────────────────────────────────────────
Set = tuple[Panel, int, int, int]


def air() -> Set:
    """Air passengers: months."""
    return datasets.load("air_passengers"), 12, 4, 6


def sunspots() -> Set:
    """Sunspots: months."""
    return read_panel(tasks.data_folder() / "classics" / "monthly-sunspots.csv"), 12, 40, 12


def temperature() -> Set:
    """Daily minimum temperatures in Melbourne."""
    return read_panel(tasks.data_folder() / "classics" / "daily-min-temperatures.csv"), 14, 40, 14


def germany() -> Set:
    """Daily power consumption of Germany."""
    file = tasks.data_folder() / "power_germany_daily" / "opsd_germany_daily.csv.gz"
    return read_panel(file, target="Consumption"), 14, 40, 14


def covid() -> Set:
    """Daily cases in the states of India."""
    return datasets.load("covid_india_states"), 14, 6, 14


def tetouan() -> Set:
    """Hourly power consumption of three zones of Tetouan."""
    with gzip.open(tasks.data_folder() / "electricity_tetouan" / "tetouan_power.csv.gz", "rt") as file:
        rows = np.array([[float(cell) for cell in row[-3:]] for row in list(csv.reader(file))[1:]])
    hourly = rows.reshape(-1, 6, 3).mean(1).astype(np.float32)
    start = np.array([np.datetime64("2017-01-01", "ns")] * 3)
    return Panel.from_arrays(list(hourly.T), freq="h", starts=start), 24, 60, 24


def beijing() -> Set:
    """Hourly fine dust in Beijing, with runs of missing hours."""
    file = tasks.data_folder() / "air_beijing" / "Dingling.csv.gz"
    return read_panel(file, target="PM2.5"), 24, 60, 48


def m4() -> Set:
    """Every sixth series of M4 hourly, without the official test."""
    task = tasks.m4_hourly()
    some = range(0, len(task.ids), 6)
    return Panel.from_arrays([task.train[k] for k in some], freq=Frequency("", seasons=(24, 168))), 48, 2, 24


def etth1() -> Set:
    """Seven channels of ETTh1 over its training and validation months."""
    task = tasks.etth1()
    start = np.array([np.datetime64("2016-07-01", "ns")] * 7)
    return Panel.from_arrays(task.train, freq="h", starts=start), 96, 28, 96


SETS: dict[str, Callable[[], Set]] = {
    "air": air,
    "sunspots": sunspots,
    "temperature": temperature,
    "germany": germany,
    "covid": covid,
    "tetouan": tetouan,
    "beijing": beijing,
    "m4": m4,
    "etth1": etth1,
}


def main() -> None:
    """Run every variant on every set; write after each set, so that a stopped run leaves what it has."""
    parser = common.arguments(__doc__, threads=1)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--name", default="design", help="of the result file")
    args = parser.parse_args()
    import torch

    torch.set_num_threads(args.threads)
    scores: dict[str, dict[str, float]] = {name: {} for name in ("default", *args.variants)}
    simple: dict[str, dict[str, float]] = {"SeasonalNaive": {}, "LinearAR": {}}
    cover: list[dict[str, Any]] = []
    for key in args.sets:
        panel, horizon, windows, step = SETS[key]()
        for name in scores:
            tested = [run(name, seed, panel, horizon, windows, step) for seed in range(1, args.seeds + 1)]
            scores[name][key] = float(np.mean([mase(one) for one in tested]))
            if name == "default":
                cover.append(covered(key, tested))
                print(cover[-1], flush=True)
            print(f"{key:12} {name:18} MASE {scores[name][key]:.4f}", flush=True)
        rivals = backtest([SeasonalNaive(), LinearAR(horizon)], panel, horizon, windows=windows, step=step)
        for name, row in simple.items():
            row[key] = float(rivals.scores(metrics=["MASE"]).loc[name, "MASE"])
        save(scores, simple, cover, args)


def run(variant: str, seed: int, panel: Panel, horizon: int, windows: int, step: int) -> Backtest:
    """One rolling-origin test of one variant."""
    model = LSTMForecaster(horizon, **{"fit": FIT, "seed": seed, **VARIANTS[variant]})
    return backtest([model], panel, horizon, windows=windows, step=step, levels=(80, 95), progress=False)


def mase(tested: Backtest) -> float:
    """Its mean absolute scaled error."""
    return float(tested.scores(metrics=["MASE"]).loc["LSTM", "MASE"])


def covered(key: str, tested: list[Backtest]) -> dict[str, Any]:
    """Cover of the intervals, mean over the seeds."""
    names = ["coverage-80", "coverage-95"]
    share = [one.scores(metrics=names).loc["LSTM", names].to_numpy(float) for one in tested]
    inside = np.mean(share, axis=0)
    values = len(tested[0].frame)
    return {"task": "cover of the intervals", "set": key, "values": values, "in 80 %": inside[0], "in 95 %": inside[1]}


def save(scores: dict[str, Any], simple: dict[str, Any], cover: list[dict[str, Any]], args: Any) -> None:
    """Write all rows so far."""
    whole = scores["default"]
    rows = []
    for name, row in {**scores, **simple}.items():
        ratio = {key: row[key] / whole[key] for key in whole if key in row}
        mean = float(np.exp(np.mean(np.log(list(ratio.values())))))
        rows.append({"task": "MASE by variant", "variant": name, "over default": mean, **row})
    title = "Choice of the defaults" if len(scores) > 1 else "Cover of the intervals on further data"
    common.write(args.name, [*rows, *cover], args, versions=common.versions(), title=title)


if __name__ == "__main__":
    main()
