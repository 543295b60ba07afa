"""Numbers that hold on other machines: outputs of operators, forecasts, a short training."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import gatecast
from gatecast import FitConfig, Forecast, LSTMForecaster, NetConfig, ops, testing

FIXTURES = Path(__file__).parents[1] / "fixtures"


def rounded(values: Iterable[Any], digits: int) -> dict[str, Any]:
    """Numbers for the golden file, which are compared relative to the largest of them."""
    return {"digits": digits, "values": [float(f"{float(value):.{digits}g}") for value in values]}


def operators() -> dict[str, Any]:
    """Mean and mean size of every output, state and gradient of the shared cases in float32."""
    return {case.name: _case(case) for case in (*testing.SHAPES, *testing.OPTIONS)}


def _case(case: testing.LSTMCase) -> dict[str, Any]:
    found = testing.results(ops.lstm, case, testing.arguments(case), torch.float32)
    return {name: _facts(t.detach().double()) for name, t in found.items()}


def _facts(t: torch.Tensor) -> dict[str, Any]:
    sums = [t.mean(), t.abs().mean(), t.flatten()[0], t.flatten()[-1]] if t.numel() else []
    return {"shape": list(t.shape), **rounded(sums, 5)}


def model_file() -> dict[str, Any]:
    """The forecast of the first model file, from the panel of tests/fixtures/make_model.py."""
    steps = np.arange(60)
    values = (100 + steps + 10 * ((steps * 7) % 12 - 5.5)).astype(np.float32)
    values[[8, 33]] = np.nan
    panel = gatecast.Panel.from_arrays([values], freq="MS", ids=["fixture"])
    return forecast(gatecast.load(FIXTURES / "model-v1.gatecast").predict(panel=panel), 6)


def stored() -> list[float]:
    """The numbers that were stored with the model file when it was written."""
    return np.ravel(json.loads((FIXTURES / "model-v1.json").read_text())).tolist()


def forecast(made: Forecast, digits: int) -> dict[str, Any]:
    """Times, point forecast and quantiles."""
    return {
        "times": [str(time) for time in np.ravel(made.times)[[0, -1]]],
        "probabilities": rounded(made.probabilities, 6),
        "mean": rounded(np.ravel(made.mean), digits),
        "quantiles": rounded(np.ravel(made.quantiles), digits),
    }


def forecasts() -> dict[str, Any]:
    """Baselines on the air passengers, and LSTMs after 20 steps."""
    panel = gatecast.datasets.load("air_passengers")
    models = [gatecast.Naive(), gatecast.SeasonalNaive(), gatecast.Drift(), gatecast.Mean(), gatecast.LinearAR(12)]
    found = {model.name: forecast(model.fit(panel).predict(12, levels=(80, 95)), 6) for model in models}
    for kind in ("segment", "direct", "seq2seq"):
        fit = FitConfig(steps=20, batch_size=16, evaluations=4, threads=1, progress=False)
        model = LSTMForecaster(6, context=24, net=NetConfig(kind=kind, hidden_size=8), fit=fit, seed=3)
        found[f"LSTM {kind}"] = forecast(model.fit(panel).predict(), 4)
    return found
