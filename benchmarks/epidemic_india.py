"""COVID-19 in India: the published LSTM networks run again, simple forecasts beside them, and gatecast's own.

Chandra, Jain & Chauhan (2022, https://doi.org/10.1371/journal.pone.0262708) forecast four days of new cases (mean of
three days) from six. Their protocol is run as their scripts have it: windows, scaling by the whole series, relu LSTM
with 20 % of the inputs dropped, Adam, batches of ten in order, 1,000 epochs; ED-LSTM stops early and is fitted up to 30
times in a row, of which the mean is given. Seeds are independent here; theirs were one network fitted 30 times. Their
numbers (*published*) were read from the bar charts of their repository (±2 %).

Their measure, *RMSE4*, is √(sum of squared errors over the four steps / windows): twice an ordinary RMSE. *Repeat* is
the last value; *line* is an ordinary least squares regression of the four days on the six, fitted on the training
windows; *linear daily* is gatecast's linear autoregression on the counts of single days.

*gatecast* forecasts the counts of single days up to the same origin and takes the mean of three afterwards: two of the
three days of the first target are known by then, and the week shows. It is one LSTM over the three series, averaged
with the linear autoregression, fitted once on days up to 30 September. Context, scaler and ensemble were chosen on
windows of the training part (*choice*: fitted up to the first window, tested on the 53 after it), not on the test
windows.

    python benchmarks/epidemic_india.py [--quick] [--parts protocol leakage choice ours]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import common
import numpy as np
import torch
from india_windows import BESIDE, FIRST, INPUTS, REGIONS, START, TRAIN_DAYS, Region, difference, regions, smoothed
from india_windows import split as split_of
from india_windows import summed_rmse as rmse
from relu_lstms import Published
from relu_lstms import difference as cell_difference

from gatecast import Ensemble, FitConfig, Forecaster, LinearAR, LSTMForecaster, Panel

KINDS = ("LSTM", "BD-LSTM", "ED-LSTM")
MIDDLE = {"LSTM": 32, "BD-LSTM": 16, "ED-LSTM": 0}
PUBLISHED = {  # train, test; read from bar charts
    ("India", "static", "uni"): ((17110, 10590), (16950, 10670), (18700, 12090)),
    ("India", "static", "multi"): ((15740, 13130), (15510, 24380), (15400, 15170)),
    ("India", "random", "uni"): ((19100, 22500), (18900, 22500), (8730, 8440)),
    ("India", "random", "multi"): ((15000, 15200), (15250, 16500), (19000, 21900)),
    ("Maharashtra", "static", "uni"): ((3740, 2680), (3930, 2830), (4390, 2490)),
    ("Maharashtra", "static", "multi"): ((4420, 4950), (4650, 4430), (4880, 5730)),
    ("Maharashtra", "random", "uni"): ((4500, 5030), (4520, 5200), (4770, 5370)),
    ("Maharashtra", "random", "multi"): ((3630, 4570), (3870, 4930), (5260, 6450)),
    ("Delhi", "static", "uni"): ((1010, 3440), (1100, 3510), (1080, 3480)),
    ("Delhi", "static", "multi"): ((790, 4400), (840, 5070), (1010, 5250)),
    ("Delhi", "random", "uni"): ((1180, 1400), (1210, 1455), (1570, 1690)),
    ("Delhi", "random", "multi"): ((1115, 1320), (1050, 1190), (1265, 1405)),
}
CHOICES = {"August and September": range(105, 158), "July to September": range(75, 128)}
FIT = FitConfig(steps=300, progress=False)


def main() -> None:
    """Run the selected parts; each writes its own result file."""
    parser = common.arguments(__doc__)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--seeds", type=int, default=10, help="of the static univariate LSTM and of gatecast")
    parser.add_argument("--few", type=int, default=3, help="seeds of the other networks")
    parser.add_argument("--epochs", type=int, default=1000, help="of the published networks")
    parser.add_argument("--quick", action="store_true", help="20 epochs, two seeds: shows that it runs")
    args = parser.parse_args()
    if args.quick:
        args.seeds, args.few, args.epochs = 2, 2, 20
    torch.set_num_threads(args.threads)
    every = regions()
    gates = [
        {"gate": "largest difference to the published windows (scale 0..1)", "value": f"{difference(every):.1e}"},
        {"gate": "batched cell against gatecast.nn.LSTM(activation='relu')", "value": f"{cell_difference():.1e}"},
    ]
    for name in args.parts:
        PARTS[name](every, args, gates)


def write(name: str, rows: list[dict[str, Any]], args: argparse.Namespace, title: str, **more: Any) -> None:
    """The result file of one part."""
    common.write(f"epidemic_india_{name}", rows, args, title=f"COVID-19 in India: {title}", **more)


# ── the published networks ────────────────────────────────────────────────────────────────────────────────────────
def protocol(every: dict[str, Region], args: argparse.Namespace, gates: list[dict[str, str]]) -> None:
    """All published networks, 20 CPU minutes; written after each, and an interrupted run resumes."""
    rows = _done(args)
    for way, mode in (("static", "uni"), ("random", "uni"), ("static", "multi"), ("random", "multi")):
        for kind in KINDS:
            if any(row["task"] == _task(way, mode) and row["network"] == kind for row in rows):
                continue
            seeds = args.seeds if (way, mode, kind) == ("static", "uni", "LSTM") else args.few
            begun = time.process_time()
            found = run_again(every, way, mode, kind, seeds, args.epochs)
            print(f"{way} {mode} {kind}: {time.process_time() - begun:.0f} CPU s", flush=True)
            for region, errors in found.items():
                rows.append(_row(region, way, mode, kind, errors))
            print(common.table(rows[-3:]), flush=True)
            write("protocol", rows, args, "the published networks, run again", gates=gates, epochs=args.epochs)


def _done(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Rows of a run with as many epochs that was written before."""
    path = args.out / "epidemic_india_protocol.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    return list(before["rows"]) if before.get("epochs") == args.epochs else []


