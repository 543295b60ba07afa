"""Forms of the transmission rate β(t): constant, falling exponentially, or in steps at change points."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.options import check_options, option

DayOf = Callable[[Any], int]  # date → row
Values = dict[str, np.ndarray]
Spec = tuple[str, float, float, float]  # name, lower bound, upper bound, where the search begins

BETA = (1e-3, 5.0, 0.5)


class Transmission(ABC):
    """A form of β(t) that can be fitted."""

    @abstractmethod
    def parameters(self, changes: tuple[int, ...]) -> tuple[Spec, ...]:
        """Parameters to fit, all positive."""

    @abstractmethod
    def change_rows(self, day_of: DayOf) -> tuple[int, ...]:
        """Rows of the days on which β(t) changes its form."""

    @abstractmethod
    def rate(self, values: Values, times: np.ndarray, changes: tuple[int, ...]) -> np.ndarray:
        """β ``(times, sets)``."""


@dataclass(frozen=True)
class Constant(Transmission):
    """β(t) = β: only immunity slows the epidemic."""

    def parameters(self, changes: tuple[int, ...]) -> tuple[Spec, ...]:
        return (("beta", *BETA),)

    def change_rows(self, day_of: DayOf) -> tuple[int, ...]:
        return ()

    def rate(self, values: Values, times: np.ndarray, changes: tuple[int, ...]) -> np.ndarray:
        return np.broadcast_to(values["beta"], (len(times), len(values["beta"])))


@dataclass(frozen=True)
class Exponential(Transmission):
    """β(t) = β (φ + (1 - φ) exp(-k (t - t₀))) after the day t₀, β before it.

    Args:
        start: date t₀ on which the decline begins, or its row in data without dates; None takes the first day fitted.
        floor: the share φ of β that remains in the end, from 0 to below 1.
    """

    start: str | int | None = option(
        None, "date (or row, in data without dates) on which the decline begins; None: the first day fitted"
    )
    floor: float = option(0.0, "share of β that remains in the end", least=0, below=1)

    def __post_init__(self) -> None:
        check_options(self)

    def parameters(self, changes: tuple[int, ...]) -> tuple[Spec, ...]:
        return (("beta", *BETA), ("decay", 1e-4, 1.0, 0.05))

    def change_rows(self, day_of: DayOf) -> tuple[int, ...]:
        return () if self.start is None else (day_of(self.start),)

    def rate(self, values: Values, times: np.ndarray, changes: tuple[int, ...]) -> np.ndarray:
        elapsed = np.maximum(times - (changes[0] if changes else 0), 0.0)[:, None]
        return values["beta"] * (self.floor + (1 - self.floor) * np.exp(-values["decay"] * elapsed))


@dataclass(frozen=True)
class Piecewise(Transmission):
    """β(t) is constant between change points.

    Args:
        changes: dates of the first day of each new stretch, e.g. of a lockdown; without any they are searched for.
        most: largest number of change points to search for; each must lower the BIC.
        least: shortest length of a stretch in days.
    """

    changes: tuple[str, ...] | str = option((), "dates of the first day of each new stretch")
    most: int = option(3, "largest number of change points to search for", least=1)
    least: int = option(10, "shortest length of a stretch in days", least=2)

    def __post_init__(self) -> None:
        given = (self.changes,) if isinstance(self.changes, str) else self.changes
        if not isinstance(given, Iterable) or not all(isinstance(one, str) for one in given):
            problem = Arg("changes") + f" must be dates in quotes, got {self.changes!r}"
            raise SettingError(problem, "write them like " + Arg("changes", ("2020-01-23", "2020-02-12")))
        object.__setattr__(self, "changes", tuple(given))
        check_options(self)

    def parameters(self, changes: tuple[int, ...]) -> tuple[Spec, ...]:
        return tuple((f"beta_{k}", *BETA) for k in range(len(changes) + 1))

    def change_rows(self, day_of: DayOf) -> tuple[int, ...]:
        return tuple(sorted(day_of(date) for date in self.changes))

    def rate(self, values: Values, times: np.ndarray, changes: tuple[int, ...]) -> np.ndarray:
        stretches = np.stack([values[f"beta_{k}"] for k in range(len(changes) + 1)])
        return stretches[np.searchsorted(np.array(changes), times, side="right")]


TRANSMISSIONS: dict[str, Any] = {"constant": Constant, "exponential": Exponential, "piecewise": Piecewise}
