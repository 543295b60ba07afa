"""What binds weights: regularizers add to the loss, constraints mend a weight after an optimiser's step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gatecast.errors import SettingError

EPSILON = 1e-7  # Keras's: a row of zeros stays a row of zeros

Regularizer = Callable[[Tensor], Tensor]
Constraint = str | Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class L1L2:
    """``l1 * sum(|w|) + l2 * sum(w²)``."""

    l1: float = 0.0
    l2: float = 0.0

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

    max_value: float = 2.0

    def __post_init__(self) -> None:
        if not self.max_value > 0:
            raise SettingError(f"MaxNorm.max_value is a norm and must be above 0, got {self.max_value}")

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


def constraint_of(constraint: Constraint | None) -> Callable[[Tensor], Tensor] | None:
    """The constraint of a name; an object, a function or None as it is.

    Raises:
        SettingError: none has that name.
    """
    if not isinstance(constraint, str):
        return constraint
    if constraint not in CONSTRAINTS:
        raise SettingError(
            f"a constraint must be one of {', '.join(CONSTRAINTS)}, an object such as MaxNorm(2), or a function of a "
            f"tensor; got {constraint!r}"
        )
    return CONSTRAINTS[constraint]


def check_regularizer(regularizer: object) -> None:
    """A regularizer is a function.

    Raises:
        SettingError: it cannot be called.
    """
    if regularizer is not None and not callable(regularizer):
        raise SettingError(
            f"a regularizer must be an object such as L2(1e-4) or a function of a tensor, got {regularizer!r}"
        )


def _norm(weight: Tensor) -> Tensor:
    axes = tuple(range(1, weight.dim())) or (0,)
    return torch.linalg.vector_norm(weight, dim=axes, keepdim=True)
