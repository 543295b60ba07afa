"""Losses by name: what training minimises, cell by cell, and the one weighted mean over what was observed.

Names and values are Keras's where Keras has the loss; where it does something that is easily overlooked, the class
says so. ``from_text("loss", "huber(delta=0.5)", LOSSES)`` reads a name, a text with settings, or an object.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import log_softmax, softplus

from gatecast.base.errors import SettingError
from gatecast.base.options import option
from gatecast.nn.checks import check_sizes
from gatecast.ops.lstm_cell.checks import is_number

_LARGE = 50.0  # from here on Stirling's series is exact to float32
EPSILON = 1e-7  # Keras's least divisor and least argument of a logarithm

Cells = Float[Tensor, "*cells"]
Classes = Float[Tensor, "*cells classes"]


class Loss(ABC):
    """A loss of each cell, and its mean.

    The flags say what a forecaster must give it: ``units``: values in the unit of the data, not scaled ones;
    ``positive``: a prediction above zero; ``joint``: cells along the last axis make one vector; ``classes``: not a
    number but probabilities of classes are predicted.
    """

    units: ClassVar[bool] = False
    positive: ClassVar[bool] = False
    joint: ClassVar[bool] = False
    classes: ClassVar[bool] = False

    @abstractmethod
    def cells(self, prediction: Tensor, target: Tensor) -> Cells:
        """Loss of each cell; lower is better."""

    def measure(
        self, past: Float[Tensor, "batch time targets"], observed: Bool[Tensor, "batch time targets"], season: int
    ) -> Float[Tensor, "batch 1 targets"] | None:
        """What the errors of each window are divided by; None: by nothing."""
        return None

    def __call__(
        self,
        prediction: Tensor,
        target: Tensor,
        *,
        mask: Tensor | None = None,
        weight: Tensor | None = None,
        past: Tensor | None = None,
    ) -> Float[Tensor, ""]:
        """Weighted mean over the observed cells; 0 where none was observed.

        Args:
            prediction: what the model says.
            target: what was; of the same shape.
            mask: True where a cell counts. What stands in the others, NaN included, is in neither value nor gradient.
            weight: 0 or more for each cell; broadcast. A cell of weight 0 is as one that the mask leaves out.
            past: ``(batch, time, targets)`` values before the target, NaN where missing; only ``mase`` asks for them.

        Raises:
            SettingError: shapes do not fit, or a weight is below 0.
        """
        shape = self._shape(prediction, target)
        mask, weight = _spread("mask", mask, shape), _spread("weight", weight, shape)
        if weight is not None:
            counted = _checked_weight(weight) > 0
            mask = counted if mask is None else mask & counted
        if mask is not None:
            prediction, target = blanked(prediction, mask), blanked(target, mask)
        cells = self.cells(prediction, target)
        if past is not None:
            size = self.measure(past.nan_to_num(0.0), ~past.isnan(), 1)
            cells = cells if size is None else cells / _one_for_each_window(size, cells)
        return weighted_mean(cells, mask=mask, weight=weight)

    def _shape(self, prediction: Tensor, target: Tensor) -> torch.Size:
        """Shape of the cells, when prediction and target fit."""
        if prediction.shape != target.shape:
            raise SettingError(
                f"prediction and target must have one shape, got {tuple(prediction.shape)} and {tuple(target.shape)}; "
                "broadcasting would compare every one with every other"
            )
        return target.shape


def _spread(name: str, values: Tensor | None, shape: torch.Size) -> Tensor | None:
    """One value for each cell."""
    if values is None:
        return None
    try:
        return values.expand(shape)
    except RuntimeError:
        raise SettingError(
            f"{name} must be of the shape of the cells, {tuple(shape)}, or broadcast to it; got {tuple(values.shape)}"
        ) from None


def _checked_weight(weight: Tensor) -> Tensor:
    """Weights that are not below 0; looked at where that costs no waiting for an accelerator."""
    if weight.is_cpu and not torch.compiler.is_compiling() and bool((weight < 0).any()):
        raise SettingError(f"weight must be 0 or more for every cell, got {float(weight.min())}; 0 leaves a cell out")
    return weight


def _one_for_each_window(size: Float[Tensor, "batch 1 targets"], cells: Cells) -> Float[Tensor, "batch 1 targets"]:
    """Sizes that belong to the windows of the cells: with fewer axes every window would meet every other."""
    if cells.dim() != 3 or (cells.shape[0], cells.shape[2]) != (size.shape[0], size.shape[2]):
        raise SettingError(
            f"past of {size.shape[0]} windows and {size.shape[2]} targets needs a prediction (batch, horizon, targets) "
            f"= ({size.shape[0]}, horizon, {size.shape[2]}), got {tuple(cells.shape)}; one target keeps its axis: "
            "prediction[..., None]"
        )
    return size


def blanked(values: Tensor, mask: Tensor) -> Tensor:
    """Zero where the mask is False, also for the gradient; axes that the mask lacks are at the end."""
    return torch.where(mask[(..., *[None] * (values.dim() - mask.dim()))], values, 0)


def weighted_mean(cells: Cells, *, mask: Tensor | None = None, weight: Tensor | None = None) -> Float[Tensor, ""]:
    """``sum(weight * cells) / sum(weight)`` over the cells where the mask is True; 0 where no weight is left.

    Keras calls this reduction ``mean_with_sample_weight``; its default divides by the number of cells instead.
    """
    if mask is None and weight is None:
        return cells.mean()
    share = torch.ones_like(cells) if weight is None else weight.to(cells.dtype).expand_as(cells)
    if mask is not None:
        share = torch.where(mask, share, 0.0)
    total = share.sum()
    return torch.where(share > 0, cells * share, 0.0).sum() / torch.where(total > 0, total, 1.0)


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class MeanSquaredError(Loss):
    """``(y - p)²``: its least is the mean."""

    def cells(self, prediction: Cells, target: Cells) -> Cells:
        return (prediction - target) ** 2


@dataclass(frozen=True)
class MeanAbsoluteError(Loss):
    """``|y - p|``: its least is the median."""

    def cells(self, prediction: Cells, target: Cells) -> Cells:
        return (prediction - target).abs()


@dataclass(frozen=True)
class Huber(Loss):
    """``e² / 2`` up to ``delta``, ``delta (|e| - delta / 2)`` beyond (Huber 1964)."""

    delta: float = option(1.0, "size of an error from which on it counts in proportion, in the unit of the loss")

    def __post_init__(self) -> None:
        _above_zero(self, delta=self.delta)

    def cells(self, prediction: Cells, target: Cells) -> Cells:
        size = (prediction - target).abs()
        inner = size.clamp(max=self.delta)
        return inner * (size - 0.5 * inner)


@dataclass(frozen=True)
class LogCosh(Loss):
    """``log cosh(y - p)``: near ``e² / 2`` for small errors, near ``|e| - log 2`` for large ones; its slope is tanh."""

    def cells(self, prediction: Cells, target: Cells) -> Cells:
        size = (prediction - target).abs()
        small = (2 * (size.clamp(max=1.0) / 2).sinh() ** 2).log1p()  # no cancellation near zero
        return torch.where(size < 1, small, size + softplus(-2 * size) - math.log(2))


@dataclass(frozen=True)
class Quantile(Loss):
    """``max(q (y - p), (q - 1)(y - p))``: its least is the quantile ``q`` (Koenker & Bassett 1978); also "pinball"."""

    probability: float = option(0.5, "of the quantile, in (0, 1); 0.5: half of the absolute error")

    def __post_init__(self) -> None:
        if not is_number(self.probability) or not 0 < self.probability < 1:
            raise SettingError(f"Quantile.probability must lie between 0 and 1, got {self.probability!r}")

    def cells(self, prediction: Cells, target: Cells) -> Cells:
        error = target - prediction
        return torch.maximum(self.probability * error, (self.probability - 1) * error)


@dataclass(frozen=True)
class MeanAbsolutePercentageError(Loss):
    """``100 |y - p| / max(|y|, epsilon)``.

    As in Keras a target of 0 divides by 1e-7: one such cell outweighs all others. Choose an ``epsilon`` that is an
    amount of the data, or another loss.
    """

    units: ClassVar[bool] = True
    epsilon: float = option(EPSILON, "least divisor, in the unit of the data")

    def __post_init__(self) -> None:
        _above_zero(self, epsilon=self.epsilon)

    def cells(self, prediction: Cells, target: Cells) -> Cells:
        return 100 * ((prediction - target) / target.abs().clamp(min=self.epsilon)).abs()


@dataclass(frozen=True)
class MeanSquaredLogarithmicError(Loss):
    """``(log(1 + y) - log(1 + p))²``, both at least 1e-7.

    As in Keras what is below 1e-7 counts as 1e-7, so a negative prediction has no gradient that would bring it back.
    """

    units: ClassVar[bool] = True

    def cells(self, prediction: Cells, target: Cells) -> Cells:
        return (prediction.clamp(min=EPSILON).log1p() - target.clamp(min=EPSILON).log1p()) ** 2


@dataclass(frozen=True)
class MeanAbsoluteScaledError(Loss):
    """``|y - p| / (mean |y_t - y_(t-season)| of the past)`` (Hyndman & Koehler 2006).

    Below 1 the forecast is better than the naive one was on average over the past. It is measured for each window by
    its own past; where that never changes, by the mean size of its values, and by 1 where they are 0.
    """

    units: ClassVar[bool] = True
    season: int | None = option(None, "rows between the two values of a naive error; None: the forecaster's, else 1")

    def __post_init__(self) -> None:
        if self.season is not None:
            check_sizes(season=self.season)

    def cells(self, prediction: Cells, target: Cells) -> Cells:
        return (prediction - target).abs()

    def measure(
        self, past: Float[Tensor, "batch time targets"], observed: Bool[Tensor, "batch time targets"], season: int
    ) -> Float[Tensor, "batch 1 targets"]:
        error = naive_error(past, observed, self.season or season)
        level = (past.abs() * observed).sum(1, keepdim=True) / observed.sum(1, keepdim=True).clamp(min=1)
        size = torch.where(error > 8 * torch.finfo(past.dtype).eps * level, error, level)
        return torch.where(size > 0, size, 1.0)

    def __call__(self, prediction: Tensor, target: Tensor, **more: Tensor | None) -> Float[Tensor, ""]:
        if more.get("past") is None:
            raise SettingError(
                "mase measures errors by the naive error of the past; give past= of shape (batch, time, targets)"
            )
        return super().__call__(prediction, target, **more)


def naive_error(
    past: Float[Tensor, "batch time targets"], observed: Bool[Tensor, "batch time targets"], season: int
) -> Float[Tensor, "batch 1 targets"]:
    """Mean ``|y_t - y_(t-season)|`` over the pairs that were observed; 0 without any."""
    pairs = observed[:, season:] & observed[:, :-season]
    error = ((past[:, season:] - past[:, :-season]).abs() * pairs).sum(1, keepdim=True)
    return error / pairs.sum(1, keepdim=True).clamp(min=1)


@dataclass(frozen=True)
class CosineSimilarity(Loss):
    """``-cos(y, p)`` of the vectors along ``axis``: -1 for the same direction, 0 at right angles, 1 for the opposite.

    As in Keras the sign makes less the better. The length of the prediction does not count, so it says nothing about
    its level. Each cell has the loss of its vector. A vector of zeros has the loss 0; its gradient, NaN in Keras, is
    finite here.
    """

    joint: ClassVar[bool] = True
    axis: int = option(-1, "along which cells make one vector; of a forecast -1 is the horizon")

    def cells(self, prediction: Cells, target: Cells) -> Cells:
        cosine = (self._unit(prediction) * self._unit(target)).sum(self.axis, keepdim=True)
        return -cosine.expand_as(target)

    def _unit(self, vector: Cells) -> Cells:
        return vector * (vector**2).sum(self.axis, keepdim=True).clamp(min=EPSILON**2).rsqrt()


# ── likelihoods of counts and amounts ────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Poisson(Loss):
    """``p - y log(p + 1e-7)``: the negative log-likelihood of counts with mean ``p``, up to what ``y`` alone decides.

    As in Keras the part ``log y!`` is left out, so that values below zero are nothing odd.
    """

    units: ClassVar[bool] = True
    positive: ClassVar[bool] = True

    def cells(self, prediction: Cells, target: Cells) -> Cells:
        return prediction - target * (prediction + EPSILON).log()


@dataclass(frozen=True)
class NegativeBinomial(Loss):
    """Negative log-likelihood of counts with mean ``p`` and variance ``p + dispersion p²``.

    The head of the same name learns the dispersion; here it is given.
    """

    units: ClassVar[bool] = True
    positive: ClassVar[bool] = True
    dispersion: float = option(1.0, "of the variance mean + dispersion * mean²; towards 0 it is Poisson's")

    def __post_init__(self) -> None:
        _above_zero(self, dispersion=self.dispersion)

    def cells(self, prediction: Cells, target: Cells) -> Cells:
        mean, size = prediction.clamp(min=EPSILON), 1 / self.dispersion
        if size > _LARGE:
            return self._near_poisson(mean, target, size)
        choose = (target + 1).lgamma() + math.lgamma(size) - (target + size).lgamma()
        return choose + (target + size) * (mean / size).log1p() - target * (mean / size).log()

    @staticmethod
    def _near_poisson(mean: Cells, target: Cells, size: float) -> Cells:
        """The same by Stirling's series: the difference of two large log-gammas would leave no digit."""
        series = (1 / (target + size) - 1 / size) / 12
        ratio = (target + size - 0.5) * (target / size).log1p() - target + series  # less target * log(size)
        return (target + 1).lgamma() - ratio + (target + size) * (mean / size).log1p() - target * mean.log()


