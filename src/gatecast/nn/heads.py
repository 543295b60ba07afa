"""Heads turn the network's raw outputs into a distribution of the target: loss, quantiles and draws.

Most heads live in scaled units (see :mod:`gatecast.batches.scalers`), and the forecaster brings their quantiles back to
the unit of the data; those with ``positive`` live there themselves. ``raw`` has shape ``(batch, horizon, targets,
outputs)``; its first output is the centre.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import torch
from jaxtyping import Bool, Float
from torch import Tensor, distributions
from torch.distributions import Distribution, NegativeBinomial, Normal, StudentT
from torch.nn.functional import softplus

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.named import from_text, to_text
from gatecast.base.options import check_options, is_number, option
from gatecast.nn.draws import drawing, injected
from gatecast.nn.losses import LOSSES, Loss, Measured
from gatecast.nn.tweedie_distribution import TweedieDistribution

Raw = Float[Tensor, "*cells outputs"]
Cells = Float[Tensor, "*cells"]

DRAWS = 2000  # sorted draws stand for the quantile function where a distribution has none in closed form
CELLS = 2048  # cells drawn for at once: 16 MB of draws


class Head(Measured, ABC):
    """Meaning of the network's outputs."""

    counts = False  # True: the target is a count

    @property
    def positive(self) -> bool:
        """Whether the centre is a positive mean in the unit of the data, like loss, quantiles and draws."""
        return self.counts

    @property
    def units(self) -> bool:
        """Whether the loss takes values in the unit of the data, not scaled ones."""
        return self.positive

    @property
    def minimised(self) -> str:
        """Name of the loss."""
        return "negative log-likelihood"

    @property
    @abstractmethod
    def outputs(self) -> int:
        """Raw outputs for each target and step."""

    @property
    def initial(self) -> tuple[float, ...]:
        """Bias of the raw outputs before training."""
        return (0.0,) * self.outputs

    @abstractmethod
    def cells(self, raw: Raw, target: Cells) -> Cells:
        """Loss of each cell; lower is better."""

    @abstractmethod
    def quantiles(self, raw: Raw, probabilities: Float[Tensor, " p"]) -> Float[Tensor, "*cells p"]:
        """Quantiles in ascending order, never crossing."""

    def mean(self, raw: Raw) -> Cells:
        """The point forecast: the median, which minimises errors of the MAE type."""
        return self.quantiles(raw, raw.new_tensor([0.5]))[..., 0]

    def draw(self, raw: Raw) -> Cells:
        """One random value for each cell."""
        uniform = torch.rand_like(raw[..., 0])
        least = torch.finfo(uniform.dtype).eps / 4  # the quantile of a drawn 0 would be infinite
        return self.quantile_at(raw, uniform.clamp(least, 1 - 2 * least))

    def quantile_at(self, raw: Raw, uniform: Cells) -> Cells:
        """The quantile function of each cell at its own probability."""
        grid = torch.linspace(0.005, 0.995, 199, dtype=raw.dtype, device=raw.device)
        table = self.quantiles(raw, grid)
        return interpolate(grid, table, uniform[..., None])[..., 0]


_FORECAST_LOSSES = [name for name, kind in LOSSES.items() if not kind.classes and name == to_text(kind(), LOSSES)]


@dataclass(frozen=True)
class Point(Head):
    """One value without a distribution; intervals then come from calibration alone.

    Args:
        loss: a name of ``gatecast.nn.LOSSES`` such as ``"mae"`` (forecasts the median) or ``"mse"`` (the mean), a text
            with settings such as ``"huber(delta=0.5)"``, or a :class:`gatecast.nn.losses.Loss`.
    """

    loss: str | Loss = option("mae", "what is minimised: a name, name(setting=…), or an object of gatecast.nn.losses")

    def __post_init__(self) -> None:
        loss = from_text("loss", self.loss, LOSSES, choices=_FORECAST_LOSSES)
        if not isinstance(loss, Loss):
            raise SettingError(Arg("loss") + f" must be a name, a text or a Loss of gatecast.nn.losses, got {loss!r}")
        if loss.classes:
            raise SettingError(
                Arg("loss", to_text(loss, LOSSES)) + " is for classes, and a forecast is a number",
                "use another loss, or LSTMClassifier",
            )
        if type(loss) in LOSSES.values():
            object.__setattr__(self, "loss", to_text(loss, LOSSES))  # one spelling, as text for files

    @cached_property
    def _loss(self) -> Loss:
        loss: Loss = from_text("loss", self.loss, LOSSES)
        return loss

    @property
    def positive(self) -> bool:
        return self._loss.positive

    @property
    def units(self) -> bool:
        return self._loss.units

    @property
    def minimised(self) -> str:
        return str(self.loss)

    @property
    def outputs(self) -> int:
        return 1

    def cells(self, raw: Raw, target: Cells) -> Cells:
        if self._loss.joint:  # the path of a target over the horizon is one vector
            return self._loss.cells(raw[..., 0].mT, target.mT).mT
        return self._loss.cells(raw[..., 0], target)

    def measure(
        self, past: Float[Tensor, "batch context targets"], observed: Bool[Tensor, "batch context targets"], season: int
    ) -> Float[Tensor, "batch 1 targets"] | None:
        return self._loss.measure(past, observed, season)

    def quantiles(self, raw: Raw, probabilities: Float[Tensor, " p"]) -> Float[Tensor, "*cells p"]:
        return raw[..., :1].expand(*raw.shape[:-1], len(probabilities))


