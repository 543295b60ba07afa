"""What a worker gets and gives: a job on its command line, a JSON file in return. Needs NumPy alone."""

from __future__ import annotations

import importlib.metadata
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

import tasks


class Job:
    """The job of this process.

    Fields (from the JSON argument): ``task`` (.npz file), ``model``, ``steps``, ``seed``, ``result`` (file to write),
    ``what``: ``"forecast"`` (time to a forecast, then its accuracy) or ``"step"`` (cost of a training step).
    """

    def __init__(self) -> None:
        self.fields: dict[str, Any] = json.loads(sys.argv[1])
        self.figures: dict[str, Any] = {}
        self.task = tasks.load(self.fields["task"])

    def __getattr__(self, name: str) -> Any:
        return self.fields[name]

    def stamp(self, name: str) -> None:
        """Note the wall and CPU seconds since this process began."""
        self.figures[f"{name}_wall"] = time.time() - float(os.environ["BENCHMARK_BEGUN"])
        self.figures[f"{name}_cpu"] = time.process_time()

    def note(self, **figures: Any) -> None:
        """Note plain figures."""
        self.figures |= figures

    def cost_of_step(self, fit: Callable[[int], Any]) -> Any:
        """Note ms per training step; returns the model of the long fit.

        The time of ``fit(1)``, with all that happens once, is taken off the time of ``fit(steps)``; what a library
        does between steps (epochs, data loaders, bookkeeping) counts.
        """
        fit(1)  # loads lazy modules and warms caches
        _, once, once_cpu = timed(lambda: fit(1))
        model, long, long_cpu = timed(lambda: fit(self.steps))
        self.note(
            step_ms=1e3 * (long - once) / (self.steps - 1), step_cpu_ms=1e3 * (long_cpu - once_cpu) / (self.steps - 1)
        )
        return model

    def cost_of_predict(self, predict: Callable[[], Any], times: int = 7) -> None:
        """Note the median wall and CPU seconds of a forecast of all series from a fitted model."""
        predict()
        costs = [timed(predict)[1:] for _ in range(times)]
        self.note(
            predict_s=statistics.median(c[0] for c in costs), predict_cpu_s=statistics.median(c[1] for c in costs)
        )

    def measured(self, fit: Callable[[int], Any], predict: Callable[[Any], Any]) -> Any:
        """The fitted model, after what was asked: the cost of its steps, or the time until its first forecast."""
        if self.what == "step":
            model = self.cost_of_step(fit)
            self.cost_of_predict(lambda: predict(model))
        else:
            model = fit(self.steps)
            predict(model)
            self.stamp("forecast")
        return model

    def done(self, *packages: str) -> None:
        """Write the figures and the versions of these packages."""
        found = {name: importlib.metadata.version(name) for name in ("torch", *packages)}
        Path(self.fields["result"]).write_text(json.dumps({**self.figures, "versions": found}))


def timed(action: Callable[[], Any]) -> tuple[Any, float, float]:
    """What the action returns, its wall seconds and its CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = action()
    return result, time.perf_counter() - wall, time.process_time() - cpu
