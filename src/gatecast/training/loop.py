"""The training loop: one for every network, on one screen."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from gatecast.base.errors import SettingError, Stopped, Terminated, TrainingError
from gatecast.batches.windows import BatchSource, WindowOrigins
from gatecast.training.averages import average_of, copied
from gatecast.training.checkpoint import Checkpoint, State
from gatecast.training.config import FitConfig
from gatecast.training.engine import Engine, engine_of
from gatecast.training.finite_check import Guard
from gatecast.training.history import Run
from gatecast.training.interrupt import deferred_stop
from gatecast.training.logs import run_log
from gatecast.training.optimizers import optimizer_of
from gatecast.training.progress import progress_bar
from gatecast.training.run_fingerprint import identity_of
from gatecast.training.sampler import Sampler
from gatecast.training.schedules import learning_rate
from gatecast.training.step import accumulate, cut, gradient_norms, set_rate

__all__ = ["Run", "TrainingError", "evaluate", "flushed_denormals", "learning_rate", "train"]

FIRST = "training"  # name of the first run of a fit
VALIDATION_WINDOWS = 2048  # at most so many held-back windows are scored at each evaluation
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
) -> Run:
    """Minimise ``model(batch)`` over the training windows; keep the weights that are best on the held-back ones.

    Batches go to the engine's device and tensors made in the model follow them; afterwards the model is back on the
    CPU, where calibration, forecasts and files stay.

    Args:
        model: gives the mean loss of a batch of windows; ``model.weight_of(batch)``, where there is one, what it is
            the mean over.
        windows: gathers batches: windows of a panel, or whole sequences.
        training, held_back: windows to learn from, and the last ones in time to stop by (may be empty).
        config: see :class:`FitConfig`; ``steps`` has been settled by the caller.
        steps: most optimiser steps.
        seed: of the order of windows and of dropout.
        name: of the run, in the names of its log files.

    Raises:
        TrainingError: a loss or a gradient is not finite.
        ModelFileError: the checkpoint to go on from is of another run.
        KeyboardInterrupt: after the step is finished and a checkpoint written, where one is kept.
        SystemExit: by SIGTERM, after a checkpoint.
    """
    engine, plain = engine_of(config), optimizer_of(model, config)
    network, optimizer = engine.setup(model, plain)
    weights, state = list(model.parameters()), State(model, plain, average_of(model, config, steps))
    sampler = Sampler(training.total, config.batch_size * config.accumulate * engine.size, seed)
    if sampler.batch_size < engine.size:
        raise SettingError(f"{engine.size} processes need as many training windows; there are {sampler.batch_size}")
    told = config if engine.rank == 0 else config.silent()
    guard, every = Guard(model, windows, told, name), max(1, steps // config.evaluations)
    known = (model, windows, training, held_back, config)
    identity = identity_of(*known, steps=steps, seed=seed) if config.checkpoint else {}
    roles = {"writes": engine.rank == 0, "first": name == FIRST}
    checkpoint = Checkpoint(config, identity, engine.device, **roles)
    checkpoint.resume(state)
    run, clock = state.run, time.perf_counter() - state.seconds
    with (
        progress_bar(steps, state.step, told.progress) as progress,
        run_log(told, run.history, name) as log,
        flushed_denormals(),
        deferred_stop(sigterm=config.checkpoint is not None) as stopped,
    ):
        while state.step < steps and run.stale < config.patience:
            step, due = state.step, (state.step + 1) % every == 0 or state.step + 1 == steps
            rate = set_rate(optimizer, learning_rate(step, steps, config, run.history))
            own = sampler(step).tensor_split(engine.size)[engine.rank]
            places = (training.locate(part) for part in own.split(config.batch_size))
            batches = [windows.gather(*place).to(engine.device) for place in places]
            optimizer.zero_grad(set_to_none=True)
            engine.seed(seed, step)
            with checkpoint.kept(state):
                loss = accumulate(engine, network, batches, config.precision)
            layers = {"gradients": gradient_norms(model)} if due and config.gradients else {}
            state.losses.append(guard(loss, cut(weights, config), step, batches))
            optimizer.step()
            state.average.update(step)
            state.step += 1
            state.seconds = time.perf_counter() - clock
            if due:
                entry = _entry(state, rate, steps, sampler.steps_per_epoch) | layers
                with state.average:
                    entry["val_loss"] = evaluate(model, windows, held_back, engine)
                    if run.note(entry, config.min_delta):
                        state.best = copied(model.state_dict())
                state.losses = []
                log(entry)
            progress(state.step, run.history)
            ended = state.step == steps or run.stale >= config.patience
            with checkpoint.kept(state):
                stop = engine.largest(stopped())
            if stop or ended or state.step % config.checkpoint_every == 0:
                checkpoint.save(state)
            if stop:
                _leave(stop, config)
    if state.best:
        model.load_state_dict(state.best)
    model.to("cpu")
    return run


def evaluate(model: nn.Module, windows: BatchSource, held_back: WindowOrigins, engine: Engine) -> float | None:
    """Mean loss over the held-back windows (an even choice of at most 2,048), in float32; None without any."""
    if not held_back.total:
        return None
    count = min(held_back.total, VALIDATION_WINDOWS)
    chosen = torch.linspace(0, held_back.total - 1, count).round().long()
    model.eval()
    with torch.no_grad():
        parts = chosen.split(EVALUATION_BATCH)[engine.rank :: engine.size]
        batches = (windows.gather(*held_back.locate(part)).to(engine.device) for part in parts)
        own = sum(float(model(batch)) * len(batch) for batch in batches)
    model.train()
    return engine.total(own) / count


def _entry(state: State, rate: float, steps: int, steps_per_epoch: int) -> dict[str, Any]:
    """What is recorded of an evaluation; its loss is still to come."""
    return {
        "step": state.step,
        "epoch": state.step / steps_per_epoch,
        "progress": state.step / steps,
        "train_loss": sum(state.losses) / len(state.losses),
        "val_loss": None,
        "lr": rate,
        "seconds": state.seconds,
    }


def _leave(number: int, config: FitConfig) -> None:
    """End the run as the signal asks, naming the checkpoint."""
    if config.checkpoint is None:
        raise KeyboardInterrupt
    raise Terminated(config.checkpoint) if number == signal.SIGTERM else Stopped(config.checkpoint)


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Denormal numbers count as zero inside; training on long windows is up to 8 times slower with them."""
    before = _flushes_denormals()
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def _flushes_denormals() -> bool:
    return bool((torch.tensor([1e-40]) * 1.0).item() == 0.0)
