"""Averages of the weights over the steps."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gatecast.training.averages import Average, EqualAverage, ExponentialAverage, average_of
from gatecast.training.config import FitConfig


def walked(average: Average, steps: int) -> list[float]:
    """The average's weight after each step of a weight that is 1, 2, 3 …"""
    seen = []
    with torch.no_grad():
        for step in range(steps):
            average.model.weight.fill_(step + 1.0)  # type: ignore[union-attr, operator]
            average.update(step)
            with average:
                seen.append(average.model.weight.item())  # type: ignore[union-attr, operator]
    assert average.model.weight.item() == steps  # type: ignore[union-attr, operator]
    return seen


def scalar() -> nn.Module:
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    return model


def test_an_exponential_average() -> None:
    expected, seen = 0.0, walked(ExponentialAverage(scalar(), 0.3), 5)
    for step, value in enumerate(seen):
        keep = min(0.3, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * (step + 1)
        assert value == pytest.approx(expected, rel=1e-6)


def test_an_equal_average_is_the_mean_from_its_first_step_on() -> None:
    assert walked(EqualAverage(scalar(), 2), 6) == pytest.approx([1, 2, 3, 3.5, 4, 4.5])


@pytest.mark.parametrize(
    ("settings", "kind"),
    [({"ema": 0.9}, ExponentialAverage), ({"swa": 0.25}, EqualAverage), ({}, Average), ({"swa": 1e-9}, EqualAverage)],
)
def test_the_settings_choose_the_average(settings: dict[str, float], kind: type) -> None:
    average = average_of(scalar(), FitConfig(**settings), steps=20)  # type: ignore[arg-type]
    assert type(average) is kind
    if isinstance(average, EqualAverage):
        assert average.first == (15 if settings["swa"] == 0.25 else 19)


def test_nothing_is_averaged_by_default() -> None:
    assert walked(Average(scalar()), 3) == [1, 2, 3]
