"""The place of a row in its source, for errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gatecast.base.errors import DataError
from gatecast.base.findings import Finding, Words


@dataclass(frozen=True, eq=False)
class Origin:
    """Where rows came from.

    Args:
        source: file name or kind of object.
        word: ``"line"`` for files, ``"row"`` for objects in memory.
        lines: line in the file of each row; None where rows are counted from 1.
    """

    source: str
    word: str = "row"
    lines: np.ndarray | None = None

    def line(self, row: int) -> int:
        """Number by which the user finds this row (1-based line of the file, or 1-based row)."""
        return int(self.lines[row]) if self.lines is not None else int(row) + 1

    def at(self, row: int) -> str:
        """``"line 17"``."""
        return f"{self.word} {self.line(row)}"

    def error(
        self, problem: Words, remedy: Words, *, column: str | None = None, row: int | np.integer | None = None
    ) -> DataError:
        """The error at a place: ``raise origin.error("expected a date, got 'x'", "correct the row", row=3)``."""
        place = [self.source]
        if column is not None:
            place.append(f"column {column!r}")
        if row is not None:
            place.append(self.at(int(row)))
        return DataError(problem, remedy, place=", ".join(place))


def note(kind: str, problem: Words, count: int | np.integer = 1, place: str = "", remedy: Words = "") -> Finding:
    """A repair or decision: its kind first, by which it is found."""
    return Finding(place, problem, remedy, kind, int(count))
