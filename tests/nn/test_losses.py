"""Losses: values and gradients of Keras, masks and weights, edges, and what each has its least at."""

from __future__ import annotations

import math
import os
import warnings
from typing import Any

import pytest
import torch
from fixtures.refused import refused
from torch import Tensor
from torch.distributions import NegativeBinomial as TorchNegativeBinomial
from torch.nn import functional

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.named import from_text, to_text
from gatecast.nn import losses
from gatecast.nn.losses import LOSSES, Loss, naive_error, weighted_mean

SHORT = [name for name, kind in LOSSES.items() if to_text(kind(), LOSSES) == name]
POINTS = [name for name in SHORT if not LOSSES[name].classes and name != "mase"]


@pytest.fixture(scope="module")
def keras() -> Any:
    """Keras's losses over PyTorch."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pytest.importorskip("keras")
    if found.backend.backend() != "torch":
        pytest.skip(f"Keras runs over {found.backend.backend()} here")
    return found.losses


def close(mine: Tensor, kerass: Tensor) -> None:
    """Within a millionth of the largest; Keras computes some steps in float32 whatever it is given."""
    largest = float(kerass.abs().max())
    torch.testing.assert_close(mine, kerass.to(mine.dtype), rtol=1e-6, atol=1e-6 * largest)


def values(name: str, *shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """A prediction and a target that the loss can take."""
    random = torch.Generator().manual_seed(seed)
    prediction = torch.randn(*shape, generator=random, dtype=dtype) * 3
    target = torch.randn(*shape, generator=random, dtype=dtype) * 3
    if LOSSES[name].positive:
        prediction, target = prediction.abs() + 0.1, target.abs().round()
    if name == "categorical_crossentropy":
        prediction, target = (prediction / 3).softmax(-1), target.softmax(-1)
    if name == "sparse_categorical_crossentropy":
        prediction, target = (prediction / 3).softmax(-1), target.argmax(-1)
    return prediction, target


def with_gradient(function: Any, prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Value, and gradient of its sum."""
    own = prediction.clone().requires_grad_()
    value = function(own, target)
    (gradient,) = torch.autograd.grad(value.sum(), own)
    return value.detach(), gradient


# ── the same numbers as Keras ────────────────────────────────────────────────────────────────────────────────────────
IN_KERAS = {
    "mse": ("mean_squared_error", {}),
    "mae": ("mean_absolute_error", {}),
    "huber": ("huber", {}),
    "huber(delta=0.5)": ("huber", {"delta": 0.5}),
    "log_cosh": ("log_cosh", {}),
    "mape": ("mean_absolute_percentage_error", {}),
    "msle": ("mean_squared_logarithmic_error", {}),
    "cosine_similarity": ("cosine_similarity", {}),
    "cosine_similarity(axis=-2)": ("cosine_similarity", {"axis": -2}),
    "cosine_similarity(axis=0)": ("cosine_similarity", {"axis": 0}),
    "poisson": ("poisson", {}),
    "categorical_crossentropy": ("categorical_crossentropy", {}),
    "categorical_crossentropy(label_smoothing=0.2)": ("categorical_crossentropy", {"label_smoothing": 0.2}),
    "categorical_crossentropy(from_logits=True)": ("categorical_crossentropy", {"from_logits": True}),
    "sparse_categorical_crossentropy": ("sparse_categorical_crossentropy", {}),
    "sparse_categorical_crossentropy(from_logits=True)": ("sparse_categorical_crossentropy", {"from_logits": True}),
}


def reduced(loss: Loss, prediction: Tensor, target: Tensor) -> Tensor:
    """As Keras's functions: the mean over the last axis, or over the one that the loss itself has."""
    cells = loss.cells(prediction, target)
    return cells if loss.classes else cells.mean(getattr(loss, "axis", -1))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("text", IN_KERAS)
def test_values_and_gradients_are_kerass(keras: Any, text: str, dtype: torch.dtype) -> None:
    name, settings = IN_KERAS[text]
    prediction, target = values(text.partition("(")[0], 7, 5, 6, dtype=dtype)
    loss = from_text("loss", text, LOSSES)
    mine = with_gradient(lambda p, t: reduced(loss, p, t), prediction, target)
    theirs = with_gradient(lambda p, t: getattr(keras, name)(t, p, **settings), prediction, target)
    for ours, expected in zip(mine, theirs, strict=True):
        close(ours, expected)


