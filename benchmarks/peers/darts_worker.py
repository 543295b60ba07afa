"""Runs one job on darts: BlockRNNModel or RNNModel, LSTM 2 × 128, standardised float32 series, MAE, rate 1e-3."""

from __future__ import annotations

from typing import Any

import numpy as np
from job import Job


def main() -> None:
    """Fit, forecast, stamp the time, then measure what was asked."""
    job = Job()
    import logging
    import warnings

    warnings.simplefilter("ignore")
    import pandas as pd
    import torch
    from darts import TimeSeries
    from darts.dataprocessing.transformers import Scaler
    from darts.models import BlockRNNModel, RNNModel
    from sklearn.preprocessing import StandardScaler

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    job.stamp("import")
    task = job.task
    index = pd.date_range(task.start, periods=max(map(len, task.train)) + task.test.shape[1], freq=task.freq)

    def series(values: np.ndarray) -> Any:
        return TimeSeries.from_times_and_values(index[: len(values)], values.astype(np.float32))

    plain = [series(y) for y in task.train]
    scaler = Scaler(StandardScaler())
    scaled = [s.astype(np.float32) for s in scaler.fit_transform(plain)]

    def fit(steps: int) -> Any:
        shape: dict[str, Any] = {
            "model": "LSTM",
            "input_chunk_length": task.context,
            "n_rnn_layers": 2,
            "hidden_dim": 128,
        }
        if job.model == "RNNModel":
            shape |= {"training_length": task.context + task.horizon}
        else:
            shape |= {"output_chunk_length": task.horizon}
        quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
        model = {"RNNModel": RNNModel, "BlockRNNModel": BlockRNNModel}[job.model](
            **shape,
            batch_size=32,
            n_epochs=100_000,
            loss_fn=torch.nn.L1Loss(),
            optimizer_kwargs={"lr": 1e-3},
            random_state=job.seed,
            pl_trainer_kwargs={"accelerator": "cpu", "max_steps": steps, "enable_checkpointing": False, **quiet},
        )
        model.fit(scaled, dataloader_kwargs={"drop_last": True})  # else the last batch of an epoch is a smaller one
        return model

    def predict(model: Any, past: list[Any]) -> list[Any]:
        made = model.predict(task.horizon, series=past, show_warnings=False, verbose=False)
        return scaler.inverse_transform(made)

    def forecasts(model: Any) -> np.ndarray:
        everything = [
            scaler.transform([series(np.concatenate([y, t[:o]])) for y, t in zip(task.train, task.test, strict=True)])
            for o in task.origins
        ]
        made = model.predict(
            task.horizon,
            series=[s.astype(np.float32)[-task.context :] for group in everything for s in group],
            show_warnings=False,
            verbose=False,
        )
        groups = [made[k : k + len(task.ids)] for k in range(0, len(made), len(task.ids))]
        back = [[s.values()[:, 0] for s in scaler.inverse_transform(group)] for group in groups]
        return np.array(back)

    fitted = job.measured(fit, lambda model: predict(model, scaled))
    job.note(accuracy=task.score(forecasts(fitted)), parameters=sum(p.numel() for p in fitted.model.parameters()))
    job.done("darts", "pandas", "numpy")


if __name__ == "__main__":
    main()
