"""Learning-rate schedules: pure functions of the step and the losses, so that a resumed run has the same rates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gatecast.base.named import from_text, to_text
from gatecast.base.options import check_options, option

if TYPE_CHECKING:
    from gatecast.training.config import FitConfig


class Schedule:
    """A learning rate over the steps."""

    def __post_init__(self) -> None:
        check_options(self)

    def fraction(self, step: int, steps: int, losses: Sequence[float]) -> float:
        """Learning rate as a fraction of the peak.

        Args:
            step: counted from 0, after any warm-up.
            steps: number of steps without the warm-up.
            losses: of the evaluations so far, oldest first.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Rise by half a cosine, then fall by half a cosine to nearly 0 (Smith & Topin 2019, arXiv:1708.07120).

    With ``r = rise * steps``::

        step < r:  start + (1 - start) * (1 - cos(pi * (step + 1) / (r + 1))) / 2
        else:      end + (1 - end) * (1 + cos(pi * (step - r) / (steps - r))) / 2
    """

    rise: float = option(0.15, "Fraction of the steps that rise.", least=0, most=1)
    start: float = option(0.04, "First rate, as a fraction of the peak.", least=0, most=1)
    end: float = option(1e-3, "Last rate, as a fraction of the peak.", least=0, most=1)

    def fraction(self, step: int, steps: int, losses: Sequence[float]) -> float:
        rise = self.rise * steps
        if step < rise:
            up = 0.5 * (1 - math.cos(math.pi * (step + 1) / (rise + 1)))
            return self.start + (1 - self.start) * up
        return _down(step - rise, steps - rise, self.end)


@dataclass(frozen=True)
class Cosine(Schedule):
    """Fall by half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5, without restarts)::

    end + (1 - end) * (1 + cos(pi * step / steps)) / 2
    """

    end: float = option(1e-3, "Last rate, as a fraction of the peak.", least=0, most=1)

    def fraction(self, step: int, steps: int, losses: Sequence[float]) -> float:
        return _down(step, steps, self.end)


@dataclass(frozen=True)
class Constant(Schedule):
    """A constant rate."""

    def fraction(self, step: int, steps: int, losses: Sequence[float]) -> float:
        return 1.0


@dataclass(frozen=True)
class Plateau(Schedule):
    """Cut the rate when the loss stops falling (``ReduceLROnPlateau`` of Keras).

    Uses the validation loss; without held-back windows, the training loss since the previous evaluation.
    """

    factor: float = option(0.5, "Factor of the rate at each cut.", least=0, most=1)
    patience: int = option(3, "Evaluations without improvement before a cut; below FitConfig.patience.", least=1)
    min_delta: float = option(0.0, "Least decrease of the loss that counts as an improvement.", least=0)
    floor: float = option(1e-3, "Lowest rate, as a fraction of the peak.", least=0, most=1)

    def fraction(self, step: int, steps: int, losses: Sequence[float]) -> float:
        share, best, stale = 1.0, math.inf, 0
        for loss in losses:
            if loss < best - self.min_delta:
                best, stale = loss, 0
            else:
                stale += 1
            if stale >= self.patience:
                share, stale = max(share * self.factor, self.floor), 0
        return share


SCHEDULES: dict[str, type[Schedule]] = {
    "one_cycle": OneCycle,
    "cosine": Cosine,
    "constant": Constant,
    "plateau": Plateau,
}


def schedule_text(value: str | Schedule) -> str:
    """A schedule as text, with the settings that are not the defaults.

    Raises:
        SettingError: unknown schedule or setting.
    """
    return to_text(from_text("FitConfig.schedule", value, SCHEDULES), SCHEDULES)


def learning_rate(step: int, steps: int, config: FitConfig, history: Sequence[Mapping[str, Any]] = ()) -> float:
    """Learning rate of a step: linear warm-up (Goyal et al. 2017, arXiv:1706.02677), then the schedule.

    Args:
        step: counted from 0.
        steps: number of steps of the run.
        config: peak rate, warm-up and schedule.
        history: evaluations so far.
    """
    schedule, warm_up = schedule_of(config.schedule), min(config.warm_up, steps - 1)
    losses = [entry["train_loss"] if entry["val_loss"] is None else entry["val_loss"] for entry in history]
    share = schedule.fraction(max(0, step - warm_up), steps - warm_up, losses)
    if step < warm_up:
        share *= (step + 1) / (warm_up + 1)
    return config.learning_rate * share


@lru_cache(maxsize=64)
def schedule_of(text: str) -> Schedule:
    """The schedule of a text."""
    schedule: Schedule = from_text("FitConfig.schedule", text, SCHEDULES)
    return schedule


def _down(step: float, steps: float, end: float) -> float:
    """From 1 to ``end`` by half a cosine."""
    return end + (1 - end) * (0.5 * (1 + math.cos(math.pi * step / max(1.0, steps))))
