"""Learning curves in words: synthetic ones of known kind, and a run that really overfits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fixtures.cases import panel_of
from fixtures.refused import refused

from gatecast import FitConfig, LSTMForecaster, NetConfig, explain_training, load
from gatecast.base.errors import SettingError
from gatecast.training.explain import noise_of

COUNT = 20


def curve(
    held: Any, train: Any = None, *, noise: float = 0.0, seed: int = 0, done: float = 1.0
) -> list[dict[str, Any]]:
    """Evaluations at steps 10, 20, … of these losses."""
    held = None if held is None else np.asarray(held) + np.random.default_rng(seed).normal(0, noise, COUNT)
    train = np.linspace(1, 0.2, COUNT) if train is None else np.asarray(train)
    return [
        {
            "step": 10 * (k + 1),
            "epoch": 0.5 * (k + 1),
            "progress": done * (k + 1) / COUNT,
            "train_loss": float(train[k]),
            "val_loss": None if held is None else float(held[k]),
        }
        for k in range(COUNT)
    ]


AT = np.arange(COUNT)
FALLING = 1.0 - 0.03 * AT
FLAT = 0.3 + 0.7 * np.exp(-AT / 2.0)
BOWL = 0.5 + 0.004 * (AT - 8.0) ** 2
LEVEL = np.full(COUNT, 0.4)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize(
    ("held", "state"),
    [(FALLING, "still learning"), (FLAT, "converged"), (BOWL, "overfitting"), (LEVEL, "not learning")],
    ids=["falling", "flat", "bowl", "level"],
)
@pytest.mark.parametrize("shift", [0.0, -3.0])  # the loss of a likelihood may be negative
def test_curves_of_a_known_kind(held: np.ndarray, state: str, noise: float, seed: int, shift: float) -> None:
    assert explain_training(curve(held + shift, noise=noise, seed=seed)).state == state


def test_noise_is_not_overfitting() -> None:
    states = [explain_training(curve(FLAT, noise=0.05, seed=seed)).state for seed in range(40)]
    assert states.count("overfitting") <= 2


def test_overfitting_names_its_beginning_and_what_to_do() -> None:
    found = explain_training(curve(BOWL, done=0.4))
    assert (found.since, found.kept, found.stopped_early) == (90, 90, True)
    assert found.text == (
        "Overfitting since step 90 (epoch 4.5): the held-back loss rose from 0.5027 to 0.9027 while the training loss "
        "fell from 0.6842 to 0.2421. More data, a smaller network, dropout or weight decay let it learn for longer. "
        "It stopped early, after 200 of 500 steps. The weights of step 90 were kept."
    )


def test_a_held_back_loss_that_rises_with_the_training_loss_is_not_overfitting() -> None:
    found = explain_training(curve(BOWL, train=BOWL))
    assert found.state == "not learning"
    assert "lower learning rate" in found.text


def test_a_falling_curve_is_reported_with_its_decrease() -> None:
    text = explain_training(curve(FALLING)).text
    assert text.startswith("Still learning: over the last 5 evaluations (steps 160 to 200) the held-back loss fell by ")
    assert "FitConfig(steps=…)" in text


def test_without_held_back_windows_the_training_loss_is_judged() -> None:
    found = explain_training(curve(None))
    assert found.state == "still learning"
    assert "overfitting cannot be detected" in found.text
    assert found.kept == 200


def test_a_loss_that_is_not_finite_is_named() -> None:
    found = explain_training(curve(np.where(AT == 3, np.inf, FALLING)))
    assert (found.state, found.since) == ("not learning", 40)


def test_few_evaluations_are_too_short() -> None:
    assert explain_training(curve(FLAT)[:4]).state == "too short"


def test_a_straight_line_has_no_noise_and_noise_has_its_standard_deviation() -> None:
    assert noise_of(FALLING) == pytest.approx(0, abs=1e-12)
    assert noise_of(np.random.default_rng(0).normal(0, 2.0, 4000)) == pytest.approx(2.0, rel=0.1)


def test_a_run_that_really_overfits_and_its_model_file(tmp_path: Any) -> None:
    panel = panel_of(*[np.random.default_rng(k).normal(size=60).cumsum() for k in range(2)])  # nothing to be learned
    net = NetConfig(kind="direct", hidden_size=48, dropout=0.0, linear=False, base="none", skip=False)
    fit = FitConfig(
        steps=200, learning_rate=1e-2, schedule="constant", patience=99, validation=6, weight_decay=0.0, refit=False
    )
    model = LSTMForecaster(4, context=12, net=net, fit=fit).fit(panel)
    found = explain_training(model)
    assert found.state == "overfitting"
    assert found.kept == model.best_step_ <= 100
    again = explain_training(load(model.save(tmp_path / "model.gatecast")))
    assert (again.text, again.history) == (found.text, found.history)


@pytest.mark.parametrize("model", [LSTMForecaster(3), [], "model.gatecast", 3])
def test_objects_without_history_are_refused(model: Any) -> None:
    with refused(SettingError, problem=["a fitted LSTMForecaster", "history", f"got {type(model).__name__}"]):
        explain_training(model)


def test_the_plot_shows_both_losses() -> None:
    pytest.importorskip("matplotlib").use("Agg")
    axes = explain_training(curve(BOWL)).plot()
    assert {line.get_label() for line in axes.get_lines()} >= {"training", "held back"}
    assert axes.get_title(loc="left") == "overfitting"