def _task(way: str, mode: str) -> str:
    return f"{way} split, {'one series' if mode == 'uni' else 'four series'}"


def _row(region: str, way: str, mode: str, kind: str, errors: np.ndarray) -> dict[str, Any]:
    """Mean and range over seeds of ``(seeds, 6)`` errors: train, test and each step of the test."""
    published = PUBLISHED[region, way, mode][KINDS.index(kind)]
    return {
        "task": _task(way, mode),
        "region": region,
        "network": kind,
        "seeds": len(errors),
        "train": float(errors[:, 0].mean()),
        "test": float(errors[:, 1].mean()),
        "test, smallest to largest": f"{errors[:, 1].min():,.0f}–{errors[:, 1].max():,.0f}",
        "published train": published[0],
        "published test": published[1],
        "test, steps 1–4": " / ".join(f"{value:,.0f}" for value in errors[:, 2:].mean(0)),
    }


def run_again(
    every: dict[str, Region], way: str, mode: str, kind: str, seeds: int, epochs: int
) -> dict[str, np.ndarray]:
    """``(seeds, 6)`` errors of one kind of network for each region; all networks train side by side."""
    train, test = split_of(way, every)
    inputs, targets = _tensors(every, mode, seeds)
    span = torch.tensor([every[name].span for name in REGIONS.values()]).repeat_interleave(seeds)[:, None, None]
    torch.manual_seed(1)
    hidden = 64 if (way, mode) == ("static", "uni") else 32
    middle = MIDDLE[kind] if mode == "uni" else 0
    dropout = 0.0 if (kind, way, mode) == ("ED-LSTM", "random", "uni") else 0.2
    net = Published(kind, len(inputs), inputs.shape[-1], hidden, middle, dropout)

    def errors() -> np.ndarray:
        net.eval()
        with torch.no_grad():
            wrong = ((net(inputs) - targets) * span) ** 2
        net.train()
        parts = [wrong[:, rows].sum(-1).mean(-1) for rows in (train, test)]
        return torch.stack([*parts, *wrong[:, test].mean(1).T], 1).sqrt().numpy()

    found = fit(net, inputs[:, train], targets[:, train], epochs, errors, early=kind == "ED-LSTM")
    return {region: found[k * seeds : (k + 1) * seeds] for k, region in enumerate(REGIONS)}