@dataclass(frozen=True)
class Tweedie(Loss):
    """Unit deviance of amounts with a mass at zero, variance in proportion to ``mean ** power`` (Jørgensen 1987).

    ``2 (y^(2-k) / ((1-k)(2-k)) - y p^(1-k) / (1-k) + p^(2-k) / (2-k))``: rain, demand, claims. It is 0 where ``p = y``.
    """

    units: ClassVar[bool] = True
    positive: ClassVar[bool] = True
    power: float = option(1.5, "between 1 (Poisson, which has a loss of its own) and 2 (gamma, which knows no zero)")

    def __post_init__(self) -> None:
        check_power(self)

    def cells(self, prediction: Cells, target: Cells) -> Cells:
        mean, one, two = prediction.clamp(min=EPSILON), 1 - self.power, 2 - self.power
        return 2 * (target**two / (one * two) - target * mean**one / one + mean**two / two)


# ── classes ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class CategoricalCrossentropy(Loss):
    """``-sum(y log p)`` over the classes on the last axis; ``y`` are probabilities or one-hot.

    As in Keras probabilities are brought to the sum 1 and cut to [1e-7, 1 - 1e-7], so that a class beyond has no
    gradient; logits have no such edge and are the better choice.
    """

    classes: ClassVar[bool] = True
    from_logits: bool = option(False, "the prediction holds logits (before softmax), not probabilities")
    label_smoothing: float = option(0.0, "share of the target that is spread evenly over all classes")

    def __post_init__(self) -> None:
        _check_smoothing(self)

    def cells(self, prediction: Classes, target: Classes) -> Cells:
        smooth = self.label_smoothing
        target = target * (1 - smooth) + smooth / target.shape[-1] if smooth else target
        return -(target * log_probabilities(prediction, from_logits=self.from_logits)).sum(-1)

    def _shape(self, prediction: Tensor, target: Tensor) -> torch.Size:
        return super()._shape(prediction, target)[:-1]


