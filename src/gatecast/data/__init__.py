"""Data: one or many series of any source, described by a schema and read into a panel on a regular grid."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gatecast.data.calendar import calendar_cycles, calendar_names, calendar_table
from gatecast.data.frequency import Frequency
from gatecast.data.panel import Panel
from gatecast.data.schema import Schema

if TYPE_CHECKING:
    import gatecast.data.datasets as datasets
    from gatecast.data.read import add_future, describe, read_panel

__all__ = [
    "add_future",
    "Frequency",
    "Panel",
    "Schema",
    "calendar_cycles",
    "calendar_names",
    "calendar_table",
    "datasets",
    "describe",
    "read_panel",
]


def __getattr__(name: str) -> Any:
    """Load the reader, and pandas with it, on first use."""
    if name in {"add_future", "describe", "read_panel"}:
        return getattr(importlib.import_module("gatecast.data.read"), name)
    if name == "datasets":
        return importlib.import_module("gatecast.data.datasets")
    raise AttributeError(f"module 'gatecast.data' has no attribute {name!r}")
