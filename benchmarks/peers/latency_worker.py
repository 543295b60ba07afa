"""Two halves of the latency benchmark: ``save TASK MODEL`` and ``load TASK MODEL RESULT CALLS``, which measures."""

from __future__ import annotations

import importlib.metadata
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

import tasks

import gatecast


def save(task_file: str, model_file: str) -> None:
    """Fit one series for a few steps, save the model and its forecast."""
    task = tasks.load(task_file)
    model = gatecast.LSTMForecaster(task.horizon, fit=gatecast.FitConfig(steps=30, progress=False))
    model.fit(series(task))
    model.save(model_file)
    np.save(model_file + ".npy", model.predict().mean)


def load(task_file: str, model_file: str, result_file: str, calls: str) -> None:
    """Load, compare, then time forecasts of one series."""
    task = tasks.load(task_file)
    begun = time.perf_counter()
    model = gatecast.load(model_file)
    loaded = time.perf_counter()
    panel = series(task)
    begun_first = time.perf_counter()
    first = model.predict(panel=panel)
    first_ms = 1e3 * (time.perf_counter() - begun_first)
    equal = bool(np.allclose(first.mean, np.load(model_file + ".npy"), rtol=1e-5))
    cuts = [panel.cut(k) for k in range(1, 25)]
    one = {"target ms": 3.0}
    rows = [
        {"what": f"{task.name}: load", "median ms": 1e3 * (loaded - begun)},
        {"what": f"{task.name}: first forecast after it", "median ms": first_ms},
        {
            "what": f"{task.name}: predict(panel=…)",
            **times(lambda k: model.predict(panel=cuts[k % 24]), int(calls)),
            **one,
        },
    ]
    packages = ("torch", "gatecast", "numpy")
    found = {name: importlib.metadata.version(name) for name in packages}
    Path(result_file).write_text(json.dumps({"rows": rows, "equal": equal, "versions": found}))


def times(action: Callable[[int], Any], calls: int) -> dict[str, float]:
    """Median, fastest and 95th percentile in ms, after ten calls to warm up."""
    for k in range(10):
        action(k)
    spent, cpu = [], time.process_time()
    for k in range(calls):
        begun = time.perf_counter()
        action(k)
        spent.append(1e3 * (time.perf_counter() - begun))
    cpu_ms = 1e3 * (time.process_time() - cpu) / calls
    p95 = sorted(spent)[int(0.95 * calls)]
    return {"median ms": statistics.median(spent), "fastest ms": min(spent), "p95 ms": p95, "CPU ms": cpu_ms}


def series(task: tasks.Task) -> Any:
    """The task's first series as a panel."""
    import pandas as pd

    values = task.train[0]
    dates = pd.date_range(task.start, periods=len(values), freq=task.freq)
    return gatecast.read_panel(pd.DataFrame({"ds": dates, "y": values}), time="ds", target="y")


if __name__ == "__main__":
    {"save": save, "load": load}[sys.argv[1]](*sys.argv[2:])
