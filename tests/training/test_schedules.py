"""Learning rates: the equations of each schedule, the warm-up before them, and their texts."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from fixtures.refused import refused

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.training.config import FitConfig
from gatecast.training.schedules import Constant, Cosine, OneCycle, Plateau, Schedule, learning_rate, schedule_text

STEPS = 100


def rates(schedule: Any, *, warm_up: int = 0) -> list[float]:
    config = FitConfig(schedule=schedule, learning_rate=1.0, warm_up=warm_up)
    return [learning_rate(step, STEPS, config) for step in range(STEPS)]


def history(*losses: float | None) -> list[dict[str, Any]]:
    return [{"train_loss": 9.0 - k, "val_loss": loss} for k, loss in enumerate(losses)]


@pytest.mark.parametrize(
    ("schedule", "step", "expected"),
    [
        ("constant", 0, 1.0),
        ("constant", 99, 1.0),
        ("cosine", 0, 1.0),
        ("cosine", 50, 0.5005),
        ("cosine(end=0.5)", 50, 0.75),
        ("one_cycle", 0, 0.04 + 0.96 * 0.5 * (1 - math.cos(math.pi / 16))),
        ("one_cycle", 7, 0.52),
        ("one_cycle", 15, 1.0),
        ("one_cycle(rise=0.5, start=0, end=0)", 75, 0.5),
        ("one_cycle(rise=0)", 0, 1.0),
    ],
)
def test_learning_rates(schedule: str, step: int, expected: float) -> None:
    assert rates(schedule)[step] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine"])
def test_the_last_rate_is_near_zero(schedule: str) -> None:
    config = FitConfig(schedule=schedule, learning_rate=1.0)
    assert learning_rate(STEPS, STEPS, config) == pytest.approx(1e-3)


def test_a_warm_up_rises_in_a_line_and_the_schedule_follows_it() -> None:
    warm = rates("cosine", warm_up=4)
    assert warm[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    config = FitConfig(schedule="cosine", learning_rate=1.0)
    assert warm[4:] == [learning_rate(step, STEPS - 4, config) for step in range(STEPS - 4)]
    assert learning_rate(0, 3, FitConfig(warm_up=50)) > 0  # a run shorter than its warm-up


LOSSES = [1.0, 0.9, 0.95, 0.91, 0.9, 0.8, 0.85, 0.85, 0.85, 0.85, 0.85, 0.7, 0.71, 0.71]


@pytest.mark.parametrize("patience", [1, 2, 3])
def test_a_plateau_is_that_of_pytorch(patience: int) -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.3, patience=patience - 1, threshold=0.0, threshold_mode="abs", min_lr=0.05
    )  # PyTorch cuts one evaluation after its patience, Keras (and ours) at it
    config = FitConfig(schedule=Plateau(factor=0.3, patience=patience, floor=0.05), learning_rate=1.0)
    for count, loss in enumerate(LOSSES):
        theirs.step(loss)
        expected = optimizer.param_groups[0]["lr"]
        assert learning_rate(count, STEPS, config, history(*LOSSES[: count + 1])) == pytest.approx(expected)


def test_a_plateau_without_held_back_windows_goes_by_the_training_loss() -> None:
    config = FitConfig(schedule="plateau(patience=1)", learning_rate=1.0)
    assert learning_rate(9, STEPS, config, history(None, None, None)) == 1.0  # 9, 8, 7: it falls
    assert learning_rate(9, STEPS, config, history(1.0, 1.0, 1.0)) == 0.25


@pytest.mark.parametrize("patience", [6, 8])
def test_a_plateau_that_early_stopping_preempts_is_refused(patience: int) -> None:
    schedule = f"plateau(patience={patience})"
    waits = [
        "never cut the rate: training stops after 6 evaluations without improvement",
        f"and the plateau waits for {patience}",
    ]
    remedy = ["take a plateau(patience=…) below ", Arg("patience", of="FitConfig")]
    with refused(SettingError, problem=[Arg("schedule", schedule, of="FitConfig"), *waits], remedy=remedy):
        FitConfig(schedule=schedule)
    assert FitConfig(schedule=schedule, patience=patience + 1).schedule == schedule
    assert FitConfig(schedule=schedule, validation=0).schedule == schedule  # nothing stops early
    assert FitConfig(schedule=Plateau(patience=patience, min_delta=0.1)).patience == 6  # it counts small gains as none


def test_a_plateau_counts_small_gains_as_none() -> None:
    config = FitConfig(schedule="plateau(patience=1, min_delta=0.1)", learning_rate=1.0)
    assert learning_rate(9, STEPS, config, history(1.0, 0.95, 0.8)) == 0.5


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        (Plateau(), "plateau"),
        ("plateau(patience=2,  factor=0.5)", "plateau(patience=2)"),
        (OneCycle(rise=0.3), "one_cycle(rise=0.3)"),
        (Cosine(), "cosine"),
        (Constant(), "constant"),
    ],
)
def test_a_schedule_is_kept_as_its_text(schedule: Any, text: str) -> None:
    assert FitConfig(schedule=schedule).schedule == text
    assert schedule_text(text) == text


@pytest.mark.parametrize(
    ("schedule", "problem"),
    [
        ("up", [Arg("schedule", of="FitConfig"), "must be one of one_cycle, cosine, constant, plateau or", "got 'up'"]),
        ("plateau(factor=2)", [Arg("factor", of="Plateau"), "at least 0 and at most 1", "got 2"]),
        ("plateau(patience=0)", [Arg("patience", of="Plateau"), "at least 1", "got 0"]),
        ("plateau(min_delta=-1)", [Arg("min_delta", of="Plateau"), "at least 0", "got -1"]),
        ("cosine(end=-0.1)", [Arg("end", of="Cosine"), "at least 0 and at most 1", "got -0.1"]),
        ("cosine(rise=0.1)", [Arg("schedule", of="FitConfig"), "cosine takes the settings end", "got 'rise'"]),
        (Schedule(), ["cannot be written as text", "is not one of one_cycle, cosine, constant, plateau"]),
    ],
)
def test_invalid_schedules_are_refused(schedule: Any, problem: list[str | Arg]) -> None:
    with refused(SettingError, problem=problem):
        FitConfig(schedule=schedule)
