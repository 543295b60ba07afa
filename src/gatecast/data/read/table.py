"""A table as it came, with its lines, and the log of everything that is decided or repaired while it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from gatecast.base.errors import DataError
from gatecast.base.findings import Finding, Words
from gatecast.data.schema import Schema

# Spellings of "no value" that need no telling. Anything else is told by ``missing=``.
MISSING_CODES = frozenset(
    {"", "na", "n/a", "#n/a", "#na", "nan", "-nan", "null", "none", "nil", "<na>", "nat", "-", "--", "—", "–", "?", "."}
)


@dataclass
class Log:
    """Collects repairs and raises errors that name the place.

    Args:
        source: file name or kind of object, as errors name it.
        word: ``"line"`` for files, ``"row"`` for objects in memory.
        lines: line in the file of each row of the table; None where rows are simply counted from 1.
    """

    source: str
    word: str = "row"
    lines: np.ndarray | None = None
    repairs: list[Finding] = field(default_factory=list)

    def note(self, kind: str, message: str, count: int = 1, place: str = "") -> None:
        """List one repair or decision."""
        self.repairs.append(Finding(place, message, kind=kind, count=int(count)))

    def line(self, row: int) -> int:
        """Number by which the user finds this row (1-based line of the file, or 1-based row)."""
        return int(self.lines[row]) if self.lines is not None else int(row) + 1

    def at(self, row: int) -> str:
        """``"line 17"``."""
        return f"{self.word} {self.line(row)}"

    def fail(self, problem: Words, remedy: Words, *, column: str | None = None, row: int | None = None) -> NoReturn:
        """Raise a DataError: place, what was expected and what came, then the remedy."""
        place = [self.source]
        if column is not None:
            place.append(f"column {column!r}")
        if row is not None:
            place.append(self.at(row))
        raise DataError(problem, remedy, place=", ".join(place))


@dataclass
class Table:
    """Columns of equal length, as read: numbers, datetimes or text.

    Args:
        frame: the columns.
        log: knows the place of each row.
        decimal: decimal sign that the first lines of a text file prove; None where they do not.
        dialect: delimiter, encoding and header line of a text file.
    """

    frame: pd.DataFrame
    log: Log
    decimal: str | None = None
    dialect: dict[str, Any] = field(default_factory=dict)
    _coded: dict[str, tuple[np.ndarray, pd.Series]] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.frame)

    def with_dialect(self, schema: Schema) -> Schema:
        """The schema with the dialect of this table where it has none."""
        found = {**self.dialect, "decimal": self.decimal}
        return replace(schema, **{name: value for name, value in found.items() if getattr(schema, name) is None})

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return list(self.frame.columns)

    def is_text(self, name: str) -> bool:
        """True where the column holds neither numbers nor datetimes."""
        column = self.frame[name]
        return not (pd.api.types.is_numeric_dtype(column) or self.is_datetime(name))

    def is_datetime(self, name: str) -> bool:
        """True for columns that came as datetimes."""
        return pd.api.types.is_datetime64_any_dtype(self.frame[name])

    def coded(self, name: str) -> tuple[np.ndarray, pd.Series]:
        """The column as stripped text: number of the text of each row, and the distinct texts; empty where missing."""
        if name not in self._coded:
            column = self.frame[name]
            if pd.api.types.is_float_dtype(column) and (column.dropna() % 1 == 0).all():
                column = column.astype("Int64")  # 1.0 is the id "1" where a missing cell made integers floats
            rows, distinct = pd.factorize(column, use_na_sentinel=False)
            cells = pd.Series(distinct).astype("string").fillna("").astype(object).str.strip()
            merged, texts = pd.factorize(cells)
            self._coded[name] = merged[rows], pd.Series(np.asarray(texts, dtype=object), dtype=object)
        return self._coded[name]

    def texts(self, name: str) -> pd.Series:
        """The column as stripped text, a row each."""
        rows, cells = self.coded(name)
        return pd.Series(cells.to_numpy()[rows], dtype=object)

    def missing_text(self, name: str, codes: Sequence[object] = ()) -> np.ndarray:
        """Which rows of the column are a spelling of "no value"."""
        rows, cells = self.coded(name)
        return is_missing_text(cells, codes)[rows]


def is_missing_text(texts: pd.Series, codes: Sequence[object] = ()) -> np.ndarray:
    """Which texts are a spelling of "no value", or one of the codes told by the user."""
    told = {str(code).strip().lower() for code in codes}
    return texts.str.lower().isin(MISSING_CODES | told).to_numpy()
