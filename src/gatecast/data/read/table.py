"""A table as it came: columns of equal length, and the dialect of the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from gatecast.data.read.columns import Column
from gatecast.data.read.origin import Origin
from gatecast.data.schema import Schema


@dataclass
class Table:
    """Columns of equal length.

    Args:
        columns: by name, in order.
        origin: of the rows.
        schema: what was given.
        decimal: decimal sign that the first lines of a text file prove; None where they do not.
        dialect: delimiter, encoding and header line of a text file.
    """

    columns: dict[str, Column]
    origin: Origin
    schema: Schema
    decimal: str | None = None
    dialect: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, frame: pd.DataFrame, origin: Origin, schema: Schema, **found: Any) -> Table:
        """Columns of a frame, whose cells are read as the schema says."""
        cut = found.get("dialect", {}).get("delimiter") == ","
        known = (schema.missing, schema.date_format, cut)
        return cls({name: Column(name, frame[name], origin, *known) for name in frame.columns}, origin, schema, **found)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns.values())

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return list(self.columns)

    def without(self, names: Iterable[str]) -> list[Column]:
        """The other columns, in order."""
        taken = set(names)
        return [column for column in self if column.name not in taken]

    def with_dialect(self, schema: Schema) -> Schema:
        """The schema with the dialect of this table where it has none."""
        found = {**self.dialect, "decimal": self.decimal}
        return replace(schema, **{name: value for name, value in found.items() if getattr(schema, name) is None})
