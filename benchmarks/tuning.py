"""Tuned against default settings, on rows that the search did not see.

    python benchmarks/tuning.py [--sets germany sunspots new_york] [--trials 14] [--steps 80]

`tune` compares settings on three folds of the past and chooses as `gatecast tune` does; then default and winner are
fitted with three seeds each and forecast the last windows of the data, which took no part in the search. The sunspots
and the temperatures of New York were never used to choose a default; the load of Germany was. To keep the cost small,
a fit has few steps and is not repeated on all rows.
"""

from __future__ import annotations

import csv
import gzip
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import common
import numpy as np
import tasks

from gatecast import FitConfig, LSTMForecaster, Panel, read_panel
from gatecast.tuning import Tuning, tune

Set = tuple[Panel, int, int]  # horizon, windows of the test


def germany() -> Set:
    """Daily power consumption of Germany."""
    file = tasks.data_folder() / "power_germany_daily" / "opsd_germany_daily.csv.gz"
    return read_panel(file, target="Consumption"), 14, 20


def sunspots() -> Set:
    """Monthly sunspots since 1749."""
    return read_panel(tasks.data_folder() / "classics" / "monthly-sunspots.csv"), 12, 20


def new_york() -> Set:
    """Mean temperature of each day at three airports of New York."""
    with gzip.open(tasks.data_folder() / "weather_nyc_2013" / "weather.csv.gz", "rt") as file:
        rows = [(row["origin"], row["time_hour"][:10], row["temp"]) for row in csv.DictReader(file)]
    days = sorted({day for _, day, _ in rows})
    series = []
    for airport in ("EWR", "JFK", "LGA"):
        hours = {day: [float(t) for o, d, t in rows if o == airport and d == day and t != "NA"] for day in days}
        series.append(np.array([np.mean(hours[day]) if hours[day] else np.nan for day in days], np.float32))
    return Panel.from_arrays(series, freq="D", starts=np.array([np.datetime64(days[0], "ns")] * 3)), 7, 12


SETS: dict[str, Callable[[], Set]] = {"germany": germany, "sunspots": sunspots, "new_york": new_york}


def main() -> None:
    """Search on every set; write after each, so that a stopped run leaves what it has."""
    parser = common.arguments(__doc__, threads=1)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--trials", type=int, default=14)
    parser.add_argument("--steps", type=int, default=80, help="of every fit")
    parser.add_argument("--storage", type=Path, help="folder in which stopped searches are found again")
    args = parser.parse_args()
    import torch

    torch.set_num_threads(args.threads)
    fit = FitConfig(steps=args.steps, evaluations=10, refit=False, progress=False)
    rows: list[dict[str, Any]] = []
    for name in args.sets:
        panel, horizon, test = SETS[name]()
        before = time.process_time()
        storage = args.storage / f"{name}.sqlite3" if args.storage else None
        model = LSTMForecaster(horizon, fit=fit)
        found = tune(panel, horizon, model=model, trials=args.trials, test=test, storage=storage, progress=False)
        rows.append(row(name, found, time.process_time() - before))
        print(found.text, rows[-1], sep="\n", flush=True)
        common.write("tuning", rows, args, versions=common.versions(), title="Tuned against default settings")


def row(name: str, found: Tuning, seconds: float) -> dict[str, Any]:
    """A row of the table."""
    assert found.test is not None
    default = next(one for one in found.finalists if one.number == 0)
    winner = next(one for one in found.finalists if one.chosen)
    states = [one.state for one in found.trials]
    return {
        "set": name,
        "horizon": found.folds.horizon,
        "trials (stopped early)": f"{len(states)} ({states.count('pruned')})",
        f"{found.metric} on the folds, default": default.loss,
        "tuned": winner.loss,
        f"{found.metric} on the test, default": found.test.default,
        "tuned ": found.test.tuned,
        "change, %": 100 * (found.test.tuned / found.test.default - 1),
        "CPU s": seconds,
        "settings": ", ".join(f"{key}={short(value)}" for key, value in found.settings.items()) or "the default",
    }


def short(value: Any) -> str:
    """A value in few digits."""
    return f"{value:.2g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
