"""Schedules: the learning rate of a step as a share of the highest one, a pure function of the step and the losses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gatecast.base.errors import SettingError
from gatecast.base.named import from_text, to_text
from gatecast.base.options import option

if TYPE_CHECKING:
    from gatecast.training.config import FitConfig


class Schedule:
    """What every schedule gives."""

    def share(self, step: int, steps: int, losses: Sequence[float]) -> float:
        """Share of the highest rate.

        Args:
            step: counted from 0, after the warm-up where there is one.
            steps: number of steps without the warm-up.
            losses: of the evaluations so far, oldest first.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up by a cosine over the first steps, then down by a cosine to nearly 0 (Smith & Topin 2019, arXiv:1708.07120).

    With ``r = rise * steps``::

        step < r:  start + (1 - start) * (1 - cos(pi * (step + 1) / (r + 1))) / 2
        else:      end + (1 - end) * (1 + cos(pi * (step - r) / (steps - r))) / 2
    """

    rise: float = option(0.15, "share of the steps that go up")
    start: float = option(0.04, "first rate, as a share of the highest")
    end: float = option(1e-3, "last rate, as a share of the highest")

    def __post_init__(self) -> None:
        _require_shares(self, "rise", "start", "end")

    def share(self, step: int, steps: int, losses: Sequence[float]) -> float:
        rise = self.rise * steps
        if step < rise:
            up = 0.5 * (1 - math.cos(math.pi * (step + 1) / (rise + 1)))
            return self.start + (1 - self.start) * up
        return _down(step - rise, steps - rise, self.end)


@dataclass(frozen=True)
class Cosine(Schedule):
    """Down by half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5, without restarts)::

    end + (1 - end) * (1 + cos(pi * step / steps)) / 2
    """

    end: float = option(1e-3, "last rate, as a share of the highest")

    def __post_init__(self) -> None:
        _require_shares(self, "end")

    def share(self, step: int, steps: int, losses: Sequence[float]) -> float:
        return _down(step, steps, self.end)


@dataclass(frozen=True)
class Constant(Schedule):
    """The same rate at every step."""

    def share(self, step: int, steps: int, losses: Sequence[float]) -> float:
        return 1.0


@dataclass(frozen=True)
class Plateau(Schedule):
    """Cut the rate each time the loss has stopped falling (``ReduceLROnPlateau`` of Keras).

    The loss is the held-back one; where no windows are held back, the training loss since the evaluation before.
    """

    factor: float = option(0.5, "what the rate is multiplied by at each cut")
    patience: int = option(3, "evaluations without a better loss before a cut; take fewer than FitConfig.patience")
    min_delta: float = option(0.0, "a loss is better where it is lower by more than this")
    floor: float = option(1e-3, "least rate, as a share of the highest")

    def __post_init__(self) -> None:
        _require_shares(self, "factor", "floor")
        if self.patience < 1 or self.min_delta < 0:
            raise SettingError(f"plateau takes a patience of at least 1 and a min_delta of at least 0; got {self}")

    def share(self, step: int, steps: int, losses: Sequence[float]) -> float:
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
        SettingError: there is no such schedule, or it has no such settings.
    """
    return to_text(from_text("FitConfig.schedule", value, SCHEDULES), SCHEDULES)


def learning_rate(step: int, steps: int, config: FitConfig, history: Sequence[Mapping[str, Any]] = ()) -> float:
    """Rate of a step: a straight line up over the warm-up (Goyal et al. 2017, arXiv:1706.02677), then the schedule.

    Args:
        step: counted from 0.
        steps: number of steps of the run.
        config: rate, warm-up and schedule.
        history: the evaluations so far.
    """
    schedule, warm_up = schedule_of(config.schedule), min(config.warm_up, steps - 1)
    losses = [entry["train_loss"] if entry["val_loss"] is None else entry["val_loss"] for entry in history]
    share = schedule.share(max(0, step - warm_up), steps - warm_up, losses)
    if step < warm_up:
        share *= (step + 1) / (warm_up + 1)
    return config.learning_rate * share


@lru_cache(maxsize=64)
def schedule_of(text: str) -> Schedule:
    """The schedule that a text stands for."""
    schedule: Schedule = from_text("FitConfig.schedule", text, SCHEDULES)
    return schedule


def _down(step: float, steps: float, end: float) -> float:
    """From 1 to ``end`` by half a cosine."""
    return end + (1 - end) * (0.5 * (1 + math.cos(math.pi * step / max(1.0, steps))))


def _require_shares(schedule: Schedule, *names: str) -> None:
    for name in names:
        value = getattr(schedule, name)
        if not 0 <= value <= 1:
            kind = type(schedule).__name__
            raise SettingError(f"{name} of the schedule {kind} is a share between 0 and 1; got {value}")