@dataclass(frozen=True)
class SparseCategoricalCrossentropy(Loss):
    """``-log p[y]`` where ``y`` is the number of the class; see :class:`CategoricalCrossentropy`."""

    classes: ClassVar[bool] = True
    from_logits: bool = option(False, "the prediction holds logits (before softmax), not probabilities")
    label_smoothing: float = option(0.0, "share of the target that is spread evenly over all classes")

    def __post_init__(self) -> None:
        _check_smoothing(self)

    def cells(self, prediction: Classes, target: Int[Tensor, "*cells"]) -> Cells:
        _check_classes(target, prediction.shape[-1])
        log_p = log_probabilities(prediction, from_logits=self.from_logits)
        own = -log_p.gather(-1, target[..., None])[..., 0]
        smooth = self.label_smoothing
        return (1 - smooth) * own - smooth * log_p.mean(-1) if smooth else own

    def _shape(self, prediction: Tensor, target: Tensor) -> torch.Size:
        if prediction.shape[:-1] != target.shape:
            raise SettingError(
                f"prediction must be {(*target.shape, 'classes')} for numbers of classes of shape "
                f"{tuple(target.shape)}, got {tuple(prediction.shape)}"
            )
        return target.shape


def log_probabilities(prediction: Classes, *, from_logits: bool) -> Classes:
    """Of logits, or of probabilities that need not sum to 1."""
    if from_logits:
        return log_softmax(prediction, -1)
    return (prediction / prediction.sum(-1, keepdim=True)).clamp(EPSILON, 1 - EPSILON).log()