EDGES = {
    "mape": ([1.0, -2.0, 0.0, 3.0, 1e-9], [0.0, 0.0, 0.0, -3.0, 0.0]),
    "msle": ([-1.0, 0.0, 2.0, -5.0, 3.0], [1.0, -2.0, -3.0, -1.0, 0.0]),
    "log_cosh": ([0.0, 1e-3, 50.0, -700.0, 1e6], [0.0, 0.0, 0.0, 0.0, 0.0]),
    "huber": ([1.0, -1.0, 0.0, 1e6, 2.0], [0.0, 0.0, 0.0, 0.0, 2.0]),
    "poisson": ([0.0, 1e-9, 5.0, 3.0, 1.0], [0.0, 2.0, 0.0, -1.0, 1e6]),
    "categorical_crossentropy": ([0.0, 2.0, 0.0, 1e-9, 2.0], [0.0, 1.0, 0.0, 0.0, 0.0]),
    "cosine_similarity": ([1.0, 2.0, 0.0, 0.0, -1.0], [0.0, 0.0, 0.0, 0.0, 0.0]),
}


@pytest.mark.parametrize("name", EDGES)
def test_edges_are_kerass(keras: Any, name: str) -> None:
    prediction, target = (torch.tensor(row, dtype=torch.float64) for row in EDGES[name])
    mine = with_gradient(LOSSES[name]().cells, prediction, target)
    theirs = with_gradient(lambda p, t: getattr(keras, IN_KERAS[name][0])(t, p), prediction, target)
    count = 1 if LOSSES[name].classes else len(target)  # Keras's function is the mean
    close(mine[0].mean(), theirs[0].mean())
    for own, expected in zip(mine[1] / count, theirs[1], strict=True):
        close(own, expected)


def test_a_vector_of_zeros_has_a_gradient_here_and_none_in_keras(keras: Any) -> None:
    zeros, target = torch.zeros(3, dtype=torch.float64), torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    value, gradient = with_gradient(LOSSES["cosine_similarity"]().cells, zeros, target)
    assert value.tolist() == [0, 0, 0]
    assert bool(gradient.isfinite().all())
    expected, theirs = with_gradient(lambda p, t: keras.cosine_similarity(t, p), zeros, target)
    assert float(expected) == 0
    assert bool(theirs.isnan().any()), "the page says that Keras gives NaN here"


@pytest.mark.parametrize("name", ["mse", "mae", "huber", "mape", "poisson"])
def test_weighted_and_masked_means_are_kerass(keras: Any, name: str) -> None:
    prediction, target = values(name, 40, 1)
    random = torch.Generator().manual_seed(5)
    weight, mask = torch.rand(40, 1, generator=random), torch.rand(40, 1, generator=random) > 0.4
    kinds = {"mse": "MeanSquaredError", "mae": "MeanAbsoluteError", "huber": "Huber", "poisson": "Poisson"}
    kind = getattr(keras, kinds.get(name, "MeanAbsolutePercentageError"))
    expected = kind(reduction="mean_with_sample_weight")(target, prediction, sample_weight=(weight * mask)[:, 0])
    got = LOSSES[name]()(prediction, target, mask=mask, weight=weight)
    close(got, expected)


# ── gradients, masks and weights of all ──────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", SHORT)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    prediction, target = values(name, 3, 4)
    prediction = prediction.abs() + 0.2 if name == "msle" else prediction
    assert torch.autograd.gradcheck(LOSSES[name]().cells, (prediction.requires_grad_(), target))