def _tensors(every: dict[str, Region], mode: str, seeds: int) -> tuple[torch.Tensor, torch.Tensor]:
    """``(regions × seeds, windows, 6, series)`` and ``(regions × seeds, windows, 4)``, scaled."""
    inputs, targets = [], []
    for region, name in REGIONS.items():
        names = [name, *(BESIDE[region] if mode == "multi" else ())]
        inputs += [np.stack([every[one].scaled[:, :INPUTS] for one in names], -1)] * seeds
        targets += [every[name].scaled[:, INPUTS:]] * seeds
    return torch.tensor(np.stack(inputs)).float(), torch.tensor(np.stack(targets)).float()


def fit(
    net: Published, x: torch.Tensor, y: torch.Tensor, epochs: int, errors: Callable[[], np.ndarray], *, early: bool
) -> np.ndarray:
    """``(networks, 6)`` errors: after the last epoch, or with ``early`` the mean over fits that end after 3 bad epochs.

    Fits follow each other on the same weights, as in the authors' scripts; at most 30 of them, 1,000 epochs in all.
    """
    optimizer = torch.optim.Adam(net.parameters(), eps=1e-7, fused=True)
    record: list[list[np.ndarray]] = [[] for _ in range(len(x))]
    best, bad = np.full(len(x), np.inf), np.zeros(len(x), int)
    for _ in range(epochs):
        losses = np.zeros(len(x))
        for first in range(0, x.shape[1], 10):
            optimizer.zero_grad()
            loss = ((net(x[:, first : first + 10]) - y[:, first : first + 10]) ** 2).mean((1, 2))
            loss.sum().backward()
            optimizer.step()
            losses += loss.detach().numpy() * min(10, x.shape[1] - first)
        better = losses < best
        best, bad = np.where(better, losses, best), np.where(better, 0, bad + 1)
        if not early or not (bad >= 3).any():
            continue
        now = errors()
        for k in np.flatnonzero(bad >= 3):
            record[k].append(now[k])
            best[k], bad[k] = np.inf, 0
        if min(map(len, record)) >= 30:
            break
    last = errors()
    return np.stack([np.mean(fits[:30], 0) if fits else last[k] for k, fits in enumerate(record)])


