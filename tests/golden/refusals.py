"""Bad input: the class of the error, and the words that any good message about it holds. The full text may change."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from golden.panels import with_future
from golden.reading import INPUTS, read, shops
from golden.shell import shell

import gatecast
from gatecast import FitConfig, LinearAR, LSTMForecaster, Naive, NetConfig, nn, read_panel

X = torch.zeros(5, 2, 3)
SHORT, LONG = np.arange(6.0), np.sin(np.arange(60.0))
NET = ["kind='x'", "cell='x'", "base='x'", "activation='x'", "hidden_size=0", "num_layers=0", "dropout=1.5"]
NET += ["input_dropout=-1.0", "zoneout=1.0", "segment=0", "residual=True"]
FIT = ["batch_size=0", "learning_rate=0.0", "patience=0", "schedule='x'", "optimizer='x'", "precision='8'", "ema=1.5"]
FIT += ["origins='x'", "loss_weight='x'", "steps=0", "epochs=0", "swa=2.0", "resume=True", "devices=0"]
LAYER = ["hidden_size=0", "num_layers=0", "dropout=1.5", "merge_mode='x'", "activation='x'", "kernel_initializer='x'"]
LAYER += ["zoneout=1.5", "proj_size=9", "cell_clip=-1.0", "recurrent_dropout=2.0"]


def fit(values: np.ndarray = LONG, **options: Any) -> Any:
    quick = FitConfig(steps=1, batch_size=8, threads=1, progress=False)
    return LSTMForecaster(**{"horizon": 3, "net": NetConfig(hidden_size=4), "fit": quick, **options}).fit(
        read_panel(values)
    )


def _setting(make: Callable[..., Any], argument: str) -> tuple[Callable[[], Any], list[str]]:
    """A call with one bad argument; a message names the argument and the value, whole floats without a point."""
    name, _, text = argument.partition("=")
    value = eval(text)
    return lambda: make(**{name: value}), [name, f"got {value:g}" if isinstance(value, float) else str(value)]


def _layer(**options: Any) -> nn.LSTM:
    return nn.LSTM(**{"input_size": 3, "hidden_size": 4, **options})


CALLS: dict[str, tuple[Callable[[], Any], list[str]]] = {
    **{f"NetConfig({one})": _setting(NetConfig, one) for one in NET},
    **{f"FitConfig({one})": _setting(FitConfig, one) for one in FIT},
    **{f"LSTM({one})": _setting(_layer, one) for one in LAYER},
    **{f"fit({one})": _setting(fit, one) for one in ("horizon=0", "members=0", "head='x'", "scaler='x'", "season=0")},
    "features": (lambda: nn.LSTM(3, 4)(X[..., :2]), ["input_size", "3", "2"]),
    "dtype": (lambda: nn.LSTM(3, 4)(X.double()), ["float32", "float64"]),
    "lengths": (lambda: nn.LSTM(3, 4)(X, lengths=torch.tensor([6, 2])), ["lengths", "5"]),
    "mask": (lambda: nn.LSTM(3, 4)(X, mask=torch.ones(5, 2, dtype=torch.bool)), ["mask"]),
    "state": (lambda: nn.LSTM(3, 4)(X, (torch.zeros(1, 3, 4),) * 2), ["h0"]),
    "heads of sLSTM": (lambda: nn.sLSTM(3, 4, heads=3), ["heads", "3"]),
    "chrono": (lambda: nn.Chrono(2), ["2"]),
    "too short": (lambda: fit(SHORT, horizon=12), ["6"]),
    "not fitted": (lambda: LSTMForecaster(3).predict(), ["fit"]),
    "another horizon": (lambda: fit().predict(9), ["horizon", "3", "9"]),
    "level": (lambda: fit().predict(levels=(120,)), ["120"]),
    "naive without horizon": (lambda: Naive().fit(read_panel(SHORT)).predict(), ["Naive", "horizon"]),
    "linear": (lambda: LinearAR(0).fit(read_panel(LONG)), ["horizon", "0"]),
    "series": (lambda: shops().select(["c"]), ["c", "a", "b"]),
    "future lacks a column": (lambda: with_future(shops(), ahead().drop(columns="holiday")), ["holiday"]),
    "future lacks rows": (lambda: with_future(shops(), ahead().iloc[:2]), ["b", "2024-01-01 05:00"]),
    "future of another series": (lambda: with_future(shops(), ahead().assign(shop="c")), ["c"]),
    "no covariates": (lambda: with_future(read_panel(SHORT), {"step": [6]}), ["known"]),
    "horizon of the frame": (lambda: shops().future_frame(0), ["horizon", "0"]),
    "zone": (lambda: read_panel({"ds": ["2024-01-01", "2024-01-02"], "y": [1, 2]}, tz="Europe/Atlantis"), ["Atlantis"]),
    "freq": (lambda: read_panel(SHORT, freq="fortnight"), ["freq", "fortnight"]),
    "target of an array": (lambda: read_panel(SHORT, target="load"), ["target"]),
    "a start off the frequency": (lambda: read_panel(SHORT, freq="MS", start="2024-01-31"), ["start", "2024-01-31"]),
    "no such file": (lambda: read_panel("nowhere.csv"), ["nowhere.csv"]),
    "no model file": (lambda: gatecast.load("no.gatecast"), ["no.gatecast"]),
}
FORECAST = ["forecast", "sales.csv", "--horizon", "3"]
LINES: dict[str, list[str]] = {  # words of the command line, and of what it says
    "forecast nowhere.csv --horizon 3": ["nowhere.csv"],
    "data sale.csv": ["sales.csv"],
    "data sales.csv --target unit": ["unit", "units", "--target"],
    "predict no.gatecast sales.csv": ["no.gatecast"],
    "predict sales.csv sales.csv": ["sales.csv"],
    "forecast sales.csv": ["--horizon"],
    "forecast sales.csv --horizn 3": ["--horizn", "--horizon"],
    "forecast sales.csv --horizon 0": ["--horizon", "0"],
    "forecast sales.csv --horizon many": ["many"],
    "forecast sales.csv --horizon 3 --model prophet": ["--model", "lstm"],
    "forecast sales.csv --horizon 3 --levels 120": ["120"],
    "forecast sales.csv --horizon 3 --net.hidden-size 0": ["--net.hidden-size", "0"],
    "forecast sales.csv --horizon 3 --fit.batch-size 0": ["--fit.batch-size", "0"],
    "forecast sales.csv --horizon 3 --config no.toml": ["--config", "no.toml"],
    "forecast sales.csv --horizon 3 --out sales.csv": ["sales.csv"],
    "backtest sales.csv --horizon 3 --windows 0": ["--windows"],
    "data two.csv": ["--target", "--layout"],
    "data sales.csv --freq h": ["--freq"],
    "demo --dataset nothing": ["nothing"],
    "nonsense": ["nonsense"],
}


def ahead() -> Any:
    return shops().future_frame(2).assign(holiday=1.0)


def build() -> dict[str, Any]:
    """Class of the error and the words found, for each bad input; the exit code too for the command line."""
    found = {
        name: _refused(lambda entry=entry: read(entry), entry["words"]) for name, entry in INPUTS["refused"].items()
    }
    found |= {name: _refused(call, words) for name, (call, words) in CALLS.items()}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        days = [f"2024-01-{k:02}" for k in range(1, 10)]
        Path("sales.csv").write_text("day,units\n" + "".join(f"{day},{k}\n" for k, day in enumerate(days)))
        Path("two.csv").write_text("day,a,b\n" + "".join(f"{day},{k},{k}\n" for k, day in enumerate(days)))
        for line, words in LINES.items():
            code, _, err = shell(*line.split())
            found[f"gatecast {line}"] = {"exit": code, "says": _said(err, words)}
    return found


def _refused(call: Callable[[], Any], words: list[str]) -> dict[str, Any]:
    try:
        call()
    except Exception as error:
        return {"error": type(error).__name__, "says": _said(str(error), words)}
    return {"error": None, "says": []}


def _said(text: str, words: list[str]) -> list[str]:
    return [word for word in words if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", " ".join(text.split()))]