@pytest.mark.parametrize("name", SHORT)
def test_masked_cells_are_in_neither_value_nor_gradient(name: str) -> None:
    prediction, target = values(name, 3, 4, 5)
    loss, observed = LOSSES[name](), torch.ones(target.shape[:3] if not LOSSES[name].classes else (3, 4)).bool()
    observed[0, 1], observed[2, 3] = False, False
    spoilt, wrong = prediction.clone(), target.clone()
    spoilt[0, 1], spoilt[2, 3] = math.nan, -math.inf
    if target.is_floating_point():
        wrong[0, 1], wrong[2, 3] = math.nan, math.inf
    past = {"past": torch.rand(3, 9, 5, dtype=torch.float64)} if name == "mase" else {}
    spoilt.requires_grad_()
    value = loss(spoilt, wrong, mask=observed, **past)
    value.backward()
    if name == "cosine_similarity":
        expected = loss.cells(prediction, target)[observed].mean()  # whole vectors were left out
    else:
        size = loss.measure(past["past"], torch.ones(3, 9, 5).bool(), 1) if past else torch.ones(1)
        expected = (loss.cells(prediction, target) / size)[observed].mean()
    torch.testing.assert_close(value, expected)
    assert spoilt.grad is not None
    assert bool((spoilt.grad[~observed] == 0).all())
    assert bool(spoilt.grad.isfinite().all())
    assert float(loss(spoilt, wrong, mask=torch.zeros_like(observed), **past).detach()) == 0


def test_weights_are_shares_and_have_no_size() -> None:
    prediction, target = values("mae", 3, 4)
    weight = torch.tensor([[1.0], [0.0], [3.0]], dtype=torch.float64)
    expected = ((prediction - target).abs().mean(1) * weight[:, 0]).sum() / 4
    for factor in (1.0, 1e-9, 1e9):
        got = LOSSES["mae"]()(prediction, target, weight=factor * weight)
        torch.testing.assert_close(got, expected)
    spoilt = prediction.clone()
    spoilt[1] = math.nan
    spoilt.requires_grad_()
    value = LOSSES["mae"]()(spoilt, target, weight=weight)
    torch.testing.assert_close(value, expected)
    value.backward()
    assert spoilt.grad is not None
    assert spoilt.grad.isfinite().all()
    assert float(weighted_mean(prediction, weight=torch.zeros(()))) == 0


def test_weights_and_masks_of_wrong_shape_are_refused() -> None:
    prediction, target = values("mae", 3, 4)
    with refused(SettingError, problem=[Arg("weight"), "0 or more", "got -1"], remedy="0"):
        LOSSES["mae"]()(prediction, target, weight=torch.tensor([1.0, -1.0, 3.0, 0.0]))
    with refused(SettingError, problem=[Arg("weight"), "(3, 4)", "got (3,)"]):
        LOSSES["mae"]()(prediction, target, weight=torch.ones(3))
    with refused(SettingError, problem=[Arg("mask"), "(3, 4)", "got (2, 4)"]):
        LOSSES["mae"]()(prediction, target, mask=torch.ones(2, 4, dtype=torch.bool))


def test_a_class_out_of_range_is_refused() -> None:
    with refused(SettingError, problem=["classes", "from 0 to 2", "got 0 to 3"]):
        losses.SparseCategoricalCrossentropy()(torch.full((2, 3), 1 / 3), torch.tensor([0, 3]))


def test_a_masked_part_of_a_vector_leaves_the_rest_of_it() -> None:
    loss = LOSSES["cosine_similarity"]()
    prediction, target = torch.tensor([[1.0, 2.0, 9.0]]), torch.tensor([[2.0, 4.0, math.nan]])
    value = loss(prediction, target, mask=torch.tensor([[True, True, False]]))
    assert float(value) == pytest.approx(-1, abs=1e-6)


@pytest.mark.parametrize("name", SHORT)
def test_other_shapes_are_refused_not_broadcast(name: str) -> None:
    prediction, target = values(name, 4, 3)
    with refused(SettingError, problem=[Arg("prediction"), "got (4, 1, 3)"]):
        LOSSES[name]()(prediction[:, None], target, past=torch.ones(4, 5, 3))


# ── one by one ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_log_cosh_of_all_sizes() -> None:
    size = torch.tensor([0.0, 1e-6, 1e-3, 0.5, 0.999, 1.0, 1.001, 20.0, 1e4, 1e30])
    error = size.double()
    exact = torch.where(error < 20, error.clamp(max=20).cosh().log(), error - math.log(2))
    exact = torch.where(error < 1e-2, error**2 / 2 - error**4 / 12, exact)
    for sign in (1, -1):
        got, gradient = with_gradient(LOSSES["log_cosh"]().cells, sign * size, torch.zeros(10))
        torch.testing.assert_close(got, exact.float(), rtol=1e-6, atol=0)
        torch.testing.assert_close(gradient, sign * size.tanh(), rtol=1e-6, atol=0)


