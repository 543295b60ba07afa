"""Regularizers add to the loss; constraints project weights after an optimiser's step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.named import did_you_mean
from gatecast.base.options import check_options, option

EPSILON = 1e-7  # as in Keras: a row of zeros stays one

Regularizer = Callable[[Tensor], Tensor]
Constraint = str | Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class L1L2:
    """``l1 * sum(|w|) + l2 * sum(w²)``."""

    l1: float = option(0.0, "factor of the sum of absolute weights", least=0, below=math.inf)
    l2: float = option(0.0, "factor of the sum of squared weights", least=0, below=math.inf)

    def __post_init__(self) -> None:
        check_options(self)

    def __call__(self, weight: Tensor) -> Tensor:
        return self.l1 * weight.abs().sum() + self.l2 * weight.square().sum()


def L1(l1: float = 0.01) -> L1L2:
    """``l1 * sum(|w|)``."""
    return L1L2(l1=l1)


def L2(l2: float = 0.01) -> L1L2:
    """``l2 * sum(w²)``."""
    return L1L2(l2=l2)


@dataclass(frozen=True)
class MaxNorm:
    """Incoming weights of each unit have at most this norm (Srivastava et al. 2014); a bias: the whole vector.

    Of a convolution it is the norm of a channel's whole kernel.
    """

    max_value: float = option(2.0, "largest norm", above=0)

    def __post_init__(self) -> None:
        check_options(self)

    def __call__(self, weight: Tensor) -> Tensor:
        norm = _norm(weight)
        return weight * (norm.clamp(max=self.max_value) / (norm + EPSILON))


@dataclass(frozen=True)
class UnitNorm:
    """Incoming weights of each unit have norm 1; a bias: the whole vector."""

    def __call__(self, weight: Tensor) -> Tensor:
        return weight / (_norm(weight) + EPSILON)


@dataclass(frozen=True)
class NonNeg:
    """No weight is below 0."""

    def __call__(self, weight: Tensor) -> Tensor:
        return weight.clamp(min=0)


CONSTRAINTS: dict[str, Callable[[Tensor], Tensor]] = {
    "max_norm": MaxNorm(),
    "unit_norm": UnitNorm(),
    "non_neg": NonNeg(),
}


def constraint_of(constraint: Constraint | None, name: str = "a constraint") -> Callable[[Tensor], Tensor] | None:
    """The constraint with this name; an object, a function or None is returned unchanged.

    Args:
        constraint: a name, an object, a function or None.
        name: of the argument, for the message.

    Raises:
        SettingError: there is no such constraint, or the value is not callable.
    """
    if isinstance(constraint, str) and constraint in CONSTRAINTS:
        return CONSTRAINTS[constraint]
    if isinstance(constraint, str | type) or not (constraint is None or callable(constraint)):
        raise SettingError(
            Arg(name) + f" must be one of {', '.join(CONSTRAINTS)}, an object such as MaxNorm(2), or a function of a "
            f"tensor, got {constraint!r}",
            did_you_mean(constraint, CONSTRAINTS),
        )
    return constraint


def check_regularizer(regularizer: object, name: str = "a regularizer") -> None:
    """Validate that a regularizer is a function of a tensor, and not ``L2`` in place of ``L2()``.

    Raises:
        SettingError: it is not callable, or it creates regularizers.
    """
    makes = isinstance(regularizer, type) or regularizer is L1 or regularizer is L2
    if regularizer is not None and (makes or not callable(regularizer)):
        raise SettingError(
            Arg(name) + f" must be an object such as L2(1e-4) or a function of a tensor, got {regularizer!r}"
        )


def _norm(weight: Tensor) -> Tensor:
    axes = tuple(range(1, weight.dim())) or (0,)
    return torch.linalg.vector_norm(weight, dim=axes, keepdim=True)