LOSSES: dict[str, type[Loss]] = {  # the first name of each is the one that is written
    "mse": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "huber": Huber,
    "log_cosh": LogCosh,
    "quantile": Quantile,
    "mase": MeanAbsoluteScaledError,
    "mape": MeanAbsolutePercentageError,
    "msle": MeanSquaredLogarithmicError,
    "cosine_similarity": CosineSimilarity,
    "poisson": Poisson,
    "negative_binomial": NegativeBinomial,
    "tweedie": Tweedie,
    "categorical_crossentropy": CategoricalCrossentropy,
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
    "mean_squared_error": MeanSquaredError,
    "mean_absolute_error": MeanAbsoluteError,
    "logcosh": LogCosh,
    "pinball": Quantile,
    "mean_absolute_scaled_error": MeanAbsoluteScaledError,
    "mean_absolute_percentage_error": MeanAbsolutePercentageError,
    "mean_squared_logarithmic_error": MeanSquaredLogarithmicError,
}


def _above_zero(loss: Loss, **values: float) -> None:
    for name, value in values.items():
        if not is_number(value) or not value > 0:
            raise SettingError(f"{type(loss).__name__}.{name} must be greater than 0, got {value!r}")


def check_power(owner: object) -> None:
    """The power of a Tweedie distribution with a mass at zero."""
    power = owner.power  # type: ignore[attr-defined]
    if not is_number(power) or not 1 < power < 2:
        raise SettingError(
            f"{type(owner).__name__}.power must lie between 1 (there it is poisson) and 2 (gamma, without zeros), "
            f"got {power!r}"
        )


def _check_classes(target: Int[Tensor, "*cells"], classes: int) -> None:
    """Numbers of classes that there are; looked at where that costs no waiting for an accelerator."""
    if not target.is_cpu or not target.numel() or torch.compiler.is_compiling():
        return
    least, most = int(target.min()), int(target.max())
    if least < 0 or most >= classes:
        raise SettingError(f"classes are numbered from 0 to {classes - 1}, got {least} to {most}")


def _check_smoothing(loss: CategoricalCrossentropy | SparseCategoricalCrossentropy) -> None:
    share = loss.label_smoothing
    if not is_number(share) or not 0 <= share < 1:
        raise SettingError(f"{type(loss).__name__}.label_smoothing is a share in [0, 1), got {share!r}")
