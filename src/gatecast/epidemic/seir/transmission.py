"""How the transmission rate β(t) changes: constant, falling exponentially, or in steps at change points."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gatecast.base.errors import SettingError
from gatecast.base.named import from_text

DayOf = Callable[[Any], int]
Values = dict[str, np.ndarray]
Spec = tuple[str, float, float, float]  # name, lower bound, upper bound, where the search begins

BETA = (1e-3, 5.0, 0.5)


class Transmission(ABC):
    """What the fit asks of a β(t)."""

    @abstractmethod
    def parameters(self, changes: tuple[int, ...]) -> tuple[Spec, ...]:
        """The parameters to be fitted, all positive."""

    @abstractmethod
    def changes(self, day_of: DayOf) -> tuple[int, ...]:
        """Days on which something changes, as numbers of rows."""

    @abstractmethod
    def rate(self, values: Values, times: np.ndarray, changes: tuple[int, ...]) -> np.ndarray:
        """β ``(times, sets)``."""


@dataclass(frozen=True)
class Constant(Transmission):
    """β(t) = β: nothing is done about the epidemic but what immunity does."""

    def parameters(self, changes: tuple[int, ...]) -> tuple[Spec, ...]:
        return (("beta", *BETA),)

    def changes(self, day_of: DayOf) -> tuple[int, ...]:
        return ()

    def rate(self, values: Values, times: np.ndarray, changes: tuple[int, ...]) -> np.ndarray:
        return np.broadcast_to(values["beta"], (len(times), len(values["beta"])))


@dataclass(frozen=True)
class Exponential(Transmission):
    """β(t) = β (φ + (1 - φ) exp(-k (t - t₀))) after the day t₀, β before it.

    Args:
        start: date t₀ on which the decline begins; None takes the first day fitted.
        floor: the share φ of β that remains in the end, from 0 to below 1.
    """

    start: str | None = None
    floor: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.floor < 1:
            raise SettingError(f"floor is the share of transmission that remains, from 0 to below 1; got {self.floor}")

    def parameters(self, changes: tuple[int, ...]) -> tuple[Spec, ...]:
        return (("beta", *BETA), ("decay", 1e-4, 1.0, 0.05))

    def changes(self, day_of: DayOf) -> tuple[int, ...]:
        return () if self.start is None else (day_of(self.start),)

    def rate(self, values: Values, times: np.ndarray, changes: tuple[int, ...]) -> np.ndarray:
        elapsed = np.maximum(times - (changes[0] if changes else 0), 0.0)[:, None]
        return values["beta"] * (self.floor + (1 - self.floor) * np.exp(-values["decay"] * elapsed))


@dataclass(frozen=True)
class Piecewise(Transmission):
    """β(t) is constant between change points.

    Args:
        changes: dates of the first day of each new stretch, e.g. of a lockdown; none given: they are looked for.
        most: change points looked for at most; each must lower the BIC.
        least: days that a stretch must have.
    """

    at: tuple[str, ...] = ()
    most: int = 3
    least: int = 10

    def __init__(self, changes: tuple[str, ...] | str = (), most: int = 3, least: int = 10) -> None:
        object.__setattr__(self, "at", (changes,) if isinstance(changes, str) else tuple(changes))
        object.__setattr__(self, "most", most)
        object.__setattr__(self, "least", least)
        if most < 1 or least < 2:
            raise SettingError(f"piecewise needs most >= 1 and least >= 2; got most={most}, least={least}")

    def parameters(self, changes: tuple[int, ...]) -> tuple[Spec, ...]:
        return tuple((f"beta_{k}", *BETA) for k in range(len(changes) + 1))

    def changes(self, day_of: DayOf) -> tuple[int, ...]:
        return tuple(sorted(day_of(date) for date in self.at))

    def rate(self, values: Values, times: np.ndarray, changes: tuple[int, ...]) -> np.ndarray:
        stretches = np.stack([values[f"beta_{k}"] for k in range(len(changes) + 1)])
        return stretches[np.searchsorted(np.array(changes), times, side="right")]


TRANSMISSIONS: dict[str, Any] = {"constant": Constant, "exponential": Exponential, "piecewise": Piecewise}


def transmission_of(value: Any) -> Transmission:
    """The object behind ``transmission=``, which may be a name or a call written as text."""
    found = from_text("transmission", value, TRANSMISSIONS)
    if isinstance(found, Transmission):
        return found
    raise SettingError(f"transmission must be one of {', '.join(TRANSMISSIONS)} or an object of theirs; got {value!r}")
