"""The grid: fields on regular steps of time, with a mask of missing pixels that stays apart from zero."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32

from gatecast.base.errors import SettingError, require
from gatecast.base.findings import Finding
from gatecast.base.text import plural, time_text


@dataclass(frozen=True, eq=False)
class Grid:
    """Fields on a regular grid in space and time. Immutable; :func:`gatecast.read_grid` makes it.

    Args:
        values: ``(time, y, x)``, row 0 in the north and column 0 in the west; 0 where missing.
        missing: True where a pixel was not observed, ``(time, y, x)``.
        times: of the fields, UTC, ``(time,)``; the end of each measurement.
        step: minutes between two fields.
        pixel_km: size of a pixel in km; NaN where unknown.
        units: of the values; ``"mm/h"`` for rain.
        projection: of the map, as the source names it; "" where unknown.
        source: file or object that the fields were read from.
        name: of the quantity.
        repairs: what was repaired or decided while reading.

    Example:
        >>> import numpy as np, gatecast
        >>> grid = gatecast.read_grid(np.zeros((12, 64, 64)), units="mm/h", step=5, pixel_km=1)
        >>> grid
        Grid(rain, 12 fields of 64 × 64 pixels of 1 km, every 5 min, mm/h, 1 repair)
    """

    values: Float32[np.ndarray, "time y x"]
    missing: Bool[np.ndarray, "time y x"]
    times: np.ndarray
    step: float
    pixel_km: float
    units: str = "mm/h"
    projection: str = ""
    source: str = "array"
    name: str = "rain"
    repairs: tuple[Finding, ...] = field(default=())

    def __post_init__(self) -> None:
        for array in (self.values, self.missing, self.times):
            array.flags.writeable = False

    def __repr__(self) -> str:
        size = "" if np.isnan(self.pixel_km) else f" of {self.pixel_km:g} km"
        height, width = self.shape
        return (
            f"Grid({self.name}, {plural(len(self), 'field')} of {height} × {width} pixels{size}, "
            f"every {self.step:g} min, {self.units}, {plural(len(self.repairs), 'repair')})"
        )

    def __len__(self) -> int:
        return len(self.values)

    @property
    def shape(self) -> tuple[int, int]:
        """Pixels of a field: rows and columns."""
        return self.values.shape[1], self.values.shape[2]

    @property
    def start(self) -> str:
        """Time of the first field."""
        return time_text(self.times[0])

    @property
    def end(self) -> str:
        """Time of the last field."""
        return time_text(self.times[-1])

    def rows(self, first: int, stop: int) -> Grid:
        """The fields from ``first`` up to, without, ``stop``; a view of the same arrays.

        Raises:
            SettingError: no field is left.
        """
        part = slice(first, stop)
        if not len(self.times[part]):
            raise SettingError(f"fields {first} to {stop} are outside of the {len(self)} fields of {self.source}")
        return replace(self, values=self.values[part], missing=self.missing[part], times=self.times[part])

    def crop(self, top: int, left: int, height: int, width: int) -> Grid:
        """A window of every field, in pixels from the north-western corner."""
        part = slice(None), slice(top, top + height), slice(left, left + width)
        return replace(self, values=self.values[part].copy(), missing=self.missing[part].copy())

    def with_nan(self) -> Float32[np.ndarray, "time y x"]:
        """The values with NaN where missing; a copy."""
        return np.where(self.missing, np.float32(np.nan), self.values)

    def times_ahead(self, horizon: int) -> np.ndarray:
        """Times of the next ``horizon`` fields."""
        seconds = np.round(np.arange(1, horizon + 1) * self.step * 60).astype("timedelta64[s]")
        return self.times[-1] + seconds

    def digest(self) -> str:
        """SHA-256 of values, mask and times."""
        parts = (self.values, self.missing, self.times.astype("datetime64[s]").astype(np.int64))
        return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()

    def to_xarray(self) -> Any:
        """The fields as an ``xarray.DataArray`` with CF attributes, NaN where missing.

        Raises:
            MissingExtraError: xarray is not installed.
        """
        xarray = require("xarray", extra="rain", purpose="to_xarray")
        return xarray.DataArray(
            self.with_nan(),
            dims=("time", "y", "x"),
            coords={"time": self.times.astype("datetime64[ns]"), **space_coordinates(self)},
            name=self.name,
            attrs={"units": cf_units(self.units), "long_name": self.name, "projection": self.projection},
        )


def space_coordinates(grid: Grid) -> dict[str, Any]:
    """Coordinates y and x of the centres of the pixels in km from the south-western corner, with CF attributes."""
    height, width = grid.shape
    size = 1.0 if np.isnan(grid.pixel_km) else grid.pixel_km
    unit = {"units": "1" if np.isnan(grid.pixel_km) else "km"}
    y = {**unit, "standard_name": "projection_y_coordinate", "axis": "Y"}
    x = {**unit, "standard_name": "projection_x_coordinate", "axis": "X"}
    return {"y": ("y", (height - 0.5 - np.arange(height)) * size, y), "x": ("x", (0.5 + np.arange(width)) * size, x)}


def cf_units(units: str) -> str:
    """The unit as the CF conventions write it: ``mm h-1``."""
    return {"mm/h": "mm h-1"}.get(units, units)