@dataclass(frozen=True)
class Quantiles(Head):
    """A median and positive steps away from it on both sides, so that quantiles never cross; pinball loss.

    Args:
        probabilities: ascending, symmetric about 0.5 and containing it.
    """

    probabilities: tuple[float, ...] = (0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975)

    def __post_init__(self) -> None:
        p = self.probabilities
        ascending = all(map(is_number, p)) and all(0 < low < high < 1 for low, high in pairwise(p)) and len(p) > 1
        if not ascending or 0.5 not in p or any(abs(a + b - 1) > 1e-6 for a, b in zip(p, reversed(p), strict=True)):
            raise SettingError(
                Arg("probabilities", of="Quantiles") + " must ascend between 0 and 1, be symmetric about 0.5 and "
                f"contain it, such as (0.1, 0.5, 0.9), got {p}"
            )

    @property
    def outputs(self) -> int:
        return len(self.probabilities)

    @property
    def _middle(self) -> int:
        return self.probabilities.index(0.5)

    @property
    def initial(self) -> tuple[float, ...]:
        """Steps as between quantiles of half a standard normal, through the inverse of softplus."""
        normal = 0.5 * torch.special.ndtri(torch.tensor(self.probabilities, dtype=torch.float64, device="cpu"))
        steps = normal.diff().clamp(min=1e-3).expm1().log().tolist()
        return (0.0, *reversed(steps[: self._middle]), *steps[self._middle :])

    def _values(self, raw: Raw) -> Float[Tensor, "*cells p"]:
        """Quantiles from raw outputs: the median, then steps down, then steps up."""
        middle, steps = raw[..., :1], softplus(raw[..., 1:])
        down = middle - steps[..., : self._middle].cumsum(-1)
        up = middle + steps[..., self._middle :].cumsum(-1)
        return torch.cat([down.flip(-1), middle, up], -1)

    @property
    def minimised(self) -> str:
        return "quantile"

    def cells(self, raw: Raw, target: Cells) -> Cells:
        """Twice the mean pinball loss (Koenker & Bassett 1978): an estimate of the CRPS, equal to MAE for a point."""
        p = raw.new_tensor(self.probabilities)
        error = target[..., None] - self._values(raw)
        return 2 * torch.maximum(p * error, (p - 1) * error).mean(-1)

    def quantiles(self, raw: Raw, probabilities: Float[Tensor, " p"]) -> Float[Tensor, "*cells p"]:
        values = self._values(raw)
        own = values.new_tensor(self.probabilities)
        if len(probabilities) == len(own) and torch.allclose(probabilities.to(own), own):
            return values
        return interpolate(own, values, probabilities.to(values).expand(*values.shape[:-1], -1))


@contextmanager
def _same_draws(device: torch.device) -> Iterator[None]:
    """Draw from a fixed seed."""
    with drawing(0), injected():
        yield


class _Parametric(Head):
    """A distribution of torch; quantiles from sorted draws unless it has an inverse distribution function."""

    @abstractmethod
    def distribution(self, raw: Raw) -> Distribution:
        """The distribution of each cell."""

    def cells(self, raw: Raw, target: Cells) -> Cells:
        return -self.distribution(raw).log_prob(target)

    def quantiles(self, raw: Raw, probabilities: Float[Tensor, " p"]) -> Float[Tensor, "*cells p"]:
        with _same_draws(raw.device):  # quantiles depend on raw alone
            parts = [self._sorted_draws(part, probabilities) for part in raw.reshape(-1, self.outputs).split(CELLS)]
        return torch.cat(parts).view(*raw.shape[:-1], -1)

    def _sorted_draws(
        self, raw: Float[Tensor, "cells outputs"], probabilities: Float[Tensor, " p"]
    ) -> Float[Tensor, "cells p"]:
        """Quantiles of few cells, whose draws fit the cache."""
        draws = self.distribution(raw).sample(torch.Size([DRAWS]))
        return torch.quantile(draws, probabilities.to(draws), dim=0).T

    def draw(self, raw: Raw) -> Cells:
        return self.distribution(raw).sample()


@dataclass(frozen=True)
class Gaussian(_Parametric):
    """Normal distribution with learned mean and standard deviation."""

    @property
    def outputs(self) -> int:
        return 2

    def distribution(self, raw: Raw) -> Normal:
        return Normal(raw[..., 0], softplus(raw[..., 1]) + 1e-4)

    def quantiles(self, raw: Raw, probabilities: Float[Tensor, " p"]) -> Float[Tensor, "*cells p"]:
        normal = self.distribution(raw)
        return normal.loc[..., None] + normal.scale[..., None] * torch.special.ndtri(probabilities.to(raw))


