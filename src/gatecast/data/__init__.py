"""Data: one or many series of any source, described by a schema and read into a panel on a regular grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatecast.base.lazy import lazy
from gatecast.data.calendar import calendar_cycles, calendar_names, calendar_table
from gatecast.data.frequency import Frequency
from gatecast.data.panel import Panel
from gatecast.data.schema import Schema

if TYPE_CHECKING:
    import gatecast.data.datasets as datasets
    from gatecast.data.grid import Grid, read_grid
    from gatecast.data.read import add_future, describe, read_panel

__all__ = [
    "add_future",
    "Frequency",
    "Grid",
    "Panel",
    "Schema",
    "calendar_cycles",
    "calendar_names",
    "calendar_table",
    "datasets",
    "describe",
    "read_grid",
    "read_panel",
]

# The reader brings pandas, so it loads on first use.
_HOME = {**dict.fromkeys(("add_future", "describe", "read_panel"), "read"), "datasets": ""}

__getattr__ = lazy(__name__, {**_HOME, **dict.fromkeys(("Grid", "read_grid"), "grid")})
