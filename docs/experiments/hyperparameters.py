"""A small experiment for each row of the hyperparameter table: ``python docs/experiments/hyperparameters.py [row …]``.

Writes ``docs/img/hyperparameters-<row>.png``. The network forecasts the last four years of the bundled air passengers,
a year each, fitted before the first; one field is changed at a time and each value has three seeds. So that the field
and not the help around the network is seen, it corrects last year's values and nothing else: ``base="season"``,
no calendar, no second fit. A dotted line marks last year's values themselves.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib

from gatecast import FitConfig, LSTMForecaster, NetConfig, SeasonalNaive, backtest, datasets
from gatecast.forecasters import Backtest

matplotlib.use("Agg")
IMG = Path(__file__).resolve().parents[1] / "img"
HORIZON, WINDOWS, SEEDS = 12, 4, (1, 2, 3)
NET = NetConfig(kind="direct", base="season", hidden_size=24)
FIT = FitConfig(steps=100, batch_size=32, refit=False, progress=False, threads=1)

ROWS: dict[str, dict[str, dict[str, Any]]] = {
    "activation": {name: {"net.activation": name} for name in ("tanh", "softsign", "relu", "linear")},
    "recurrent_activation": {n: {"net.recurrent_activation": n} for n in ("sigmoid", "hard_sigmoid", "tanh")},
    "cell": {name: {"net.cell": name} for name in ("lstm", "gru", "rnn")},
    "input_size": {"passengers": {}, "and the calendar": {"calendar": True}},
    "steps": {str(steps): {"fit.steps": steps} for steps in (10, 30, 100, 300, 600)},
    "num_layers": {str(layers): {"net.num_layers": layers} for layers in (1, 2, 3, 4)},
    "hidden_size": {str(size): {"net.hidden_size": size} for size in (2, 8, 32, 128)},
    "bias": {"with": {}, "without": {"net.bias": False}},
    "dropout": {str(p): {"net.dropout": p} for p in (0.0, 0.1, 0.3, 0.6)},
    "recurrent_dropout": {str(p): {"net.recurrent_dropout": p} for p in (0.0, 0.1, 0.3, 0.6)},
    "direction": {
        "forwards": {},
        "go_backwards": {"net.go_backwards": True},
        "bidirectional": {"net.bidirectional": True},
    },
    "learning_rate": {str(rate): {"fit.learning_rate": rate} for rate in (0.0001, 0.001, 0.003, 0.01, 0.1)},
    "batch_size": {str(size): {"fit.batch_size": size} for size in (4, 16, 64)},
}


def main() -> None:
    """Draw the rows that are named, or all."""
    for row in sys.argv[1:] or ROWS:
        values = {name: [error(settings, seed) for seed in SEEDS] for name, settings in ROWS[row].items()}
        draw(row, values)
        print(row, {name: [round(one, 3) for one in found] for name, found in values.items()}, flush=True)


def error(settings: dict[str, Any], seed: int) -> float:
    """Mean absolute scaled error of one fit over all origins."""
    parts: dict[str, dict[str, Any]] = {"net": {}, "fit": {}, "": {}}
    for name, value in settings.items():
        section, _, field = name.rpartition(".")
        parts[section][field] = value
    model = LSTMForecaster(
        HORIZON,
        context=24,
        net=replace(NET, **parts["net"]),
        fit=replace(FIT, **parts["fit"]),
        seed=seed,
        **{"calendar": False, **parts[""]},
    )
    panel = datasets.load("air_passengers")
    return mase(backtest([model], panel, HORIZON, windows=WINDOWS, progress=False))


def mase(tested: Backtest) -> float:
    """Mean absolute scaled error of the one model in a backtest."""
    return float(tested.scores(metrics=["MASE"])["MASE"].iloc[0])


def draw(row: str, values: dict[str, list[float]]) -> None:
    """A point for each seed, a line at the mean."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 2.6), layout="constrained")
    for place, errors in enumerate(values.values()):
        axes.plot([place] * len(errors), errors, "o", color="#2f4fd0", alpha=0.55, ms=6, mec="none")
        axes.plot([place - 0.22, place + 0.22], [sum(errors) / len(errors)] * 2, color="#3d424d", lw=2)
    naive = backtest([SeasonalNaive()], datasets.load("air_passengers"), HORIZON, windows=WINDOWS, progress=False)
    axes.axhline(mase(naive), color="#5b606b", lw=1, ls=":")
    axes.set_xticks(range(len(values)), list(values))
    axes.set_xlabel(row, color="#5b606b")
    axes.set_ylabel("MASE", color="#5b606b")
    axes.set_ylim(bottom=0)
    axes.margins(x=0.12)
    axes.grid(axis="y", color="#e4e4de")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(colors="#5b606b", left=False)
    figure.savefig(IMG / f"hyperparameters-{row}.png", dpi=110)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
