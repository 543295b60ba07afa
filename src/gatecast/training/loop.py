"""The training loop: one for every network, on one screen."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from gatecast.base.errors import SettingError, Stopped, Terminated
from gatecast.base.findings import Arg
from gatecast.batches.windows import BatchSource, WindowOrigins
from gatecast.training.averages import average_of, copy_weights
from gatecast.training.checkpoint import Checkpoint, TrainingState
from gatecast.training.config import FitConfig
from gatecast.training.engine import Engine, engine_of
from gatecast.training.finite_check import FiniteCheck
from gatecast.training.history import History
from gatecast.training.interrupt import deferred_stop
from gatecast.training.logs import run_log
from gatecast.training.optimizers import optimizer_of
from gatecast.training.own_files import FIRST, require_own_files
from gatecast.training.progress import progress_bar
from gatecast.training.run_fingerprint import fingerprint_of
from gatecast.training.sampler import Sampler
from gatecast.training.schedules import learning_rate
from gatecast.training.step import accumulate, clip_gradients, gradient_norms, set_rate

VALIDATION_WINDOWS = 2048  # largest number of held-back windows that an evaluation scores
EVALUATION_BATCH = 512


def train(
    model: nn.Module,
    windows: BatchSource,
    training: WindowOrigins,
    held_back: WindowOrigins,
    config: FitConfig,
    *,
    steps: int,
    seed: int,
    name: str = FIRST,
) -> History:
    """Minimise ``model(batch)`` over the training windows; keep the weights that are best on the held-back ones.

    Training runs on the engine's device; afterwards the model is back on the CPU for calibration, forecasts and files.

    Args:
        model: returns the mean loss of a batch; ``model.weight_of(batch)``, if present, is the total weight of a batch.
        windows: source of batches: windows of a panel, or whole sequences.
        training: windows to train on.
        held_back: the latest windows, for early stopping (may be empty).
        config: settings; the caller has decided ``steps``.
        steps: largest number of optimizer steps.
        seed: of the order of windows and of dropout.
        name: of the run, in the names of its log files.

    Raises:
        TrainingError: a loss or a gradient is not finite.
        SettingError: the checkpoint or the log would replace a file of another kind.
        ModelFileError: the checkpoint to resume from is damaged or belongs to another run.
        KeyboardInterrupt: Ctrl-C, after the step and a checkpoint, if the settings name one.
        SystemExit: SIGTERM, after a checkpoint.
    """
    engine, plain = engine_of(config), optimizer_of(model, config)
    network, optimizer = engine.setup(model, plain)
    weights, state = list(model.parameters()), TrainingState(model, plain, average_of(model, config, steps))
    sampler = Sampler(training.total, config.batch_size * config.accumulate * engine.size, seed)
    if sampler.batch_size < engine.size:
        raise SettingError(
            f"{engine.size} processes need at least as many training windows; there are {sampler.batch_size}",
            "take fewer " + Arg("devices", of="FitConfig"),
        )
    rank_config = config if engine.rank == 0 else config.silent()
    check, every = FiniteCheck(model, windows, rank_config, name), max(1, steps // config.evaluations)
    run = (model, windows, (training, held_back), config)
    fingerprint = fingerprint_of(*run, steps=steps, seed=seed) if config.checkpoint else {}
    roles = {"writes": engine.rank == 0, "first": name == FIRST}
    checkpoint = Checkpoint(config, fingerprint, engine.device, **roles)
    require_own_files(rank_config, name)
    checkpoint.resume(state)
    history, clock = state.history, time.perf_counter() - state.seconds
    with (
        progress_bar(steps, state.step, rank_config.progress) as progress,
        run_log(rank_config, history.entries, name) as log,
        flushed_denormals(),
        deferred_stop(sigterm=config.checkpoint is not None) as received_signal,
    ):
        while state.step < steps and history.stale < config.patience:
            step, due = state.step, (state.step + 1) % every == 0 or state.step + 1 == steps
            rate = set_rate(optimizer, learning_rate(step, steps, config, history.entries))
            rank_windows = sampler(step).tensor_split(engine.size)[engine.rank]
            places = (training.locate(part) for part in rank_windows.split(config.batch_size))
            batches = [windows.gather(*place).to(engine.device) for place in places]
            optimizer.zero_grad(set_to_none=True)
            engine.seed(seed, step)
            with checkpoint.saved_if_lost(state):
                loss = accumulate(engine, network, batches, config.precision)
            layers = {"gradients": gradient_norms(model)} if due and config.gradients else {}
            state.losses.append(check(loss, clip_gradients(weights, config), step, batches))
            optimizer.step()
            state.average.update(step)
            state.step += 1
            state.seconds = time.perf_counter() - clock
            if due:
                entry = _entry(state, rate, steps, sampler.steps_per_epoch) | layers
                with state.average:
                    entry["val_loss"] = evaluate(model, windows, held_back, engine)
                    if history.add(entry, config.min_delta):
                        state.best = copy_weights(model.state_dict())
                state.losses = []
                log(entry)
            progress(state.step, history.entries)
            ended = state.step == steps or history.stale >= config.patience
            with checkpoint.saved_if_lost(state):
                stop = engine.largest(received_signal())
            if stop or ended or state.step % config.checkpoint_every == 0:
                checkpoint.save(state)
            if stop:
                _stop_run(stop, config)
    if state.best:
        model.load_state_dict(state.best)
    model.to("cpu")
    return history


def evaluate(model: nn.Module, windows: BatchSource, held_back: WindowOrigins, engine: Engine) -> float | None:
    """Mean loss over the held-back windows (at most 2,048, evenly spaced), in float32; None without any."""
    if not held_back.total:
        return None
    chosen = held_back.evenly(VALIDATION_WINDOWS)
    model.eval()
    with torch.no_grad():
        parts = chosen.split(EVALUATION_BATCH)[engine.rank :: engine.size]
        batches = (windows.gather(*held_back.locate(part)).to(engine.device) for part in parts)
        local = sum(float(model(batch)) * len(batch) for batch in batches)
    model.train()
    return engine.total(local) / len(chosen)


def _entry(state: TrainingState, rate: float, steps: int, steps_per_epoch: int) -> dict[str, Any]:
    """The record of an evaluation, before its validation loss."""
    return {
        "step": state.step,
        "epoch": state.step / steps_per_epoch,
        "progress": state.step / steps,
        "train_loss": sum(state.losses) / len(state.losses),
        "val_loss": None,
        "lr": rate,
        "seconds": state.seconds,
    }


def _stop_run(number: int, config: FitConfig) -> None:
    """Raise the exception of the signal, with the checkpoint if there is one."""
    if config.checkpoint is None:
        raise KeyboardInterrupt
    raise Terminated(config.checkpoint) if number == signal.SIGTERM else Stopped(config.checkpoint)


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Flush denormal numbers to zero in the block; with them, training on long windows is up to 8 times slower."""
    before = _flushes_denormals()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def _flushes_denormals() -> bool:
    return bool((torch.tensor([1e-40]) * 1.0).item() == 0.0)
