"""Zero-shot: the pre-trained LSTM on real series it has never seen, beside seasonal naive and statistical models.

    python benchmarks/zeroshot.py [--windows 10] [--no-statistics]

MASE and WQL (nine deciles) relative to seasonal naive, on the same windows; the season found by itself too.
Models that are fitted to all series at once are left out: windows of one series overlap, and they would see what comes.
Nothing is trained or chosen on these sets here; the design of the network was decided on them in a prototype.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import common
import numpy as np
import pandas as pd
import torch
from tasks import data_folder

from gatecast import AutoETS, AutoTheta, Forecaster, Panel, SeasonalNaive, ZeroShotLSTM

LEVELS = (20, 40, 60, 80, 95)
HISTORY = 1024  # values that a model is given


@dataclass(frozen=True)
class Set:
    """Windows of one set: contexts, what followed, and the seasons given."""

    name: str
    contexts: list[np.ndarray]
    futures: list[np.ndarray]
    seasons: tuple[int, ...]


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--windows", type=int, default=10, help="most windows of a set")
    parser.add_argument("--no-statistics", action="store_true", help="leave AutoETS and AutoTheta out")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rows = [row for one in real_sets(args.windows) for row in scores(one, statistics=not args.no_statistics)]
    table = pd.DataFrame(rows)
    for metric in ("MASE", "WQL", "in 80 %", "in 95 %"):
        wide = table.pivot(index="set", columns="model", values=metric)
        if metric in ("MASE", "WQL"):
            wide = wide.div(wide["SeasonalNaive"], axis=0)
            wide.loc["geometric mean"] = np.exp(np.log(wide).mean())
        print(f"\n{metric}\n{wide.round(3).to_string()}")


def scores(one: Set, *, statistics: bool) -> Iterator[dict[str, object]]:
    """A row for every model."""
    horizon, season = len(one.futures[0]), one.seasons[0]
    panel = Panel.from_arrays([context[-HISTORY:] for context in one.contexts])
    truth = np.stack(one.futures)
    scale = np.array([np.nanmean(np.abs(context[season:] - context[:-season])) for context in one.contexts])
    models: list[Forecaster] = [
        SeasonalNaive(season),
        ZeroShotLSTM(horizon, season=one.seasons),
        ZeroShotLSTM(horizon, name="ZeroShotLSTM, season found"),
    ]
    models += [AutoETS(season), AutoTheta(season)] if statistics else []
    for model in models:
        begun = time.process_time()
        forecast = model.fit(panel).predict(horizon, levels=LEVELS)
        seconds = time.process_time() - begun
        error = np.abs(truth - forecast.quantile(0.5)[..., 0])
        deciles = np.arange(1, 10) / 10
        losses = [np.maximum(q * e, (q - 1) * e) for q in deciles for e in [truth - forecast.quantile(q)[..., 0]]]
        inside = {level: _inside(truth, *forecast.interval(level)) for level in (80, 95)}
        yield {
            "set": one.name,
            "model": model.name,
            "windows": len(truth),
            "MASE": float(np.nanmean(np.nanmean(error, axis=1) / scale)),
            "WQL": float(2 * np.nanmean(losses) / np.nanmean(np.abs(truth))),
            **{f"in {level} %": share for level, share in inside.items()},
            "cpu_seconds": seconds,
        }


def _inside(truth: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    there = np.isfinite(truth)
    return float(100 * ((truth >= low[..., 0]) & (truth <= high[..., 0]))[there].mean())


# ── the sets ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def real_sets(windows: int) -> Iterator[Set]:
    """Development sets; the official test parts of M4 and ETT are scored once and nothing is chosen on them."""
    folder = data_folder()

    def column(path: str, which: int | str) -> np.ndarray:
        frame = pd.read_csv(folder / path)
        return (frame[which] if isinstance(which, str) else frame.iloc[:, which]).to_numpy(float)

    train, test = (_rows(folder / f"m4_hourly/Hourly-{part}.csv.gz") for part in ("train", "test"))
    every = max(1, len(train) // (4 * windows))
    yield Set("M4 hourly", train[::every], test[::every], (24, 168))
    classics = "classics/"
    yield rolled("airline", [column(classics + "airline-passengers.csv", 1)], 12, 5, 12, (12,))
    yield rolled("sunspots", [column(classics + "monthly-sunspots.csv", 1)], 24, windows, 24, (12,))
    yield rolled("shampoo", [column(classics + "monthly-shampoo-sales.csv", 1)], 6, 5, 2, (12,))
    yield rolled(
        "Melbourne temperature", [column(classics + "daily-min-temperatures.csv", 1)], 14, windows, 23, (7, 365)
    )
    power = pd.read_csv(folder / "power_germany_daily/opsd_germany_daily.csv.gz")
    german = [power[name].to_numpy(float)[2250:] for name in ("Consumption", "Wind", "Solar")]
    yield rolled("Germany power", german, 14, windows, 29, (7, 365))
    tetouan = pd.read_csv(folder / "electricity_tetouan/tetouan_power.csv.gz").iloc[:, -3:].to_numpy(float)
    yield rolled("Tetouan", list(tetouan.reshape(-1, 6, 3).mean(1).T), 24, windows, 125, (24, 168))
    yield rolled("ETTh1 OT", [column("ett/ETTh1.csv.gz", "OT")[: 20 * 30 * 24]], 96, windows, 67, (24, 168))
    beijing = [column(f"air_beijing/{name}.csv.gz", "PM2.5") for name in ("Aotizhongxin", "Dingling")]
    yield rolled("Beijing PM2.5", beijing, 24, windows, 131, (24, 168))


def rolled(name: str, series: list[np.ndarray], horizon: int, windows: int, step: int, seasons: tuple[int, ...]) -> Set:
    """The last windows of each series, ``step`` rows apart, where 70 % of what followed was observed."""
    ends = [(y, len(y) - horizon - k * step) for y in series for k in range(windows)]
    used = [(y[:end], y[end : end + horizon]) for y, end in ends if end >= 2 * horizon]
    used = [(past, then) for past, then in used if np.isfinite(then).mean() > 0.7]
    return Set(name, [past for past, _ in used], [then for _, then in used], seasons)


def _rows(path: object) -> list[np.ndarray]:
    values = pd.read_csv(str(path)).iloc[:, 1:].to_numpy(float)
    return [row[np.isfinite(row)] for row in values]


if __name__ == "__main__":
    main()
