"""Scenarios: the same epidemic with its measures earlier or later, or with other contacts from some day on."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.options import check_options, option
from gatecast.epidemic.seir.transmission import DayOf

_PAIRS = re.compile(r"(\w+)\s*=\s*(.+?)(?=[,\s]+\w+\s*=|$)")
_EXPECTED = {
    "shift_days": "must be days in whole numbers, such as 5 or -5",
    "contacts": "must be a relative change such as -0.3, for 30 % fewer",
    "start": "must be a date such as 2020-03-01",
}


@dataclass(frozen=True)
class Scenario:
    """A change of β(t); everything else stays as fitted.

    Args:
        name: of the forecast.
        shift_days: days by which the whole course of β is moved: 5 for measures five days later, -5 for earlier.
        contacts: relative change of contacts, and so of β, from ``start`` on: -0.3 for 30 % fewer.
        start: date of that change, or its row in data without dates; None takes the first day of the forecast.

    Example:
        >>> from gatecast.epidemic.seir import Scenario
        >>> Scenario.from_text("contacts=-0.3 start=2020-03-01").title
        'contacts -30 % from 2020-03-01'
    """

    name: str = option("", "name of the forecast")
    shift_days: int = option(0, "days by which the course of β is moved")
    contacts: float = option(0.0, "relative change of contacts from the start on", least=-1)
    start: str | int | None = option(
        None, "date (or row, in data without dates) of that change; None: the first day of the forecast"
    )

    def __post_init__(self) -> None:
        check_options(self)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """A scenario from ``shift_days=5`` or ``name=fewer contacts=-0.3 start=2020-03-01``.

        Raises:
            SettingError: for an unknown field or a value of the wrong kind.
        """
        pairs = _PAIRS.findall(text.strip())
        known = [one.name for one in fields(cls)]
        if not pairs or any(name not in known for name, _ in pairs):
            raise SettingError(
                Arg("scenario", text) + " is not a scenario",
                "give shift_days, contacts, start or name, each with its value, such as 'shift_days=5' or "
                "'contacts=-0.3 start=2020-03-01'",
            )
        given = {name: _value(text, name, value.strip()) for name, value in pairs}
        try:
            return cls(**given)
        except SettingError as error:
            raise SettingError(Arg("scenario", text) + ": " + error.finding.problem, error.finding.remedy) from error

    def to_text(self) -> str:
        """The text that :meth:`from_text` reads."""
        changed = (
            (one.name, getattr(self, one.name)) for one in fields(self) if getattr(self, one.name) != one.default
        )
        return " ".join(
            f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in changed
        )

    @property
    def title(self) -> str:
        """The name, or the changes in words."""
        parts = []
        if self.shift_days:
            parts.append(f"measures {abs(self.shift_days)} days {'later' if self.shift_days > 0 else 'earlier'}")
        if self.contacts:
            parts.append(f"contacts {100 * self.contacts:+.0f} %" + (f" from {self.start}" if self.start else ""))
        return self.name or ", ".join(parts) or "as fitted"

    def first_day(self, day_of: DayOf, origin: int) -> int:
        """Row from which contacts change."""
        return origin if self.start is None else day_of(self.start)

    def moved(self, times: np.ndarray) -> np.ndarray:
        """Time of the fitted course that corresponds to each time."""
        return times - self.shift_days

    def factor(self, times: np.ndarray, first: int) -> np.ndarray:
        """``(times, 1)`` factor of β."""
        return np.where(times >= first, 1 + self.contacts, 1.0)[:, None]


def _value(text: str, name: str, value: str) -> Any:
    """The value of a field as a number, a date or a name."""
    import pandas as pd

    try:
        if name == "start":
            return str(pd.Timestamp(value).date())
        return {"shift_days": int, "contacts": float, "name": str}[name](value)
    except ValueError as error:
        raise SettingError(Arg("scenario", text) + f": {name} {_EXPECTED[name]}, got {value!r}") from error
