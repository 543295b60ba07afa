"""What if: the same epidemic with its measures earlier or later, or with other contacts from some day on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gatecast.base.errors import SettingError
from gatecast.epidemic.seir.transmission import Dates


@dataclass(frozen=True)
class Scenario:
    """A change of β(t); everything else stays as it was fitted.

    Args:
        name: of the forecast.
        shift_days: days by which the whole course of β is moved: 5 for measures five days later, -5 for earlier.
        contacts: relative change of contacts, and so of β, from ``start`` on: -0.3 for 30 % fewer.
        start: date of that change; None takes the first day of the forecast.
    """

    name: str = ""
    shift_days: int = 0
    contacts: float = 0.0
    start: str | None = None

    def __post_init__(self) -> None:
        if not self.contacts >= -1:
            raise SettingError(f"contacts is a relative change, -0.3 for 30 % fewer, at least -1; got {self.contacts}")
        if self.shift_days != int(self.shift_days):
            raise SettingError(f"shift_days counts whole days; got {self.shift_days}")

    @property
    def title(self) -> str:
        """The name, or what is changed in words."""
        parts = []
        if self.shift_days:
            parts.append(f"measures {abs(self.shift_days)} days {'later' if self.shift_days > 0 else 'earlier'}")
        if self.contacts:
            parts.append(f"contacts {100 * self.contacts:+.0f} %" + (f" from {self.start}" if self.start else ""))
        return self.name or ", ".join(parts) or "as fitted"

    def first_day(self, day_of: Dates, origin: int) -> int:
        """Row from which contacts change."""
        return origin if self.start is None else day_of(self.start)

    def moved(self, times: np.ndarray) -> np.ndarray:
        """The time of the fitted course that stands at each time."""
        return times - self.shift_days

    def factor(self, times: np.ndarray, first: int) -> np.ndarray:
        """``(times, 1)`` factor of β."""
        return np.where(times >= first, 1 + self.contacts, 1.0)[:, None]
