"""Gridded series: fields of rain, or of anything else, on one regular grid in space and time."""

from gatecast.data.grid.grid import Grid
from gatecast.data.grid.read import read_grid

__all__ = ["Grid", "read_grid"]