# ── simple forecasts, and what the random split gives away ────────────────────────────────────────────────────────
def line(train: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Least squares regression of the outputs on the inputs, fitted on windows ``train``."""
    weights = np.linalg.lstsq(_with_one(train[:, :INPUTS]), train[:, INPUTS:], rcond=None)[0]
    return _with_one(inputs) @ weights


def nearest(train: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """The outputs of the training window whose inputs are nearest."""
    distance = ((inputs[:, None] - train[None, :, :INPUTS]) ** 2).sum(-1)
    return train[distance.argmin(1), INPUTS:]


def _with_one(x: np.ndarray) -> np.ndarray:
    return np.c_[x, np.ones(len(x))]


def leakage(every: dict[str, Region], args: argparse.Namespace, gates: list[dict[str, str]]) -> None:
    """Simple forecasts on both splits; on the random one also without the training windows that overlap."""
    rows = []
    for region, name in REGIONS.items():
        windows = every[name].windows
        for way in ("static", "random"):
            train, test = split_of(way, every)
            actual = windows[test, INPUTS:]
            row: dict[str, Any] = {"region": region, "split": way}
            row["test windows with a target seen in training"] = f"{_seen(train, test):.0%}"
            row["repeat"] = rmse(actual - windows[test, INPUTS - 1 : INPUTS])
            row["best published"] = min(
                PUBLISHED[region, way, mode][k][1] for mode in ("uni", "multi") for k in range(3)
            )
            for title, method in (("line", line), ("nearest window", nearest)):
                row[title] = rmse(actual - method(windows[train], windows[test, :INPUTS]))
                apart = [method(windows[_apart(train, one)], windows[one : one + 1, :INPUTS])[0] for one in test]
                row[f"{title}, no overlap"] = rmse(actual - np.stack(apart))
            row["look up, else repeat"] = rmse(actual - _looked_up(windows, train, test))
            rows.append(row)
    print(common.table(rows))
    write("leakage", rows, args, "simple forecasts, and what the random split gives away", gates=gates)


def _seen(train: np.ndarray, test: np.ndarray) -> float:
    """Share of test windows of which a target lies in a training window."""
    length = INPUTS + 4
    near = [
        (np.abs(one + INPUTS + np.arange(4)[:, None] - train - (length - 1) / 2) < length / 2).any() for one in test
    ]
    return float(np.mean(near))


def _apart(train: np.ndarray, one: int) -> np.ndarray:
    """Training windows that share no day with window ``one``."""
    return train[np.abs(train - one) >= INPUTS + 4]


def _looked_up(windows: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Each target, looked up in a training window that holds its day; else the last input."""
    known = {int(row + day): windows[row, day] for row in train for day in range(INPUTS + 4)}
    return np.array([[known.get(int(one + INPUTS + h), windows[one, INPUTS - 1]) for h in range(4)] for one in test])


# ── gatecast ──────────────────────────────────────────────────────────────────────────────────────────────────────
def daily_panel(every: dict[str, Region]) -> Panel:
    """New cases of single days of the three regions, 11 March to 1 December 2020."""
    series = [every[name].daily for name in REGIONS.values()]
    return Panel.from_arrays(series, ids=list(REGIONS), freq="D", starts=np.array([START] * len(series)))


def errors_of(
    model: Forecaster, panel: Panel, every: dict[str, Region], rows: range, last: int
) -> dict[str, np.ndarray]:
    """``(windows, 4)`` errors of the smoothed forecasts; fitted once, on the days before smoothed day ``last`` ends."""
    days = len(panel.series(0))
    fitted = model.clone().fit(panel.cut(days - (FIRST + 2 + last)))
    errors: dict[str, list[np.ndarray]] = {region: [] for region in REGIONS}
    for row in rows:
        origin = FIRST + 2 + row + INPUTS  # days known when the six inputs are
        ahead = fitted.predict(4, panel=panel.cut(days - origin)).mean[..., 0]
        for k, (region, name) in enumerate(REGIONS.items()):
            path = smoothed(np.concatenate([every[name].daily[origin - 2 : origin], ahead[k]]))
            errors[region].append(every[name].windows[row, INPUTS:] - path)
    return {region: np.stack(found) for region, found in errors.items()}


def lstm(seed: int, **settings: Any) -> LSTMForecaster:
    """The LSTM on daily counts."""
    return LSTMForecaster(4, fit=FIT, seed=seed, **settings)


def gatecast(seed: int) -> Ensemble:
    """What is shown as gatecast: chosen by :func:`choice`."""
    return Ensemble([lstm(seed), LinearAR(4, 15)], name="gatecast")


CANDIDATES: dict[str, Callable[[int], Forecaster]] = {
    "LSTM": lstm,
    "LSTM, 14 days of context": lambda seed: lstm(seed, context=14),
    "LSTM, scaler mean_abs": lambda seed: lstm(seed, scaler="mean_abs"),
    "LSTM, scaler last": lambda seed: lstm(seed, scaler="last"),
    "linear, 15 days of context": lambda seed: LinearAR(4, 15),
    "linear, context chosen": lambda seed: LinearAR(4),
    "LSTM and linear": gatecast,
}


def choice(every: dict[str, Region], args: argparse.Namespace, gates: list[dict[str, str]]) -> None:
    """Candidates on windows of the training part only."""
    panel, rows = daily_panel(every), []
    seeds = range(1, 2 if args.quick else 3)
    for name, make in CANDIDATES.items():
        for title, windows in CHOICES.items():
            row: dict[str, Any] = {"windows tested": title, "candidate": name}
            found = [errors_of(make(seed), panel, every, windows, windows[0]) for seed in seeds]
            for region in REGIONS:
                row[region] = float(np.mean([rmse(one[region]) for one in found]))
            rows.append(row)
            print(common.table(rows[-1:]), flush=True)
    for title, windows in CHOICES.items():
        for name, method in (("repeat", None), ("line", line)):
            row = {"windows tested": title, "candidate": name}
            for region, series in REGIONS.items():
                w = every[series].windows
                train, test = w[: windows[0] - INPUTS - 3], w[list(windows)]
                ahead = test[:, INPUTS - 1 : INPUTS] if method is None else method(train, test[:, :INPUTS])
                row[region] = rmse(test[:, INPUTS:] - ahead)
            rows.append(row)
    write("choice", rows, args, "what gatecast's settings were chosen by")


def ours(every: dict[str, Region], args: argparse.Namespace, gates: list[dict[str, str]]) -> None:
    """Static split: gatecast beside simple forecasts and the best published network."""
    panel, test = daily_panel(every), range(TRAIN_DAYS, TRAIN_DAYS + 53)
    train, _ = split_of("static", every)
    found: dict[str, list[dict[str, np.ndarray]]] = {"LSTM on daily counts": [], "gatecast: LSTM and linear daily": []}
    linear = errors_of(LinearAR(4, 15), panel, every, test, TRAIN_DAYS)
    for seed in range(1, args.seeds + 1):
        alone = errors_of(lstm(seed), panel, every, test, TRAIN_DAYS)
        found["LSTM on daily counts"].append(alone)
        both = {region: (alone[region] + linear[region]) / 2 for region in REGIONS}  # as Ensemble averages
        found["gatecast: LSTM and linear daily"].append(both)
    rows = []
    for region, name in REGIONS.items():
        windows = every[name].windows
        actual, inputs = windows[list(test), INPUTS:], windows[list(test), :INPUTS]
        simple = {
            "repeat": actual - inputs[:, -1:],
            "line": actual - line(windows[train], inputs),
            "linear daily": linear[region],
        }
        best = min(pair[1] for mode in ("uni", "multi") for pair in PUBLISHED[region, "static", mode])
        rows.append({"task": region, "model": "best published network", "RMSE4": float(best)})
        for title, wrong in simple.items():
            rows.append({"task": region, "model": title, "RMSE4": rmse(wrong), **_steps(wrong[None])})
        for title, runs in found.items():
            scores = [rmse(one[region]) for one in runs]
            wrong = np.stack([one[region] for one in runs])
            more = {"seeds": len(runs), "RMSE4, smallest to largest": f"{min(scores):,.0f}–{max(scores):,.0f}"}
            rows.append({"task": region, "model": title, "RMSE4": float(np.mean(scores)), **more, **_steps(wrong)})
    print(common.table(rows))
    write("ours", rows, args, "gatecast on the static windows", gates=gates)


def _steps(errors: np.ndarray) -> dict[str, str]:
    """Ordinary RMSE of each step of ``(seeds, windows, 4)`` errors."""
    return {"RMSE, steps 1–4": " / ".join(f"{value:,.0f}" for value in np.sqrt((errors**2).mean(1)).mean(0))}


PARTS: dict[str, Callable[[dict[str, Region], argparse.Namespace, list[dict[str, str]]], None]] = {
    "leakage": leakage,
    "choice": choice,
    "ours": ours,
    "protocol": protocol,
}


if __name__ == "__main__":
    main()
