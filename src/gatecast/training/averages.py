"""Averages of the weights over the steps, which are evaluated and kept in the place of the last ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gatecast.training.config import FitConfig


class Average:
    """An average of the weights; a context in which the model has them. This one averages nothing.

    Args:
        model: whose weights are averaged.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.weights: dict[str, Tensor] = {}

    def share(self, step: int) -> float | None:
        """Share of the weights of step ``step`` in the average; None: no average yet."""
        return None

    def update(self, step: int) -> None:
        """Take the weights of this step in."""
        share = self.share(step)
        if share is None:
            return
        current = self.model.state_dict()
        if not self.weights:
            self.weights = copied(current)
        with torch.no_grad():
            torch._foreach_lerp_(list(self.weights.values()), [current[name] for name in self.weights], share)

    def __enter__(self) -> None:
        if self.weights:
            self._own = copied(self.model.state_dict())
            self.model.load_state_dict(self.weights)

    def __exit__(self, *error: object) -> None:
        if self.weights:
            self.model.load_state_dict(self._own)


class Exponential(Average):
    """``average = d * average + (1 - d) * weights``, with a smaller ``d`` in the first steps (Polyak & Juditsky 1992).

    Args:
        model: whose weights are averaged.
        decay: ``d``, the share of the old average kept at each step.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__(model)
        self.decay, self.weights = decay, copied(model.state_dict())

    def share(self, step: int) -> float:
        return 1 - min(self.decay, (1 + step) / (10 + step))


class Equal(Average):
    """The plain mean over the last steps: stochastic weight averaging (Izmailov et al. 2018, arXiv:1803.05407).

    Args:
        model: whose weights are averaged.
        first: first step (from 0) whose weights count.
    """

    def __init__(self, model: nn.Module, first: int) -> None:
        super().__init__(model)
        self.first = first

    def share(self, step: int) -> float | None:
        return None if step < self.first else 1 / (step - self.first + 1)


def average_of(model: nn.Module, config: FitConfig, steps: int) -> Average:
    """The average that the settings ask for."""
    if config.ema:
        return Exponential(model, config.ema)
    if config.swa:
        return Equal(model, steps - max(1, round(config.swa * steps)))
    return Average(model)


def copied(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights as they are now, safe from later steps."""
    return {name: value.clone() for name, value in weights.items()}
