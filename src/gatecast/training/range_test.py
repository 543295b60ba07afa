"""The learning-rate range test (Smith 2017, arXiv:1506.01186, section 3.3)."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.batches.windows import WindowOrigins, Windows
from gatecast.nn.draws import drawing
from gatecast.training.config import FitConfig
from gatecast.training.engine import engine_of
from gatecast.training.loop import flushed_denormals
from gatecast.training.optimizers import optimizer_of
from gatecast.training.sampler import Sampler
from gatecast.training.step import accumulate, clip_gradients, set_rate

SMOOTHING = 0.9  # decay of the smoothed loss
DIVERGED = 4.0  # the test ends when the smoothed loss exceeds its start by this factor
FEWEST = 10  # steps needed for a suggestion


@dataclass(frozen=True)
class RateSearch:
    """Result of a range test.

    Args:
        rates: learning rate of each step, rising by a constant factor.
        losses: smoothed training loss of each step; the batch of the step has weight 0.1.
        suggestion: rate at which the loss fell fastest; use it, or a little less, as ``FitConfig.learning_rate``.
        diverged: rate at which the loss diverged; None: it did not.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float
    diverged: float | None

    def __repr__(self) -> str:
        """The result without the curve."""
        end = "nowhere" if self.diverged is None else f"at {self.diverged:.2g}"
        span = f"{len(self.rates)} steps from {self.rates[0]:.2g} to {self.rates[-1]:.2g}" if self.rates else "no steps"
        return f"RateSearch(suggestion={self.suggestion:.3g}; diverged {end}; {span})"

    def plot(self, *, ax: Any = None) -> Any:
        """The loss over the rate, with the suggestion marked; returns the axes (matplotlib, extra ``plot``)."""
        from gatecast.plots import plot_rates

        return plot_rates(self.rates, self.losses, self.suggestion, ax=ax)


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
    """Train a copy of the model while the learning rate rises from ``lowest`` to ``highest``, until it diverges.

    The rate of step ``k`` is ``lowest * (highest / lowest) ** (k / (steps - 1))``. Neither the model nor the random
    state of the process changes.

    Args:
        model: returns the mean loss of a batch; usually untrained.
        windows: source of batches.
        training: windows to train on.
        config: optimizer, batch size, clipping and so on; learning rate and schedule are ignored.
        seed: of the order of windows and of dropout.
        lowest: first rate.
        highest: last rate.
        steps: largest number of steps.

    Raises:
        SettingError: the rates do not rise, there are too few steps, or the loss diverges at the first rates.
    """
    if not 0 < lowest < highest or steps < FEWEST:
        raise SettingError(
            f"find_lr needs 0 < lowest < highest and at least {FEWEST} steps, got "
            + Arg("lowest", lowest)
            + ", "
            + Arg("highest", highest)
            + ", "
            + Arg("steps", steps)
        )
    rates = [lowest * (highest / lowest) ** (k / (steps - 1)) for k in range(steps)]
    with drawing(seed), flushed_denormals():
        raw = _swept(copy.deepcopy(model), windows, training, config, rates, seed)
    smooth = smoothed(raw)
    ended = _end(smooth)
    if ended < FEWEST:
        raise SettingError(
            f"the loss diverged after {ended} steps, at a rate of {rates[max(0, ended - 1)]:.2g}",
            "start lower, with " + Arg("lowest", lowest / 100),
        )
    diverged = rates[ended] if ended < steps else None
    return RateSearch(tuple(rates[:ended]), tuple(smooth[:ended]), _steepest(rates, smooth[:ended]), diverged)


def _swept(
    model: nn.Module, windows: Windows, training: WindowOrigins, config: FitConfig, rates: Sequence[float], seed: int
) -> list[float]:
    """Loss of each step, up to the first that is not finite."""
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
        finite = math.isfinite(losses[-1]) and math.isfinite(clip_gradients(weights, config))
        if not finite or _end(smoothed(losses)) <= step:
            break
        optimizer.step()
    return losses


def smoothed(losses: Sequence[float]) -> list[float]:
    """Exponential average with bias correction (Kingma & Ba 2015, algorithm 1)."""
    average, found = 0.0, []
    for count, loss in enumerate(losses, 1):
        average = SMOOTHING * average + (1 - SMOOTHING) * loss
        found.append(average / (1 - SMOOTHING**count))
    return found


def _end(smooth: Sequence[float]) -> int:
    """Number of steps before the loss diverges.

    Losses may be negative (likelihoods), so the bound is a distance from the start and not a multiple of the best loss.
    """
    best = first = smooth[0]
    for step, loss in enumerate(smooth):
        best = min(best, loss)
        bound = first + (DIVERGED - 1) * max(abs(first), first - best)
        if not math.isfinite(loss) or (step >= FEWEST and loss > bound):
            return step
    return len(smooth)


def _steepest(rates: Sequence[float], smooth: Sequence[float]) -> float:
    """Rate at which the loss falls fastest, over the logarithm of the rate."""
    span = max(1, len(smooth) // 20)
    falls = [smooth[k + span] - smooth[k - span] for k in range(span, len(smooth) - span)]
    return rates[span + min(range(len(falls)), key=falls.__getitem__)]
