"""The learning-rate range test (Smith 2017, arXiv:1506.01186, section 3.3): which rates the network learns at."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from gatecast.base.errors import SettingError
from gatecast.batches.windows import WindowOrigins, Windows
from gatecast.training.config import FitConfig
from gatecast.training.engine import engine_of
from gatecast.training.loop import flushed_denormals
from gatecast.training.optimizers import optimizer_of
from gatecast.training.sampler import Sampler
from gatecast.training.step import accumulate, cut, set_rate

KEPT = 0.9  # share of the old value in the smoothed loss
DIVERGED = 4.0  # a smoothed loss of so many times the first one ends the test
FEWEST = 10  # steps that a suggestion needs


@dataclass(frozen=True)
class RateSearch:
    """What a range test found.

    Args:
        rates: learning rate of each step, rising by a constant factor.
        losses: training loss of each step, smoothed: a step's own batch counts a tenth.
        suggestion: rate at which the loss fell fastest; take it, or a little less, as ``FitConfig.learning_rate``.
        diverged: rate at which the loss had grown out of bounds; None where it never did.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float
    diverged: float | None

    def __repr__(self) -> str:
        """What it found, without the curve."""
        end = "nowhere" if self.diverged is None else f"at {self.diverged:.2g}"
        span = f"{len(self.rates)} steps from {self.rates[0]:.2g} to {self.rates[-1]:.2g}" if self.rates else "no steps"
        return f"RateSearch(suggestion={self.suggestion:.3g}; diverged {end}; {span})"

    def plot(self, *, ax: Any = None) -> Any:
        """The loss over the rate, with the suggestion marked; gives the axes (matplotlib, extra ``plot``)."""
        from gatecast.plots.draw import plot_rates

        return plot_rates(self, ax=ax)


def find_lr(
    model: nn.Module,
    windows: Windows,
    training: WindowOrigins,
    config: FitConfig,
    *,
    seed: int,
    lowest: float = 1e-6,
    highest: float = 1.0,
    steps: int = 100,
) -> RateSearch:
    """Train a copy of the model while the learning rate rises from ``lowest`` to ``highest``; stop where it diverges.

    The rate of step ``k`` is ``lowest * (highest / lowest) ** (k / (steps - 1))``. Neither the model nor the random
    state of the process changes.

    Args:
        model: gives the mean loss of a batch of windows; untrained, to learn about a first training.
        windows: gathers batches.
        training: windows to learn from.
        config: optimiser, batch size, clipping and the like; its learning rate and schedule are not used.
        seed: of the order of windows and of dropout.
        lowest, highest: first and last rate.
        steps: at most.

    Raises:
        SettingError: the rates do not rise, the steps are too few, or the loss is not finite from the beginning.
    """
    if not 0 < lowest < highest or steps < FEWEST:
        raise SettingError(
            f"find_lr needs 0 < lowest < highest and at least {FEWEST} steps; got lowest={lowest}, highest={highest}, "
            f"steps={steps}"
        )
    rates = [lowest * (highest / lowest) ** (k / (steps - 1)) for k in range(steps)]
    with torch.random.fork_rng([] if config.accelerator == "cpu" else None), flushed_denormals():
        torch.manual_seed(seed)
        raw = _swept(copy.deepcopy(model), windows, training, config, rates, seed)
    smooth = smoothed(raw)
    ended = _end(smooth)
    if ended < FEWEST:
        raise SettingError(
            f"the loss was out of bounds after {ended} steps, at a rate of {rates[max(0, ended - 1)]:.2g}; begin "
            f"lower: find_lr(lowest={lowest / 100:g})"
        )
    diverged = rates[ended] if ended < steps else None
    return RateSearch(tuple(rates[:ended]), tuple(smooth[:ended]), _steepest(rates, smooth[:ended]), diverged)


def _swept(
    model: nn.Module, windows: Windows, training: WindowOrigins, config: FitConfig, rates: Sequence[float], seed: int
) -> list[float]:
    """The loss of each step, up to the first that is not finite."""
    engine = engine_of(config)
    network, optimizer = engine.setup(model, optimizer_of(model, replace(config, learning_rate=rates[0])))
    sampler, weights = Sampler(training.total, config.batch_size * config.accumulate, seed), list(model.parameters())
    losses: list[float] = []
    for step, rate in enumerate(rates):
        set_rate(optimizer, rate)
        places = (training.locate(part) for part in sampler(step).split(config.batch_size))
        batches = [windows.gather(*place).to(engine.device) for place in places]
        optimizer.zero_grad(set_to_none=True)
        losses.append(accumulate(engine, network, batches, config.precision))
        if not math.isfinite(losses[-1]) or not math.isfinite(cut(weights, config)) or _end(smoothed(losses)) <= step:
            break
        optimizer.step()
    return losses


def smoothed(losses: Sequence[float]) -> list[float]:
    """Exponential average, corrected for its start as Adam's are (Kingma & Ba 2015, algorithm 1)."""
    average, found = 0.0, []
    for count, loss in enumerate(losses, 1):
        average = KEPT * average + (1 - KEPT) * loss
        found.append(average / (1 - KEPT**count))
    return found


def _end(smooth: Sequence[float]) -> int:
    """Number of steps before the loss is out of bounds: as far above its start as ``DIVERGED`` says.

    Losses may be negative (likelihoods), so that the bound is no multiple of the best one.
    """
    best = first = smooth[0]
    for step, loss in enumerate(smooth):
        best = min(best, loss)
        bound = first + (DIVERGED - 1) * max(abs(first), first - best)
        if not math.isfinite(loss) or (step >= FEWEST and loss > bound):
            return step
    return len(smooth)


def _steepest(rates: Sequence[float], smooth: Sequence[float]) -> float:
    """Rate at which the loss falls fastest, per factor of the rate."""
    span = max(1, len(smooth) // 20)
    falls = [smooth[k + span] - smooth[k - span] for k in range(span, len(smooth) - span)]
    return rates[span + min(range(len(falls)), key=falls.__getitem__)]
