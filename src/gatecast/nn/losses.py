"""Losses by name: the loss of each cell, and the weighted mean over the observed cells.

Names and values are Keras's where Keras has the loss; classes mention what is easily overlooked.
``from_text("loss", "huber(delta=0.5)", LOSSES)`` reads a name, a text with settings, or an object.
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
from gatecast.base.findings import Arg
from gatecast.base.options import check_options, option

_LARGE = 50.0  # from here on Stirling's series is exact to float32
EPSILON = 1e-7  # Keras's least divisor and least argument of a logarithm

Cells = Float[Tensor, "*cells"]
Classes = Float[Tensor, "*cells classes"]


class Measured:
    """A loss of cells that may be divided by the size of the past."""

    def measure(
        self, past: Float[Tensor, "batch time targets"], observed: Bool[Tensor, "batch time targets"], season: int
    ) -> Float[Tensor, "batch 1 targets"] | None:
        """Divisor of each window's loss, from the context in the unit of the data; None: no division."""
        return None


class Loss(Measured, ABC):
    """A loss of each cell, and its mean.

    Flags tell a forecaster what to pass: ``units``: values in the unit of the data, not scaled ones; ``positive``: a
    prediction above zero; ``joint``: cells along the last axis form one vector; ``classes``: the prediction consists of
    probabilities of classes.
    """

    units: ClassVar[bool] = False
    positive: ClassVar[bool] = False
    joint: ClassVar[bool] = False
    classes: ClassVar[bool] = False

    @abstractmethod
    def cells(self, prediction: Tensor, target: Tensor) -> Cells:
        """Loss of each cell; lower is better."""

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
            prediction: of the model.
            target: observed values, of the same shape.
            mask: True where a cell counts. Other cells, NaN included, affect neither value nor gradient.
            weight: 0 or more for each cell, broadcast. Weight 0 has the effect of the mask.
            past: ``(batch, time, targets)`` values before the target, NaN where missing; only ``mase`` needs them.

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
        """Shape of the cells, after checking that prediction and target fit."""
        if prediction.shape != target.shape:
            raise SettingError(
                Arg("prediction")
                + " and "
                + Arg("target")
                + f" must have one shape, got {tuple(prediction.shape)} and {tuple(target.shape)}; "
                "broadcasting would compare every one with every other"
            )
        return target.shape


def _spread(name: str, values: Tensor | None, shape: torch.Size) -> Tensor | None:
    """Expand values to the shape of the cells."""
    if values is None:
        return None
    try:
        return values.expand(shape)
    except RuntimeError:
        raise SettingError(
            Arg(name)
            + f" must be of the shape of the cells, {tuple(shape)}, or broadcast to it; got {tuple(values.shape)}"
        ) from None


def _checked_weight(weight: Tensor) -> Tensor:
    """Reject weights below 0; checked only where that does not wait for an accelerator."""
    if weight.is_cpu and not torch.compiler.is_compiling() and bool((weight < 0).any()):
        least = float(weight.min())
        raise SettingError(Arg("weight") + f" must be 0 or more for every cell, got {least}", "0 leaves a cell out")
    return weight


def _one_for_each_window(size: Float[Tensor, "batch 1 targets"], cells: Cells) -> Float[Tensor, "batch 1 targets"]:
    """Check that the divisors belong to the windows of the cells: they must not broadcast across windows."""
    if cells.dim() != 3 or (cells.shape[0], cells.shape[2]) != (size.shape[0], size.shape[2]):
        raise SettingError(
            Arg("past")
            + f" of {size.shape[0]} windows and {size.shape[2]} targets needs a prediction (batch, horizon, targets) "
            f"= ({size.shape[0]}, horizon, {size.shape[2]}), got {tuple(cells.shape)}",
            "one target keeps its axis: prediction[..., None]",
        )
    return size


def blanked(values: Tensor, mask: Tensor) -> Tensor:
    """Zero where the mask is False, in the gradient too; the mask may lack trailing axes."""
    return torch.where(mask[(..., *[None] * (values.dim() - mask.dim()))], values, 0)