@dataclass(frozen=True)
class Student(_Parametric):
    """Student's t with learned location, scale and degrees of freedom: heavy tails.

    Args:
        min_df: least degrees of freedom; above 2 the variance is finite.
    """

    min_df: float = option(2.0, "least degrees of freedom; above 2 the variance is finite", least=0)

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def outputs(self) -> int:
        return 3

    def distribution(self, raw: Raw) -> StudentT:
        return StudentT(self.min_df + softplus(raw[..., 2]), raw[..., 0], softplus(raw[..., 1]) + 1e-4)


@dataclass(frozen=True)
class NegBinomial(_Parametric):
    """Negative binomial for counts: mean ``m`` and variance ``m + a m²`` (Salinas et al. 2020, DeepAR, eq. 3).

    ``raw`` holds the mean in the unit of the data (already through softplus and the scale) and the raw dispersion.
    """

    counts = True

    @property
    def outputs(self) -> int:
        return 2

    def distribution(self, raw: Raw) -> NegativeBinomial:
        mean, dispersion = raw[..., 0].clamp(min=1e-6), softplus(raw[..., 1]).clamp(1e-4, 1e4)
        return NegativeBinomial(1 / dispersion, logits=(mean * dispersion).log())

    def quantiles(self, raw: Raw, probabilities: Float[Tensor, " p"]) -> Float[Tensor, "*cells p"]:
        return super().quantiles(raw, probabilities).round()  # counts are whole


@dataclass(frozen=True)
class Poisson(_Parametric):
    """Poisson distribution for counts whose variance equals their mean; for a larger one use the negative binomial.

    ``raw`` holds the mean in the unit of the data.
    """

    counts = True

    @property
    def outputs(self) -> int:
        return 1

    def distribution(self, raw: Raw) -> distributions.Poisson:
        return distributions.Poisson(raw[..., 0].clamp(min=1e-6))

    def quantiles(self, raw: Raw, probabilities: Float[Tensor, " p"]) -> Float[Tensor, "*cells p"]:
        return super().quantiles(raw, probabilities).round()


@dataclass(frozen=True)
class Tweedie(_Parametric):
    """Tweedie distribution for amounts that are often exactly zero: rain, demand, claims (Jørgensen 1987).

    ``raw`` holds the mean in the unit of the data and the raw dispersion ``variance / mean²``.

    Args:
        power: variance in proportion to ``mean ** power``, between 1 and 2; near 2 positive amounts vary more and
            zeros are rarer.
    """

    power: float = option(1.5, "variance in proportion to mean ** power, between 1 and 2", above=1, below=2)

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def positive(self) -> bool:
        return True

    @property
    def outputs(self) -> int:
        return 2

    def distribution(self, raw: Raw) -> TweedieDistribution:
        return TweedieDistribution(raw[..., 0].clamp(min=1e-6), softplus(raw[..., 1]).clamp(1e-3, 1e3), self.power)


HEADS: dict[str, type[Head]] = {
    "quantiles": Quantiles,
    "normal": Gaussian,
    "student": Student,
    "negative_binomial": NegBinomial,
    "poisson": Poisson,
    "tweedie": Tweedie,
    "point": Point,
}


def head_of(head: str | Head, loss: str | Loss | None) -> Head:
    """The head for a forecaster's ``head`` and ``loss``; ``"auto"`` is quantiles, or a point where a loss is given.

    Raises:
        SettingError: there is no such head, or it conflicts with ``loss``.
    """
    if loss is not None:
        return point_head(head, loss)
    found: Head = from_text("head", "quantiles" if head == "auto" else head, HEADS, choices=("auto", *HEADS))
    return found


def point_head(head: str | Head, loss: str | Loss) -> Point:
    """The point head that minimises this loss, if ``head`` allows it.

    Raises:
        SettingError: the head minimises another loss.
    """
    if head != "auto":
        given = from_text("head", head, HEADS, choices=("auto", *HEADS))
        if given != Point() and given != Point(loss):
            text = to_text(given, HEADS) if type(given) in HEADS.values() else type(given).__name__
            raise SettingError(
                Arg("loss", loss) + " is for a point forecast, and " + Arg("head", text) + " minimises its "
                f"{given.minimised}",
                "leave " + Arg("loss") + " out, or use " + Arg("head", "point"),
            )
    return Point(loss)


def interpolate(
    grid: Float[Tensor, " knots"], table: Float[Tensor, "*cells knots"], at: Float[Tensor, "*cells p"]
) -> Float[Tensor, "*cells p"]:
    """Quantile function through its knots: linear in the normal score, so that tails are normal.

    Beyond the last knot the slope of the last two continues. Results ascend with ``at`` where ``table`` ascends.
    """
    score, wanted = torch.special.ndtri(grid.double()).to(table), torch.special.ndtri(at.double()).to(table)
    right = torch.searchsorted(score, wanted.contiguous()).clamp(1, len(grid) - 1)
    low, high = score[right - 1], score[right]
    low_value, high_value = table.gather(-1, right - 1), table.gather(-1, right)
    return low_value + (wanted - low) / (high - low) * (high_value - low_value)
