"""Runs one job on gatecast: ``model="default"`` (default settings) or ``"same"`` (the peers' network and batch)."""

from __future__ import annotations

from typing import Any

import numpy as np
from job import Job


def main() -> None:
    """Fit, forecast, stamp the time, then measure what was asked."""
    job = Job()
    import gatecast

    job.stamp("import")
    task = job.task
    panel = panel_of(gatecast, task, task.train)

    def fit(steps: int | None) -> Any:
        if job.model == "same":
            return same_network(gatecast, task, steps, job.seed).fit(panel)
        config = gatecast.FitConfig(steps=steps, progress=False)
        return gatecast.LSTMForecaster(task.horizon, fit=config, seed=job.seed).fit(panel)

    fitted = job.measured(fit, lambda model: model.predict())
    if job.what == "forecast":
        job.note(steps=fitted.history_[-1]["step"], fit_seconds=fitted.fit_seconds_)
    job.note(accuracy=task.score(forecasts(gatecast, fitted, task)), parameters=fitted.parameters_)
    job.done("gatecast", "pandas", "numpy")


def same_network(gatecast: Any, task: Any, steps: int | None, seed: int) -> Any:
    """Two layers of 128 over every row of the context, point forecast by MAE, nothing held back, nothing beside it."""
    from gatecast.nn import Point

    net = gatecast.NetConfig(kind="direct", hidden_size=128, num_layers=2, dropout=0.0, base="none", skip=False)
    fit = gatecast.FitConfig(
        steps=steps,
        batch_size=32,
        learning_rate=1e-3,
        schedule="constant",
        weight_decay=0.0,  # this and the next: plain Adam, as the peers have it
        clip=1e6,
        validation=0,
        progress=False,
    )
    return gatecast.LSTMForecaster(
        task.horizon,
        context=task.context,
        net=net,
        head=Point(),
        scaler="standard",
        fit=fit,
        calibrate=False,
        calendar=False,
        seed=seed,
    )


def panel_of(gatecast: Any, task: Any, series: list[np.ndarray]) -> Any:
    """The series as a panel, read as a user would read them: from a long frame."""
    import pandas as pd

    longest = pd.date_range(task.start, periods=max(map(len, series)), freq=task.freq).to_numpy()
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(np.array(task.ids, dtype=object), [len(y) for y in series]),
            "ds": np.concatenate([longest[: len(y)] for y in series]),
            "y": np.concatenate(series),
        }
    )
    return gatecast.read_panel(frame, time="ds", target="y", id="unique_id")


def forecasts(gatecast: Any, fitted: Any, task: Any) -> np.ndarray:
    """``(origins, series, horizon)``: the panel with all rows, cut back to each origin."""
    whole = [np.concatenate([y, t]) for y, t in zip(task.train, task.test, strict=True)]
    panel = panel_of(gatecast, task, whole)
    rows = {name: row for row, name in enumerate(panel.ids)}
    order = [rows[name] for name in task.ids]
    made = [fitted.predict(panel=panel.cut(task.test.shape[1] - o)).mean[order, :, 0] for o in task.origins]
    return np.stack(made)


if __name__ == "__main__":
    main()