def weighted_mean(cells: Cells, *, mask: Tensor | None = None, weight: Tensor | None = None) -> Float[Tensor, ""]:
    """``sum(weight * cells) / sum(weight)`` over the cells where the mask is True; 0 without weight.

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
    """``(y - p)²``, minimised by the mean."""

    def cells(self, prediction: Cells, target: Cells) -> Cells:
        return (prediction - target) ** 2


@dataclass(frozen=True)
class MeanAbsoluteError(Loss):
    """``|y - p|``, minimised by the median."""

    def cells(self, prediction: Cells, target: Cells) -> Cells:
        return (prediction - target).abs()


@dataclass(frozen=True)
class Huber(Loss):
    """``e² / 2`` up to ``delta``, ``delta (|e| - delta / 2)`` beyond (Huber 1964)."""

    delta: float = option(1.0, "size of an error above which it counts linearly, in the unit of the loss", above=0)

    def __post_init__(self) -> None:
        check_options(self)

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
    """``max(q (y - p), (q - 1)(y - p))``: minimised by the quantile ``q`` (Koenker & Bassett 1978); also "pinball"."""

    probability: float = option(0.5, "of the quantile; 0.5: half of the absolute error", above=0, below=1)

    def __post_init__(self) -> None:
        check_options(self)

    def cells(self, prediction: Cells, target: Cells) -> Cells:
        error = target - prediction
        return torch.maximum(self.probability * error, (self.probability - 1) * error)


@dataclass(frozen=True)
class MeanAbsolutePercentageError(Loss):
    """``100 |y - p| / max(|y|, epsilon)``.

    As in Keras a target of 0 divides by 1e-7: one such cell outweighs all others. Choose an ``epsilon`` of the order of
    the data, or another loss.
    """

    units: ClassVar[bool] = True
    epsilon: float = option(EPSILON, "least divisor, in the unit of the data", above=0)

    def __post_init__(self) -> None:
        check_options(self)

    def cells(self, prediction: Cells, target: Cells) -> Cells:
        return 100 * ((prediction - target) / target.abs().clamp(min=self.epsilon)).abs()


@dataclass(frozen=True)
class MeanSquaredLogarithmicError(Loss):
    """``(log(1 + y) - log(1 + p))²``, both at least 1e-7.

    As in Keras values below 1e-7 count as 1e-7, so that negative predictions have no gradient.
    """

    units: ClassVar[bool] = True

    def cells(self, prediction: Cells, target: Cells) -> Cells:
        return (prediction.clamp(min=EPSILON).log1p() - target.clamp(min=EPSILON).log1p()) ** 2


@dataclass(frozen=True)
class MeanAbsoluteScaledError(Loss):
    """``|y - p| / (mean |y_t - y_(t-season)| of the past)`` (Hyndman & Koehler 2006).

    Below 1 the forecast is better than the naive one was on average over the past. The divisor of a window is computed
    from its past; where that is constant, it is the mean size of its values, or 1 where they are 0.
    """

    units: ClassVar[bool] = True
    season: int | None = option(
        None, "rows between the two values of a naive error; None: the forecaster's, else 1", least=1
    )

    def __post_init__(self) -> None:
        check_options(self)

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
                "mase divides errors by the naive error of the past",
                "give " + Arg("past", ...) + " of shape (batch, time, targets)",
            )
        return super().__call__(prediction, target, **more)


def naive_error(
    past: Float[Tensor, "batch time targets"], observed: Bool[Tensor, "batch time targets"], season: int
) -> Float[Tensor, "batch 1 targets"]:
    """Mean ``|y_t - y_(t-season)|`` over the observed pairs; 0 without any."""
    pairs = observed[:, season:] & observed[:, :-season]
    error = ((past[:, season:] - past[:, :-season]).abs() * pairs).sum(1, keepdim=True)
    return error / pairs.sum(1, keepdim=True).clamp(min=1)


@dataclass(frozen=True)
class CosineSimilarity(Loss):
    """``-cos(y, p)`` of the vectors along ``axis``: -1 for the same direction, 0 at right angles, 1 for the opposite.

    As in Keras the sign makes lower values better. The length of the prediction is ignored. Each cell has the loss of
    its vector. A vector of zeros has the loss 0; its gradient, NaN in Keras, is finite here.
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
    """``p - y log(p + 1e-7)``: the negative log-likelihood of counts with mean ``p``, up to a function of ``y``.

    As in Keras ``log y!`` is left out, so that values below zero occur.
    """

    units: ClassVar[bool] = True
    positive: ClassVar[bool] = True

    def cells(self, prediction: Cells, target: Cells) -> Cells:
        return prediction - target * (prediction + EPSILON).log()


