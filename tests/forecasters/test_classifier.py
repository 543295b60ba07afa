"""The classifier: what it learns, what it refuses, and that it is the same after saving."""

from __future__ import annotations

import copy
import json
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from fixtures.refused import refused

import gatecast
from gatecast.base.errors import DataError, ModelFileError, NotFittedError, SettingError, TrainingError
from gatecast.base.findings import Arg, Call
from gatecast.cli import main
from gatecast.forecasters.classifier import LSTMClassifier, split
from gatecast.forecasters.labels import classes_of, labels_of, weights_of
from gatecast.models.classifier import SequenceClassifier
from gatecast.models.config import NetConfig
from gatecast.nn.losses import Huber, Loss
from gatecast.training.config import FitConfig

FIT = FitConfig(steps=100, batch_size=32, learning_rate=2e-2, evaluations=5, progress=False)
FEW = replace(FIT, steps=4, evaluations=2)


def halves(count: int = 200, time: int = 10, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A pulse in the first or the second half, of any sign: neither the last step nor the mean shows which."""
    random = np.random.default_rng(seed)
    X = random.normal(0, 0.1, size=(count, time, 2))
    late = random.integers(0, 2, count).astype(bool)
    at = random.integers(0, time // 2 - 1, count) + late * (time // 2)
    X[np.arange(count), at, 0] += random.choice([-2.0, 2.0], count)
    return X, np.where(late, "late", "early")


def ragged(count: int = 160, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """Sequences of 3 to 10 steps whose class is the sign of the first."""
    random = np.random.default_rng(seed)
    X = [random.normal(0, 0.3, (int(random.integers(3, 11)), 1)).astype(np.float32) for _ in range(count)]
    for x in X:
        x[0] += np.sign(x[0])
    return X, np.array([int(x[0, 0] > 0) for x in X])


def classifier(**settings: Any) -> LSTMClassifier:
    return LSTMClassifier(**{"net": NetConfig(hidden_size=8, dropout=0.0), "fit": FIT, **settings})


# ── learning ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("net", [{}, {"cell": "gru"}, {"bidirectional": True}, {"num_layers": 2}])
def test_it_learns_from_steps_before_the_last(net: dict[str, Any]) -> None:
    X, y = halves()
    model = classifier(net=NetConfig(hidden_size=12, dropout=0.0, **net)).fit(X, y)
    assert model.score(*halves(seed=1)) > 0.9
    last = np.column_stack([X[:, -1], np.ones(len(X))])
    weights = np.linalg.lstsq(last, np.where(y == "late", 1.0, -1.0), rcond=None)[0]
    assert np.mean((last @ weights > 0) == (y == "late")) < 0.65, "a linear map of the last step cannot"


def test_sequences_of_different_lengths_are_each_read_to_their_end() -> None:
    model = classifier().fit(*ragged())
    X, y = ragged(seed=1)
    assert model.score(X, y) > 0.9
    alone = np.concatenate([model.predict_proba([x]) for x in X[:20]])
    np.testing.assert_allclose(model.predict_proba(X[:20]), alone, atol=1e-5)
    assert model.predict_proba([X[0], np.zeros((40, 1))]).shape == (2, 2), "longer than any of training"


def test_go_backwards_reads_sequences_backwards() -> None:
    """The network with the same weights that reads forwards tells the same of the sequences turned round."""
    X, y = ragged(40)
    net = NetConfig(hidden_size=8, dropout=0.0, go_backwards=True)
    model = classifier(net=net, fit=FEW).fit(X, y)
    forwards = copy.copy(model)
    forwards.model_ = SequenceClassifier(1, 2, replace(net, go_backwards=False), model.model_.loss)
    forwards.model_.load_state_dict(model.model_.state_dict())
    turned = forwards.predict_proba([x[::-1] for x in X])
    np.testing.assert_allclose(model.predict_proba(X), turned, atol=1e-6)
    assert not np.allclose(model.predict_proba(X), forwards.predict_proba(X), atol=1e-3)


def test_probabilities_and_labels_belong_together() -> None:
    X, y = halves()
    model = classifier().fit(X, y)
    p = model.predict_proba(X)
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)
    assert model.classes_.tolist() == ["early", "late"]
    np.testing.assert_array_equal(model.predict(X), model.classes_[p.argmax(1)])
    assert model.predict(X).dtype == y.dtype
    assert model.score(X, y) == np.mean(model.predict(X) == y)
    assert [entry["val_loss"] is not None for entry in model.history_] == [True] * len(model.history_)


@pytest.mark.parametrize("labels", [(3, -1), (True, False), ("b", "a"), (0.5, 0.25), (("a", 1), ("a", 0)), (1, "one")])
def test_labels_of_any_kind(labels: tuple[Any, Any]) -> None:
    X, y = ragged(40)
    named = [labels[k] for k in y]
    model = classifier(fit=FEW).fit(X, named)
    assert set(model.classes_.tolist()) == set(labels)
    assert set(model.predict(X).tolist()) <= set(labels)
    assert model.classes_.tolist() == (sorted(labels) if type(labels[0]) is type(labels[1]) else [1, "one"])


def test_the_same_seed_gives_the_same_numbers_and_the_caller_keeps_the_random_state() -> None:
    X, y = ragged(60)
    state = torch.get_rng_state()
    first, second, other = (classifier(fit=FEW, seed=seed).fit(X, y).predict_proba(X) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_features_of_any_scale_are_learned_equally() -> None:
    X, y = halves()
    huge = X * np.array([1e6, 1e-6]) + np.array([1e7, 0.0])
    assert classifier().fit(huge, y).score(huge, y) > 0.9
    assert classifier(standardize=False, fit=FEW).fit(X, y).scales_.spread.tolist() == [1, 1]


@pytest.mark.parametrize(("weight", "expected"), [(None, 0.1), ("balanced", 0.5), ({"rare": 9}, 0.5)])
def test_class_weights_move_the_prior(weight: Any, expected: float) -> None:
    """Features say nothing, so the probability of the rare class is its share by weight."""
    X, y = np.zeros((200, 2, 1)), np.array(["common"] * 180 + ["rare"] * 20)
    model = classifier(class_weight=weight, fit=replace(FIT, validation=0, batch_size=200, steps=60)).fit(X, y)
    assert float(model.predict_proba(X[:1])[0, 1]) == pytest.approx(expected, abs=0.06)


def test_smoothed_labels_leave_doubt() -> None:
    X, y = ragged()
    plain = classifier().fit(X, y).predict_proba(X).max(1)
    smooth = classifier(loss="categorical_crossentropy(label_smoothing=0.3)").fit(X, y).predict_proba(X).max(1)
    assert np.median(plain) > 0.95
    assert 0.75 < np.median(smooth) < 0.92  # 1 - 0.3 / 2


def test_training_again_on_all() -> None:
    X, y = halves(120)
    model = classifier(fit=replace(FIT, refit=True, steps=20)).fit(X, y)
    assert model.sequences_ + model.held_back_ == 120
    other = classifier(fit=replace(FIT, steps=20)).fit(X, y)
    assert not np.array_equal(model.predict_proba(X), other.predict_proba(X))


def test_a_stopped_run_resumes(tmp_path: Path) -> None:
    X, y = ragged(80)
    fit = replace(FIT, steps=20, validation=0, checkpoint=tmp_path / "run.ckpt", checkpoint_every=5)
    whole = classifier(fit=fit).fit(X, y).predict_proba(X)
    again = classifier(fit=replace(fit, resume=True)).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(whole, again)
    another_run = {"place": "run.ckpt", "remedy": ["another file", Arg("resume", of="FitConfig")]}
    with refused(ModelFileError, problem=["another run", "other data"], **another_run):
        classifier(fit=replace(fit, resume=True)).fit(X, 1 - y)
    smooth = "categorical_crossentropy(label_smoothing=0.1)"
    losses = ["written for loss Sparse", "label_smoothing=0.0", "this run has Sparse", "label_smoothing=0.1"]
    with refused(ModelFileError, problem=losses, **another_run):
        classifier(fit=replace(fit, resume=True), loss=smooth).fit(X, y)


def test_a_loss_that_is_not_finite_names_the_sequences() -> None:
    X, y = ragged(40)
    X[3] = np.full_like(X[3], 3e38)
    with refused(
        TrainingError,
        problem=["nan", "step 1", "series", "33, 19"],
        remedy=[Arg("learning_rate", of="FitConfig"), Arg("clip", of="FitConfig"), Arg("scaler", "robust")],
    ):
        classifier(fit=FEW, standardize=False, loss=Spoilt()).fit(X, y)


# ── the part held back ───────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("validation", "held"), [(None, [16, 5]), (21, [16, 5]), (0, [0, 0]), (126, [96, 29])])
def test_the_split_has_the_same_share_of_each_class(validation: int | None, held: list[int]) -> None:
    numbers = np.array([0] * 98 + [1] * 30)
    training, held_back = split(numbers, validation, seed=3)
    assert [int((numbers[held_back] == k).sum()) for k in (0, 1)] == held
    assert sorted([*training.tolist(), *held_back.tolist()]) == list(range(128))
    assert set(numbers[training]) == {0, 1}


def test_classes_too_small_to_give_any_up_are_all_trained_on() -> None:
    training, held_back = split(np.array([0] * 5 + [1] * 12), None, seed=0)
    assert (len(training), len(held_back)) == (15, 2)
    problem = [Arg("validation", 17, of="FitConfig"), "there are 17 sequences"]
    with refused(SettingError, problem=problem):
        split(np.array([0] * 5 + [1] * 12), 17, seed=0)


# ── what is refused ──────────────────────────────────────────────────────────────────────────────────────────────────
def spoilt(value: float) -> np.ndarray:
    X = np.zeros((4, 5, 2))
    X[2, 3, 1] = value
    return X


@pytest.mark.parametrize(
    ("X", "problem", "remedy"),
    [
        (np.zeros((4, 5)), ["X must be (sequences, time, features)", "got the shape (4, 5)"], "X[..., None]"),
        ([], ["X has no sequences"], ""),
        (spoilt(np.nan), ["X[2] is nan at step 3, feature 1"], "fill missing values"),
        (spoilt(-np.inf), ["X[2] is -inf at step 3"], "fill missing values"),
        ([np.zeros((3, 2)), np.zeros((3, 3))], ["X[1] has 3 features, X[0] has 2"], "the same features"),
        ([np.zeros(3), np.zeros(3)], ["X[0] must be (time, features)", "(3,)"], "x[:, None]"),
        ([np.zeros((0, 2))] * 2, ["X[0] must be ", "at least one of each, got the shape (0, 2)"], ""),
        ([[["a"]], [["b"]]], ["X[0] must hold numbers"], ""),
    ],
)
def test_wrong_sequences_are_refused(X: Any, problem: list[str], remedy: str) -> None:
    with refused(DataError, problem=problem, remedy=remedy):
        classifier().fit(X, np.arange(len(X)))


def test_one_sequence_lacks_the_axis_of_sequences() -> None:
    X = np.random.default_rng(1).normal(size=(4, 5, 2))
    fitted = classifier().fit(X, [0, 1, 0, 1])
    with refused(DataError, problem="got the shape (5, 2)", remedy="X[None]"):
        fitted.predict(X[0])
    assert fitted.predict(X[0][None]).shape == (1,)


@pytest.mark.parametrize(
    ("y", "problem", "remedy"),
    [
        ([1, 1, 1, 1], "y has only the class 1", "examples of at least two"),
        ([0, 1], "one label for each sequence: X has 4, y has 2", ""),
        ([0, 1, None, 1], "y[2] is None", "give every sequence a label"),
        ([0, 1, np.nan, 1], "y[2] is nan", "give every sequence a label"),
        ([[0], [1], [0], [1]], "y[0] is [0], and a label must be hashable", "y.argmax(axis=1)"),
    ],
)
def test_wrong_labels_are_refused(y: Any, problem: str, remedy: str) -> None:
    with refused(DataError, problem=problem, remedy=remedy):
        classifier().fit(np.zeros((4, 5, 2)), y)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"loss": "mse"}, [Arg("loss"), "a loss of classes (categorical_crossentropy, ", "got 'mse'"]),
        ({"loss": Huber()}, [Arg("loss"), "a loss of classes"]),
        ({"net": NetConfig(kind="segment")}, [Arg("kind", of="NetConfig"), "is an option of forecasts"]),
        ({"fit": FitConfig(origins="season")}, [Arg("origins", of="FitConfig"), "is an option of forecasts"]),
        ({"class_weight": "equal"}, [Arg("class_weight"), "'balanced', a dict or None, got 'equal'"]),
        ({"class_weight": [1, 2]}, [Arg("class_weight"), "'balanced', a dict or None, got [1, 2]"]),
        ({"class_weight": {"x": 2.0}}, [Arg("class_weight"), "names 'x', y has the labels 0, 1"]),
        ({"class_weight": {0: -1.0}}, [Arg("class_weight"), "[0]", "at least 0", "got -1"]),
    ],
)
def test_settings_that_do_not_fit(settings: dict[str, Any], problem: list[Any]) -> None:
    with refused(SettingError, problem=problem):
        classifier(**settings).fit(*ragged(20))


def test_other_features_than_those_of_fit() -> None:
    model = classifier(fit=FEW).fit(*ragged(20))
    with refused(DataError, problem="X[0] has 2 features, the sequences of fit have 1"):
        model.predict(np.zeros((3, 4, 2)))
    with refused(DataError, problem="X[1] is nan at step 0"):
        model.predict_proba([np.zeros((3, 1)), np.full((2, 1), np.nan)])
    with refused(NotFittedError, problem="predict needs a fitted classifier", remedy=Call("fit", ..., ...)):
        classifier().predict(np.zeros((3, 4, 1)))


def test_labels_without_an_order_and_weights() -> None:
    assert classes_of(["b", 1, "a", 0]).tolist() == [0, 1, "a", "b"]
    assert labels_of(torch.tensor([1, 0]), 2) == [1, 0]
    weights = weights_of({"b": 3.0}, np.array(["a", "b"]), np.array([0, 1, 1]))
    assert weights.tolist() == [1, 3, 3]


# ── scikit-learn's manners ───────────────────────────────────────────────────────────────────────────────────────────
def test_parameters_are_read_set_and_cloned_as_scikit_learn_does() -> None:
    model = classifier(seed=7, class_weight={"a": 2.0}).set_params(seed=8)
    params = model.get_params(deep=False)
    assert set(params) == {"net", "loss", "class_weight", "standardize", "fit", "seed"}
    assert (params["seed"], params["fit"]) == (8, FIT)
    twin = type(model)(**{name: copy.deepcopy(value) for name, value in params.items()})  # what clone does
    assert twin.get_params() == params
    given = {name: twin.get_params()[name] for name in params}
    assert all(type(model)(**given).get_params()[name] is value for name, value in given.items())
    with refused(SettingError, problem="LSTMClassifier has no argument 'hidden'", remedy="net, loss"):
        model.set_params(hidden=3)
    assert repr(LSTMClassifier(seed=2)) == "LSTMClassifier(seed=2)"


# ── the file ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("labels", "settings"),
    [
        (("a", "b"), {"class_weight": "balanced", "net": NetConfig(hidden_size=4, bidirectional=True, cell="gru")}),
        ((1, 2), {"class_weight": {1: 2.0}, "loss": "categorical_crossentropy(label_smoothing=0.1)", "seed": 4}),
    ],
)
def test_a_loaded_classifier_predicts_the_same(
    tmp_path: Path, labels: tuple[Any, Any], settings: dict[str, Any]
) -> None:
    X, y = ragged(40)
    model = classifier(fit=replace(FEW, checkpoint=tmp_path / "secret" / "x"), **settings).fit(
        X, [labels[k] for k in y]
    )
    path = model.save(tmp_path / "model")
    assert path.name == "model.gatecast"
    loaded = gatecast.load(path)
    assert isinstance(loaded, LSTMClassifier)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.classes_.dtype == model.classes_.dtype
    assert loaded.history_ == model.history_
    assert (loaded.class_weight, loaded.loss, loaded.seed) == (model.class_weight, model.loss, model.seed)
    assert loaded.describe()["parameters"] == model.parameters_
    with zipfile.ZipFile(path) as file:
        assert json.loads(file.read("model.json"))["kind"] == "classifier"
    assert b"secret" not in path.read_bytes()
    assert loaded.fit(X, y).score(X, y) >= 0


@dataclass(frozen=True)
class Spoilt(Loss):
    """A custom loss that is NaN."""

    classes: ClassVar[bool] = True

    def cells(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return prediction.sum(-1) * torch.nan


def test_unfitted_models_labels_of_other_types_and_custom_losses_are_not_saved(tmp_path: Path) -> None:
    X, y = ragged(20)
    with refused(NotFittedError, problem="save needs a fitted classifier"):
        classifier().save(tmp_path / "m")
    model = classifier(fit=FEW).fit(X, [("t", int(k)) for k in y])
    with refused(ModelFileError, problem="the label ('t', 0) cannot be saved", remedy="numbers or texts"):
        model.save(tmp_path / "m")
    with refused(ModelFileError, problem="the loss Spoilt is not built in", remedy="mse"):
        classifier(fit=FEW).fit(X, y).set_params(loss=Spoilt()).save(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_a_classifier_makes_no_forecasts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = classifier(fit=FEW).fit(*ragged(20)).save(tmp_path / "m.gatecast")
    data = tmp_path / "a.csv"
    data.write_text("day,y\n2024-01-01,1\n2024-01-02,2\n2024-01-03,3\n")
    assert main(["predict", str(path), str(data)]) == 2
    assert "holds a classifier, which makes no forecasts" in capsys.readouterr().err
    assert main(["explain-training", str(path)]) == 0
    assert "Too short to tell: 2 evaluations" in capsys.readouterr().out


def test_the_file_names_a_custom_optimizer(tmp_path: Path) -> None:
    model = classifier(fit=replace(FEW, optimizer=torch.optim.SGD)).fit(*halves(40))
    loaded = gatecast.load(model.save(tmp_path / "own"))
    assert loaded.describe()["fit"]["optimizer"] == "own(name='torch.optim.sgd.SGD')"
    np.testing.assert_array_equal(loaded.predict(halves(40)[0]), model.predict(halves(40)[0]))


def test_the_second_training_has_a_separate_log(tmp_path: Path) -> None:
    classifier(fit=replace(FEW, refit=True, log_dir=tmp_path)).fit(*halves(40))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["training-refit.csv", "training.csv"]


@pytest.mark.slow
def test_two_processes_are_one_with_the_doubled_batch() -> None:
    X, y = halves(60)
    fit = replace(FEW, batch_size=8, refit=False)
    one = classifier(fit=replace(fit, batch_size=16), class_weight="balanced").fit(X, y)
    two = classifier(fit=replace(fit, devices=2), class_weight="balanced").fit(X, y)
    np.testing.assert_allclose(two.predict_proba(X), one.predict_proba(X), rtol=0, atol=1e-6)
    assert two.history_[0]["step"] == one.history_[0]["step"]
