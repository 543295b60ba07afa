"""The learning-rate range test."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from fixtures.cases import panel_of, wave
from fixtures.refused import refused
from torch import Tensor, nn

from gatecast import FitConfig, LSTMForecaster, NetConfig
from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.batches.windows import Batch, InputScales, Windows, split_origins
from gatecast.training import RateSearch, find_lr
from gatecast.training.range_test import smoothed

CONFIG = FitConfig(batch_size=16, weight_decay=0.0, progress=False)


class Bowl(nn.Module):
    """A loss of one weight: ``(weight - 1)² + lowest``; Adam moves the weight by about the rate at each step."""

    def __init__(self, lowest: float = 0.0) -> None:
        super().__init__()
        self.weight, self.lowest = nn.Parameter(torch.zeros(1)), lowest

    def forward(self, batch: Batch) -> Tensor:
        return (self.weight - 1).square().sum() + self.lowest


def search(model: nn.Module, **settings: Any) -> RateSearch:
    panel = panel_of(wave(80))
    windows = Windows(panel, 12, 4, scales=InputScales.fit(panel))
    training, _ = split_origins(panel, 12, 4, held_back=0)
    return find_lr(model, windows, training, CONFIG, seed=1, **settings)


def test_rates_rise_by_a_factor_up_to_where_the_loss_diverges() -> None:
    found = search(Bowl(), lowest=1e-5, highest=100.0, steps=71)
    ratio = 10 ** (7 / 70)
    assert [b / a for a, b in zip(found.rates, found.rates[1:], strict=False)] == pytest.approx(
        [ratio] * (len(found.rates) - 1)
    )
    assert found.rates[0] == pytest.approx(1e-5)
    assert len(found.losses) == len(found.rates) < 71
    assert found.diverged is not None
    assert found.diverged == pytest.approx(found.rates[-1] * ratio)
    assert 0.01 < found.suggestion < 1  # the weight goes from 0 to 1 in a few steps there


def test_a_loss_that_falls_all_the_time_does_not_diverge() -> None:
    found = search(Bowl(), highest=1e-2)
    assert found.diverged is None
    assert len(found.rates) == 100
    assert found.suggestion > 1e-3


def test_it_is_shown_without_its_curve() -> None:
    losses = (1.0, 0.5, 0.7)
    found = RateSearch((1e-5, 1e-3, 1e-1), losses, suggestion=2.5e-3, diverged=0.316)
    assert repr(found) == "RateSearch(suggestion=0.0025; diverged at 0.32; 3 steps from 1e-05 to 0.1)"
    assert "diverged nowhere" in repr(RateSearch((1e-5,), (1.0,), suggestion=1e-3, diverged=None))


def test_losses_below_zero_diverge_too() -> None:
    found = search(Bowl(lowest=-5.0), lowest=1e-5, highest=1e4, steps=91)
    assert found.diverged is not None
    assert 0.01 < found.suggestion < 1


def test_smoothing_is_corrected_for_its_start() -> None:
    assert smoothed([2.0, 2.0, 2.0]) == pytest.approx([2, 2, 2])
    assert smoothed([1.0, 0.0])[1] == pytest.approx(0.09 / 0.19)


def test_the_model_and_the_random_state_stay() -> None:
    model, state = Bowl(), torch.get_rng_state()
    search(model)
    assert model.weight.item() == 0.0
    assert model.weight.grad is None
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"lowest": 0.0}, "0 < lowest < highest"),
        ({"lowest": 1.0, "highest": 0.1}, "0 < lowest < highest"),
        ({"steps": 9}, "at least 10 steps"),
    ],
)
def test_invalid_settings_are_refused(settings: dict[str, Any], expected: str) -> None:
    with refused(SettingError, problem=[expected, *(Arg(name, value) for name, value in settings.items())]):
        search(Bowl(), **settings)


def test_a_loss_that_is_not_finite_from_the_start_suggests_a_lower_rate() -> None:
    with refused(SettingError, problem=["0 steps", "1e-06"], remedy=Arg("lowest", 1e-08)):
        search(Bowl(lowest=math.nan))


def test_a_forecaster_finds_its_rate_and_does_not_change() -> None:
    model = LSTMForecaster(4, net=NetConfig(hidden_size=8), fit=CONFIG)
    before, state = dict(vars(model)), torch.get_rng_state()
    found = model.find_lr(panel_of(wave(90)), steps=30)
    assert vars(model) == before
    assert torch.equal(torch.get_rng_state(), state)
    assert 1e-6 < found.suggestion < 1
    assert found == model.find_lr(panel_of(wave(90)), steps=30)


def test_the_plot_marks_the_suggestion() -> None:
    pytest.importorskip("matplotlib").use("Agg")
    found = search(Bowl(), steps=20)
    axes = found.plot()
    assert axes.get_xscale() == "log"
    assert axes.texts[0].get_text() == f"{found.suggestion:.2g}"
