"""``read_grid``: fields of any source as a :class:`Grid`; nothing is decided in silence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gatecast.base.errors import DataError, SettingError
from gatecast.base.findings import Arg, Finding
from gatecast.base.options import Bounds, check_value
from gatecast.data.grid.grid import Grid
from gatecast.data.grid.repair import DUPLICATES, on_regular_steps, without_codes, without_negative
from gatecast.data.grid.sources import Raw, open_source
from gatecast.data.grid.units import to_mm_per_hour, unit_of

_EPOCH = np.datetime64("2000-01-01T00:00:00", "s")


def read_grid(
    source: Any,
    *,
    units: str | None = None,
    step: float | None = None,
    pixel_km: float | None = None,
    times: Any = None,
    variable: str | None = None,
    z_r: tuple[float, float] | None = None,
    no_data: Sequence[float] = (),
    duplicates: str = "error",
    format: str | None = None,
) -> Grid:
    """Read fields of rain, or of another quantity, as a grid. What the source states need not be given.

    Args:
        source: array ``(time, y, x)``; ``.npz`` or ``.npy`` file; ``xarray.DataArray`` or ``Dataset``; NetCDF 4 or
            Zarr; or, with ``format``, one or several radar files.
        units: "mm/h", "mm" (a step), "dBZ", or the unit of another quantity, which is kept.
        step: minutes between two fields.
        pixel_km: size of a pixel in km.
        times: of the fields, UTC: array of ``datetime64`` or ISO texts.
        variable: name of the array, where the source has several.
        z_r: a and b of Z = a R^b for dBZ; None: as the source states, else Marshall and Palmer's 200 and 1.6.
        no_data: further codes of missing pixels; −9999, 65535 and their kind are known.
        duplicates: rule for fields of one time: "error", "first", "last" or "mean".
        format: of radar files, by the name of pysteps' importer: "odim_hdf5", "knmi_hdf5", "fmi_pgm" …

    Returns:
        The grid; ``grid.repairs`` lists what was repaired or decided.

    Raises:
        DataError: the source cannot be read, times repeat, or dBZ would be read as mm/h.
        SettingError: an argument does not fit.
        MissingExtraError: the package that reads the source is not installed.

    Example:
        >>> import numpy as np, gatecast
        >>> grid = gatecast.read_grid(np.full((12, 8, 8), 0.5), units="mm", step=10, pixel_km=1)
        >>> float(grid.values.max()), str(grid.repairs[1].problem)
        (3.0, 'mm a step of 10 min were turned into mm/h (× 6)')
    """
    check_value(Arg("duplicates"), duplicates, "str", Bounds(one_of=DUPLICATES))
    for name, value in (("step", step), ("pixel_km", pixel_km)):
        if value is not None:
            check_value(Arg(name), value, "float", Bounds(above=0))
    raw = open_source(source, variable=variable, format=format)
    _check_form(raw)
    if units is not None and raw.unit and unit_of(raw.unit) != unit_of(units):
        stated = Finding(raw.source, f"the source states {raw.unit}; it was read as {units}", kind="units")
        raw.found.append(stated)
    moments, no_times = _times(raw, times, step)
    fields, found = without_codes(raw.values, tuple(no_data), raw.source)
    fields, regular, width, repaired = on_regular_steps(
        fields, moments, step=step or raw.step, duplicates=duplicates, place=raw.source
    )
    found = [*raw.found, *no_times, *found, *repaired]
    fields, unit, converted = _rain(fields, units or raw.unit, width, z_r or raw.z_r, raw.source)
    size, unknown = _size(pixel_km or raw.pixel_km, raw.source)
    gone = np.isnan(fields)
    return Grid(
        np.where(gone, np.float32(0), fields).astype(np.float32, copy=False),
        gone,
        regular,
        width,
        size,
        unit,
        raw.projection,
        raw.source,
        raw.name,
        (*found, *converted, *unknown),
    )


def _check_form(raw: Raw) -> None:
    """Require numbers with three axes."""
    if raw.values.ndim != 3 or raw.values.dtype.kind not in "fiub" or 0 in raw.values.shape:
        got = f"{raw.values.dtype} of shape {raw.values.shape}"
        raise DataError(
            f"expected numbers (time, y, x), got {got}", "stack the fields with numpy.stack", place=raw.source
        )


def _times(raw: Raw, times: Any, step: float | None) -> tuple[np.ndarray, list[Finding]]:
    """The times, given, of the source, or counted from 2000-01-01."""
    if times is not None:
        try:
            moments = np.asarray(times).astype("datetime64[s]")
        except (ValueError, TypeError) as error:
            raise SettingError(Arg("times") + " must be dates or ISO texts") from error
        if moments.shape != (len(raw.values),):
            raise SettingError(Arg("times") + f" must be one for each of {len(raw.values)} fields, got {moments.shape}")
        return moments, []
    if raw.times is not None:
        return raw.times.astype("datetime64[s]"), []
    width = step or raw.step
    if width is None:
        remedy = "give " + Arg("step", 5) + " (minutes) or " + Arg("times", ...)
        raise DataError("the source has no times", remedy, place=raw.source)
    counted = _EPOCH + np.round(np.arange(len(raw.values)) * width * 60).astype("timedelta64[s]")
    return counted, [Finding(raw.source, f"times were counted from 2000-01-01 in steps of {width:g} min", kind="times")]


def _rain(
    fields: np.ndarray, unit: str, step: float, z_r: tuple[float, float] | None, place: str
) -> tuple[np.ndarray, str, list[Finding]]:
    """The fields in mm/h where they are rain, the unit, and what was decided."""
    if not unit:
        problem = "the source states no unit"
        raise DataError(
            problem,
            "give " + Arg("units", "mm/h") + ", " + Arg("units", "mm") + " (a step) or " + Arg("units", "dBZ"),
            place=place,
        )
    known = unit_of(unit)
    fields, found = to_mm_per_hour(fields, known, step=step, z_r=z_r, place=place)
    if known not in ("mm/h", "mm", "dBZ", "kg/m2/s"):
        return (
            fields,
            unit,
            [Finding(place, f"values in {unit!r} are not rain and were kept as they are", kind="units")],
        )
    fields, negative = without_negative(fields, place)
    return fields, "mm/h", [*found, *negative]


def _size(pixel_km: float | None, place: str) -> tuple[float, list[Finding]]:
    if pixel_km is not None:
        return float(pixel_km), []
    unknown = Finding(place, "the size of a pixel is unknown; 1 km is assumed", Arg("pixel_km", ...), kind="pixel")
    return 1.0, [unknown]
