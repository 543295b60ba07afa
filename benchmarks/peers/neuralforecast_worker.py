"""Runs one job on neuralforecast's LSTM, GRU or NHITS: 2 × 128, windows scaled one by one, MAE, learning rate 1e-3."""

from __future__ import annotations

from typing import Any

import numpy as np
from job import Job


def main() -> None:
    """Fit, forecast, stamp the time, then measure what was asked."""
    job = Job()
    import logging

    import pandas as pd
    from neuralforecast import NeuralForecast
    from neuralforecast.losses.pytorch import MAE
    from neuralforecast.models import GRU, LSTM

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    job.stamp("import")
    task = job.task
    frame = long_frame(pd, task.ids, task.train, task)

    def fit(steps: int) -> Any:
        model = {"LSTM": LSTM, "GRU": GRU}[job.model](
            h=task.horizon,
            input_size=task.context,
            encoder_n_layers=2,
            encoder_hidden_size=128,
            loss=MAE(),
            scaler_type="standard",
            learning_rate=1e-3,
            batch_size=32,
            windows_batch_size=32,
            max_steps=steps,
            random_seed=job.seed,
            accelerator="cpu",
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            logger=False,
        )
        forecaster = NeuralForecast(models=[model], freq=task.freq)
        forecaster.fit(frame)
        return forecaster

    fitted = job.measured(fit, lambda model: model.predict())
    job.note(accuracy=task.score(forecasts(pd, fitted, job)), parameters=parameters(fitted))
    job.done("neuralforecast", "pandas", "numpy")


def long_frame(pd: Any, ids: list[str], series: list[np.ndarray], task: Any) -> Any:
    """Frame ``unique_id, ds, y``."""
    longest = pd.date_range(task.start, periods=max(map(len, series)), freq=task.freq).to_numpy()
    return pd.DataFrame(
        {
            "unique_id": np.repeat(np.array(ids, dtype=object), [len(y) for y in series]),
            "ds": np.concatenate([longest[: len(y)] for y in series]),
            "y": np.concatenate(series),
        }
    )


def forecasts(pd: Any, fitted: Any, job: Job) -> np.ndarray:
    """``(origins, series, horizon)``: each context before an origin is forecast as a series of its own, all at once."""
    task = job.task
    past = [
        np.concatenate([y, t[:o]])[-task.context :]
        for o in task.origins
        for y, t in zip(task.train, task.test, strict=True)
    ]
    names = [f"{k:06d}" for k in range(len(past))]
    frame = fitted.predict(df=long_frame(pd, names, past, task)).sort_values(["unique_id", "ds"])
    return frame[job.model].to_numpy().reshape(len(task.origins), len(task.ids), task.horizon)


def parameters(fitted: Any) -> int:
    """Number of trained parameters."""
    return sum(p.numel() for p in fitted.models[0].parameters() if p.requires_grad)


if __name__ == "__main__":
    main()