def test_crossentropy_of_huge_logits() -> None:
    logits = torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True)
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    value = loss(logits, torch.tensor([1]))
    value.backward()
    assert float(value.detach()) == pytest.approx(2e4)
    torch.testing.assert_close(logits.grad, torch.tensor([[1.0, -1.0, 0.0]]))


def test_both_forms_of_crossentropy_agree_with_pytorch() -> None:
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 3, 0, 1])
    expected = functional.cross_entropy(logits, labels, label_smoothing=0.1)
    options = {"from_logits": True, "label_smoothing": 0.1}
    one_hot = functional.one_hot(labels, 4).double()
    torch.testing.assert_close(losses.SparseCategoricalCrossentropy(**options)(logits, labels), expected)
    torch.testing.assert_close(losses.CategoricalCrossentropy(**options)(logits, one_hot), expected)


def test_quantile_by_hand_and_its_minimum() -> None:
    loss = losses.Quantile(probability=0.9)
    assert loss.cells(torch.tensor([1.0, 1.0]), torch.tensor([3.0, 0.0])).tolist() == pytest.approx([1.8, 0.1])
    draws = torch.randn(20_000, generator=torch.Generator().manual_seed(0))
    scores = {at: float(loss(torch.full_like(draws, at), draws)) for at in (1.0, 1.2816, 1.6)}
    assert min(scores, key=scores.__getitem__) == 1.2816


def test_mase_by_hand() -> None:
    past = torch.tensor([[[1.0], [3.0], [math.nan], [4.0], [2.0]], [[5.0]] * 5, [[0.0]] * 5])
    target = torch.tensor([[[4.0]], [[7.0]], [[3.0]]])
    prediction = torch.zeros_like(target)
    # naive errors |3 - 1| and |2 - 4|: mean 2; a past that never changes counts as its level 5, one of zeros as 1
    expected = (4 / 2 + 7 / 5 + 3 / 1) / 3
    assert float(losses.MeanAbsoluteScaledError()(prediction, target, past=past)) == pytest.approx(expected)
    seasonal = losses.MeanAbsoluteScaledError(season=2)  # pairs two apart: (3, 4) alone
    assert float(seasonal(prediction[:1], target[:1], past=past[:1])) == pytest.approx(4.0)
    assert float(naive_error(past.nan_to_num(), ~past.isnan(), 9)[0]) == 0
    with refused(
        SettingError,
        problem=[Arg("past"), "(batch, horizon, targets) = (3, horizon, 1), got (3, 1)"],
        remedy="prediction[..., None]",
    ):
        losses.MeanAbsoluteScaledError()(prediction[..., 0], target[..., 0], past=past)
    with refused(SettingError, problem="mase", remedy=Arg("past", ...)):
        losses.MeanAbsoluteScaledError()(prediction, target)


@pytest.mark.parametrize("dispersion", [0.01, 0.5, 3.0])
def test_negative_binomial_is_pytorchs_likelihood(dispersion: float) -> None:
    mean = torch.tensor([0.2, 3.0, 100.0], dtype=torch.float64)
    count = torch.tensor([0.0, 7.0, 80.0], dtype=torch.float64)
    size = torch.tensor(1 / dispersion, dtype=torch.float64)
    expected = -TorchNegativeBinomial(size, logits=(mean / size).log()).log_prob(count)
    torch.testing.assert_close(losses.NegativeBinomial(dispersion).cells(mean, count), expected)


@pytest.mark.parametrize("dispersion", [1e-4, 1e-6, 1e-8])
def test_negative_binomial_tends_to_poisson(dispersion: float) -> None:
    mean, count = torch.tensor([0.2, 5.0, 100.0]), torch.tensor([0.0, 5.0, 80.0])
    expected = -torch.distributions.Poisson(mean).log_prob(count)
    got = losses.NegativeBinomial(dispersion).cells(mean, count)
    torch.testing.assert_close(got, expected, rtol=1e-4 + 100 * dispersion, atol=1e-4)


