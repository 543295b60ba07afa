"""Averages of the weights over the steps, evaluated and kept instead of the last weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gatecast.training.config import FitConfig


class Average:
    """No averaging: base of the averages. As a context manager, it puts the averaged weights into the model.

    Args:
        model: the network whose weights are averaged.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.weights: dict[str, Tensor] = {}

    def weight(self, step: int) -> float | None:
        """Weight of step ``step`` in the average; None: no average yet."""
        return None

    def update(self, step: int) -> None:
        """Add the weights of this step to the average."""
        weight = self.weight(step)
        if weight is None:
            return
        current = self.model.state_dict()
        if not self.weights:
            self.weights = copy_weights(current)
        with torch.no_grad():
            torch._foreach_lerp_(list(self.weights.values()), [current[name] for name in self.weights], weight)

    def __enter__(self) -> None:
        if self.weights:
            self._last = copy_weights(self.model.state_dict())
            self.model.load_state_dict(self.weights)

    def __exit__(self, *error: object) -> None:
        if self.weights:
            self.model.load_state_dict(self._last)


class ExponentialAverage(Average):
    """``average = d * average + (1 - d) * weights``, ``d`` smaller in the first steps (Polyak & Juditsky 1992).

    Args:
        model: the network whose weights are averaged.
        decay: ``d``.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__(model)
        self.decay, self.weights = decay, copy_weights(model.state_dict())

    def weight(self, step: int) -> float:
        return 1 - min(self.decay, (1 + step) / (10 + step))


class EqualAverage(Average):
    """The mean over the last steps: stochastic weight averaging (Izmailov et al. 2018, arXiv:1803.05407).

    Args:
        model: the network whose weights are averaged.
        first: first step (from 0) that counts.
    """

    def __init__(self, model: nn.Module, first: int) -> None:
        super().__init__(model)
        self.first = first

    def weight(self, step: int) -> float | None:
        return None if step < self.first else 1 / (step - self.first + 1)


def average_of(model: nn.Module, config: FitConfig, steps: int) -> Average:
    """The average that the settings name."""
    if config.ema:
        return ExponentialAverage(model, config.ema)
    if config.swa:
        return EqualAverage(model, steps - max(1, round(config.swa * steps)))
    return Average(model)


def copy_weights(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """A copy that later steps do not change."""
    return {name: value.clone() for name, value in weights.items()}