@dataclass(frozen=True)
class NegativeBinomial(Loss):
    """Negative log-likelihood of counts with mean ``p`` and variance ``p + dispersion p²``.

    The head of this name learns the dispersion; here it is fixed.
    """

    units: ClassVar[bool] = True
    positive: ClassVar[bool] = True
    dispersion: float = option(1.0, "of the variance mean + dispersion * mean²; 0 would be Poisson's", above=0)

    def __post_init__(self) -> None:
        check_options(self)

    def cells(self, prediction: Cells, target: Cells) -> Cells:
        mean, size = prediction.clamp(min=EPSILON), 1 / self.dispersion
        if size > _LARGE:
            return self._near_poisson(mean, target, size)
        choose = (target + 1).lgamma() + math.lgamma(size) - (target + size).lgamma()
        return choose + (target + size) * (mean / size).log1p() - target * (mean / size).log()

    @staticmethod
    def _near_poisson(mean: Cells, target: Cells, size: float) -> Cells:
        """The same by Stirling's series: the difference of two large log-gammas would cancel all digits."""
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
    power: float = option(1.5, "between 1 (Poisson) and 2 (gamma, without zeros)", above=1, below=2)

    def __post_init__(self) -> None:
        check_options(self)

    def cells(self, prediction: Cells, target: Cells) -> Cells:
        mean, one, two = prediction.clamp(min=EPSILON), 1 - self.power, 2 - self.power
        return 2 * (target**two / (one * two) - target * mean**one / one + mean**two / two)


# ── classes ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class CategoricalCrossentropy(Loss):
    """``-sum(y log p)`` over the classes on the last axis; ``y`` are probabilities or one-hot.

    As in Keras probabilities are normalised to the sum 1 and clipped to [1e-7, 1 - 1e-7], where the gradient is zero;
    logits have no such limit and are the better choice.
    """

    classes: ClassVar[bool] = True
    from_logits: bool = option(False, "the prediction holds logits (before softmax), not probabilities")
    label_smoothing: float = option(0.0, "share of the target spread evenly over all classes", least=0, below=1)

    def __post_init__(self) -> None:
        check_options(self)

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
    label_smoothing: float = option(0.0, "share of the target spread evenly over all classes", least=0, below=1)

    def __post_init__(self) -> None:
        check_options(self)

    def cells(self, prediction: Classes, target: Int[Tensor, "*cells"]) -> Cells:
        _check_classes(target, prediction.shape[-1])
        log_p = log_probabilities(prediction, from_logits=self.from_logits)
        own = -log_p.gather(-1, target[..., None])[..., 0]
        smooth = self.label_smoothing
        return (1 - smooth) * own - smooth * log_p.mean(-1) if smooth else own

    def _shape(self, prediction: Tensor, target: Tensor) -> torch.Size:
        if prediction.shape[:-1] != target.shape:
            raise SettingError(
                Arg("prediction") + f" must be {(*target.shape, 'classes')} for numbers of classes of shape "
                f"{tuple(target.shape)}, got {tuple(prediction.shape)}"
            )
        return target.shape


def log_probabilities(prediction: Classes, *, from_logits: bool) -> Classes:
    """Log of the class probabilities, from logits or from probabilities that need not sum to 1."""
    if from_logits:
        return log_softmax(prediction, -1)
    return (prediction / prediction.sum(-1, keepdim=True)).clamp(EPSILON, 1 - EPSILON).log()


LOSSES: dict[str, type[Loss]] = {  # the first name of each is used in texts
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


def _check_classes(target: Int[Tensor, "*cells"], classes: int) -> None:
    """Reject class numbers that do not exist; checked only where that does not wait for an accelerator."""
    if not target.is_cpu or not target.numel() or torch.compiler.is_compiling():
        return
    least, most = int(target.min()), int(target.max())
    if least < 0 or most >= classes:
        raise SettingError(f"classes are numbered from 0 to {classes - 1}, got {least} to {most}")