@pytest.mark.parametrize(
    "name", ["poisson", "negative_binomial", "tweedie", "tweedie(power=1.1)", "tweedie(power=1.9)"]
)
def test_likelihoods_have_their_minimum_at_the_mean(name: str) -> None:
    loss, target = from_text("loss", name, LOSSES), torch.tensor([0.0, 0.0, 1.0, 7.0], dtype=torch.float64)
    mean = torch.full((4,), 2.0, dtype=torch.float64, requires_grad=True)
    loss(mean, target).backward()
    assert mean.grad is not None
    assert float(mean.grad.sum()) == pytest.approx(0, abs=1e-6)


def test_tweedie_is_a_deviance_between_poissons_and_gammas() -> None:
    mean, target = torch.tensor([2.0, 5.0]).double(), torch.tensor([3.0, 1.0]).double()
    poisson = 2 * (target * (target / mean).log() - target + mean)
    gamma = 2 * ((mean / target).log() + target / mean - 1)
    torch.testing.assert_close(losses.Tweedie(power=1 + 1e-6).cells(mean, target), poisson, rtol=1e-4, atol=0)
    torch.testing.assert_close(losses.Tweedie(power=2 - 1e-6).cells(mean, target), gamma, rtol=1e-4, atol=0)
    assert losses.Tweedie().cells(target, target).abs().max() < 1e-12
    assert losses.Tweedie().cells(mean, torch.zeros(2).double()).tolist() == pytest.approx([4 * 2**0.5, 4 * 5**0.5])


# ── names and settings ───────────────────────────────────────────────────────────────────────────────────────────────
def test_long_names_are_the_same_losses() -> None:
    assert from_text("loss", "mean_squared_logarithmic_error", LOSSES) == from_text("loss", "msle", LOSSES)
    assert from_text("loss", "pinball(probability=0.9)", LOSSES) == losses.Quantile(0.9)
    assert to_text(losses.Quantile(0.9), LOSSES) == "quantile(probability=0.9)"
    assert to_text(losses.LogCosh(), LOSSES) == "log_cosh"
    assert {type(from_text("loss", name, LOSSES)) for name in LOSSES} == {LOSSES[name] for name in SHORT}


@pytest.mark.parametrize(
    ("text", "argument", "problem"),
    [
        ("huber(delta=0)", Arg("delta", of="Huber"), ["above 0", "got 0"]),
        ("quantile(probability=1)", Arg("probability", of="Quantile"), ["above 0 and below 1", "got 1"]),
        ("mape(epsilon=-1)", Arg("epsilon", of="MeanAbsolutePercentageError"), ["above 0", "got -1"]),
        ("mase(season=0)", Arg("season", of="MeanAbsoluteScaledError"), ["at least 1", "got 0"]),
        ("negative_binomial(dispersion=0)", Arg("dispersion", of="NegativeBinomial"), ["above 0", "got 0"]),
        ("tweedie(power=2)", Arg("power", of="Tweedie"), ["above 1 and below 2", "got 2"]),
        (
            "categorical_crossentropy(label_smoothing=1)",
            Arg("label_smoothing", of="CategoricalCrossentropy"),
            ["at least 0 and below 1", "got 1"],
        ),
    ],
)
def test_invalid_settings_of_a_loss_are_refused(text: str, argument: Arg, problem: list[str]) -> None:
    with refused(SettingError, problem=[argument, *problem]):
        from_text("loss", text, LOSSES)


def test_the_nearest_loss_is_suggested() -> None:
    with refused(SettingError, problem=[Arg("loss"), "mse, mae, huber", "got 'maee'"], remedy="'mae'"):
        from_text("loss", "maee", LOSSES)


def test_every_loss_documents_its_formula_and_declares_its_units() -> None:
    assert [name for name, kind in LOSSES.items() if "``" not in (kind.__doc__ or "").partition(".")[0]] == []
    flags = {name: (LOSSES[name].units, LOSSES[name].positive) for name in POINTS}
    assert [name for name, (units, _) in flags.items() if units] == [
        "mape",
        "msle",
        "poisson",
        "negative_binomial",
        "tweedie",
    ]
