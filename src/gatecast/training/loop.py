"""The training loop: one for every network, on one screen."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from gatecast.data.windows import Batch, Origins, Windows
from gatecast.errors import GatecastError, Stopped
from gatecast.training.checkpoint import checkpoint_facts, load_checkpoint, save_checkpoint
from gatecast.training.config import FitConfig
from gatecast.training.engine import engine_of
from gatecast.training.identity import identity_of, require_same
from gatecast.training.interrupt import deferred_interrupt
from gatecast.training.optimizers import optimizer_of
from gatecast.training.progress import progress_bar
from gatecast.training.run import Run
from gatecast.training.sampler import Sampler

VALIDATION_WINDOWS = 2048  # at most so many held-back windows are scored at each evaluation
EVALUATION_BATCH = 512


class TrainingError(GatecastError, RuntimeError):
    """Training cannot go on; the message names step and series and what to try."""


def train(
    model: nn.Module,
    windows: Windows,
    training: Origins,
    held_back: Origins,
    config: FitConfig,
    *,
    steps: int,
    seed: int,
) -> Run:
    """Minimise ``model(batch)`` over the training windows; keep the weights that are best on the held-back ones.

    Batches go to the engine's device and tensors made in the model follow them; afterwards the model is back on the
    CPU, where calibration, forecasts and files stay.

    Args:
        model: gives the mean loss of a batch of windows.
        windows: gathers batches.
        training, held_back: windows to learn from, and the last ones in time to stop by (may be empty).
        config: see :class:`FitConfig`; ``steps`` has been settled by the caller.
        steps: most optimiser steps.
        seed: of the order of windows and of dropout.

    Raises:
        TrainingError: a loss is not finite.
        ModelFileError: the checkpoint to go on from is of another run.
        KeyboardInterrupt: after the step is finished and a checkpoint written, where one is kept.
    """
    engine, plain = engine_of(config.accelerator), optimizer_of(model, config)
    network, optimizer = engine.setup(model, plain)
    sampler, run, best = Sampler(training.total, config.batch_size, seed), Run(), None
    average = Average(model, config.ema)
    evaluate_every, start, stale, losses = max(1, steps // config.evaluations), 0, 0, []
    known = (model, windows, training, held_back, config)
    identity = identity_of(*known, steps=steps, seed=seed) if config.checkpoint else {}
    before = 0.0  # seconds of training before a stop
    if config.resume and config.checkpoint is not None and config.checkpoint.exists():
        facts = checkpoint_facts(config.checkpoint)
        require_same(config.checkpoint, facts.get("identity", {}), identity)
        best = load_checkpoint(config.checkpoint, model, plain, average.weights)
        run, start, stale, losses = Run(**facts["run"]), facts["step"], facts["stale"], facts["losses"]
        before = facts.get("seconds", 0.0)
        average.to(engine.device)  # the file gives them on the CPU
    clock = time.perf_counter() - before
    with progress_bar(steps, start, config.progress) as progress, flushed_denormals(), deferred_interrupt() as stopped:
        for step in range(start, start if stale >= config.patience else steps):
            optimizer.param_groups[0]["lr"] = rate = learning_rate(step, steps, config)
            batch = windows.gather(*training.locate(sampler(step))).to(engine.device)
            loss = network(batch)
            losses.append(_finite(loss, step, batch, windows))
            optimizer.zero_grad(set_to_none=True)
            engine.backward(loss)
            engine.clip_gradients(network, optimizer, max_norm=config.clip, error_if_nonfinite=False)
            optimizer.step()
            average.update(step)
            if (step + 1) % evaluate_every == 0 or step + 1 == steps:
                with average:
                    held_loss = evaluate(network, windows, held_back, engine.device)
                    weights = copied(model.state_dict())
                run.history.append(_entry(step + 1, losses, held_loss, rate, time.perf_counter() - clock))
                losses = []
                if held_loss is None or not held_loss >= run.best_loss:
                    run.best_step, run.best_loss, stale = step + 1, math.nan if held_loss is None else held_loss, 0
                    best = weights
                else:
                    stale += 1
            progress(step + 1, run.history)
            due = stopped() or (step + 1) % config.checkpoint_every == 0
            if config.checkpoint is not None and due:
                facts = {"run": vars(run), "step": step + 1, "stale": stale, "losses": losses, "identity": identity}
                facts["seconds"] = time.perf_counter() - clock
                save_checkpoint(config.checkpoint, model, plain, best or {}, average.weights, facts)
            if stopped():
                raise Stopped(config.checkpoint) if config.checkpoint is not None else KeyboardInterrupt
            if stale >= config.patience:
                break
    if best is not None:
        model.load_state_dict(best)
    model.to("cpu")
    return run


def evaluate(model: nn.Module, windows: Windows, held_back: Origins, device: torch.device) -> float | None:
    """Mean loss over the held-back windows (an even choice of at most 2,048); None without any."""
    if not held_back.total:
        return None
    count = min(held_back.total, VALIDATION_WINDOWS)
    chosen = torch.linspace(0, held_back.total - 1, count).round().long()
    model.eval()
    with torch.no_grad():
        batches = (windows.gather(*held_back.locate(part)).to(device) for part in chosen.split(EVALUATION_BATCH))
        total = sum(float(model(batch)) * len(batch) for batch in batches)
    model.train()
    return total / count


def learning_rate(step: int, steps: int, config: FitConfig) -> float:
    """Rate of a step: up by a cosine over the first 15 %, then down to 1/1000 (Smith & Topin 2019), or as asked."""
    if config.schedule == "constant":
        return config.learning_rate
    warm_up = 0.15 * steps if config.schedule == "one_cycle" else 0.0
    if step < warm_up:
        share = 0.5 * (1 - math.cos(math.pi * (step + 1) / (warm_up + 1)))
        return config.learning_rate * (0.04 + 0.96 * share)
    share = 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1.0, steps - warm_up)))
    return config.learning_rate * (1e-3 + (1 - 1e-3) * share)


class Average:
    """Exponential average of the weights; a context in which the model has them (Polyak & Juditsky 1992).

    Args:
        model: whose weights are averaged.
        decay: share of the old average kept at each step (less in the first steps); 0 averages nothing.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model, self.decay = model, decay
        self.weights = copied(model.state_dict()) if decay else {}

    def update(self, step: int) -> None:
        """Take the weights of this step in."""
        if not self.decay:
            return
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        with torch.no_grad():
            current = self.model.state_dict()
            torch._foreach_lerp_(list(self.weights.values()), [current[name] for name in self.weights], share)

    def to(self, device: torch.device) -> None:
        """Move the average to where the model is."""
        self.weights = {name: value.to(device) for name, value in self.weights.items()}

    def __enter__(self) -> None:
        if self.decay:
            self._own = copied(self.model.state_dict())
            self.model.load_state_dict(self.weights)

    def __exit__(self, *error: object) -> None:
        if self.decay:
            self.model.load_state_dict(self._own)


def copied(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights as they are now, safe from later steps."""
    return {name: value.clone() for name, value in weights.items()}


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


def _finite(loss: Tensor, step: int, batch: Batch, windows: Windows) -> float:
    value = float(loss.detach())
    if math.isfinite(value):
        return value
    ids = list(dict.fromkeys(str(windows.panel.ids[i]) for i in batch.series.tolist()))
    raise TrainingError(
        f"the loss is {value} at step {step + 1}; the batch holds series {', '.join(ids[:5])}"
        f"{' …' if len(ids) > 5 else ''}. Try a lower FitConfig.learning_rate or clip, or scaler='robust'"
    )


def _entry(step: int, losses: list[float], held: float | None, rate: float, seconds: float) -> dict[str, Any]:
    mean = sum(losses) / max(1, len(losses))
    return {"step": step, "train_loss": mean, "val_loss": held, "lr": rate, "seconds": seconds}
