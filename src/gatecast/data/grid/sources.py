"""Sources of fields: NumPy and ``.npz``, xarray, NetCDF, and the radar files that pysteps imports."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gatecast.base.errors import DataError, require
from gatecast.base.files import require_file
from gatecast.base.findings import Arg, Finding
from gatecast.base.text import first_line, shorten

FORMATS = ("fmi_pgm", "fmi_geotiff", "odim_hdf5", "knmi_hdf5", "opera_hdf5", "mch_hdf5", "mrms_grib", "bom_rf3")
_KM_PER_DEGREE = 111.2


@dataclass(frozen=True)
class Raw:
    """Fields as a source holds them.

    Args:
        values: ``(time, y, x)``.
        times: ``datetime64``; None where the source has no times.
        unit: as the source states it; "" where it does not.
        pixel_km: None where unknown.
        step: minutes; None where unknown.
        name, projection, source: texts for :class:`Grid`.
        z_r: law of reflectivity that the source states.
        found: what was decided.
    """

    values: np.ndarray
    times: np.ndarray | None = None
    unit: str = ""
    pixel_km: float | None = None
    step: float | None = None
    name: str = "rain"
    projection: str = ""
    source: str = "array"
    z_r: tuple[float, float] | None = None
    found: list[Finding] = field(default_factory=list)


def open_source(source: Any, *, variable: str | None, format: str | None) -> Raw:
    """The fields of a source.

    Raises:
        DataError: the file is missing, damaged or of an unknown form.
        MissingExtraError: the package that reads it is not installed.
    """
    if format is not None:
        return _radar_files([source] if isinstance(source, str | Path) else list(source), format)
    if isinstance(source, str | Path):
        return _file(Path(source), variable)
    if isinstance(source, Mapping) and not hasattr(source, "data_vars"):
        return _arrays(source, "arrays", variable)
    if hasattr(source, "data_vars"):
        return _data_array(_choose(source, variable), source, "Dataset")
    if hasattr(source, "dims") and hasattr(source, "coords"):
        return _data_array(source, source, "DataArray")
    return Raw(np.asarray(source))


def _file(path: Path, variable: str | None) -> Raw:
    if path.suffix == ".zarr" and path.is_dir():
        return _xarray(path, variable, "open_zarr", {})
    require_file(path)
    if path.suffix in (".npz", ".npy"):
        return _numpy(path, variable)
    if path.suffix in (".nc", ".nc4", ".cdf"):
        return _xarray(path, variable, "open_dataset", {"engine": "h5netcdf"})
    known = ".npz, .npy, .nc and .zarr"
    remedy = "files of a radar are read with " + Arg("format", "odim_hdf5") + f" (one of {', '.join(FORMATS)})"
    raise DataError(f"the suffix {path.suffix!r} is unknown; {known} are read as they are", remedy, place=path.name)


def _numpy(path: Path, variable: str | None) -> Raw:
    try:
        content = np.load(path, allow_pickle=False)
        arrays = {"": content} if isinstance(content, np.ndarray) else {name: content[name] for name in content.files}
    except (ValueError, OSError, EOFError) as error:
        problem = f"not a file of plain arrays ({first_line(error)})"
        raise DataError(problem, "save numbers with numpy.savez", place=path.name) from None
    return _arrays(arrays, path.name, variable)


def _arrays(arrays: Mapping[str, Any], source: str, variable: str | None) -> Raw:
    """Named arrays: the fields have three axes; times, step, size of a pixel and unit are known by their names."""
    values = {name: np.asarray(array) for name, array in arrays.items()}
    cubes = [name for name, array in values.items() if array.ndim == 3 and array.dtype.kind in "fiub"]
    name = _one_of(cubes, variable, source)
    times = next((array for array in values.values() if array.ndim == 1 and _are_times(array)), None)
    unit = _text(values.get("units")) or ("mm/h" if re.search(r"mm_?(per_)?h", name) else "")
    unit = unit or ("dBZ" if "dbz" in name.lower() else "")
    return Raw(
        values[name],
        None if times is None else times.astype("datetime64[s]"),
        unit,
        _number(values, "pixel_km"),
        _number(values, "step_minutes"),
        name="rain" if "rain" in name.lower() or not name else name,
        projection=_text(values.get("projection")),
        source=source,
    )


def _one_of(names: Sequence[str], variable: str | None, source: str) -> str:
    if variable is not None:
        if variable in names:
            return variable
        problem = f"there is no variable {variable!r} with time and two axes of space"
        raise DataError(problem, f"it has {shorten(names) or 'none of that kind'}", place=source)
    if len(names) != 1:
        problem = (
            f"{len(names)} variables have time and two axes of space: {shorten(names)}"
            if names
            else ("no variable has three axes: time, rows and columns")
        )
        remedy = "name one with " + Arg("variable", names[0]) if names else "stack the fields with numpy.stack"
        raise DataError(problem, remedy, place=source)
    return names[0]


def _are_times(array: np.ndarray) -> bool:
    if array.dtype.kind == "M":
        return True
    try:
        return array.dtype.kind == "U" and array.size > 0 and array.astype("datetime64[s]") is not None
    except ValueError:
        return False


def _number(values: Mapping[str, np.ndarray], name: str) -> float | None:
    return float(values[name]) if name in values and values[name].size == 1 else None


def _text(value: Any) -> str:
    return "" if value is None or np.size(value) != 1 else str(np.asarray(value).item())


# ── xarray ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _xarray(path: Path, variable: str | None, opener: str, options: dict[str, Any]) -> Raw:
    xarray = require("xarray", extra="rain", purpose=f"reading {path.name}")
    if options:
        require("h5netcdf", extra="rain", purpose=f"reading {path.name}")
    try:
        with getattr(xarray, opener)(path, **options) as dataset:
            return _data_array(_choose(dataset, variable), dataset, path.name)
    except (OSError, ValueError, ImportError) as error:
        if isinstance(error, DataError):
            raise
        problem = f"it cannot be read as NetCDF 4 ({first_line(error)})"
        raise DataError(problem, "convert it: nccopy -k nc4 old.nc new.nc", place=path.name) from error


def _choose(dataset: Any, variable: str | None) -> Any:
    names = [str(name) for name, array in dataset.data_vars.items() if array.ndim == 3 and array.dtype.kind in "fiu"]
    return dataset[_one_of(names, variable, "Dataset")]


def _data_array(array: Any, around: Any, source: str) -> Raw:
    """A DataArray with its axes in the order time, y (from the north), x (from the west)."""
    time, y, x = _axes(array, source)
    found = []
    if tuple(map(str, array.dims)) != (time, y, x):
        found.append(
            Finding(
                source,
                f"the axes {', '.join(map(str, array.dims))} were put in the order {time}, {y}, {x}",
                kind="axes",
            )
        )
    array = array.transpose(time, y, x)
    if y in array.coords and array.sizes[y] > 1 and float(array[y][0]) < float(array[y][-1]):
        array = array.isel({y: slice(None, None, -1)})
        found.append(
            Finding(source, f"rows were reversed, so that the first is in the north ({y} increases)", kind="axes")
        )
    pixel, more = _pixel_km(array, y, x, source)
    times = array[time].values if time in array.coords and array[time].dtype.kind == "M" else None
    name = str(array.name or "rain")
    return Raw(
        np.asarray(array.values),
        None if times is None else times.astype("datetime64[s]"),
        str(array.attrs.get("units", "")),
        pixel,
        name="rain" if "rain" in name.lower() or "precip" in name.lower() else name,
        projection=_projection(array, around),
        source=source,
        found=[*found, *more],
    )


def _axes(array: Any, source: str) -> tuple[str, str, str]:
    """Names of the axes of time, y and x."""
    dims = [str(one) for one in array.dims]
    time = [one for one in dims if one.lower() in ("time", "t", "date") or _kind(array, one) == "M"]
    if len(dims) != 3 or len(time) != 1:
        raise DataError(
            f"expected the axes time, y and x, got {', '.join(dims)}", "rename the axis of time to time", place=source
        )
    space = [one for one in dims if one != time[0]]
    if re.match(r"(x|lon|easting|col)", space[0].lower()):
        space.reverse()
    return time[0], space[0], space[1]


def _kind(array: Any, name: str) -> str:
    return str(array[name].dtype.kind) if name in array.coords else ""


def _pixel_km(array: Any, y: str, x: str, source: str) -> tuple[float | None, list[Finding]]:
    """Size of a pixel from the coordinates of its axes; degrees of longitude shrink with the latitude."""
    if y not in array.coords or x not in array.coords or min(array.sizes[y], array.sizes[x]) < 2:
        return None, []
    widths = [abs(float(array[axis][-1] - array[axis][0])) / (array.sizes[axis] - 1) for axis in (y, x)]
    unit = str(array[y].attrs.get("units", "")).lower()
    if "degree" in unit or y.lower().startswith("lat"):
        middle = np.deg2rad(float(array[y].mean()))
        sizes = [widths[0] * _KM_PER_DEGREE, widths[1] * _KM_PER_DEGREE * np.cos(middle)]
    else:
        factor = {"km": 1.0, "m": 1e-3, "metre": 1e-3, "meter": 1e-3, "meters": 1e-3}.get(unit)
        if factor is None:
            return None, []
        sizes = [width * factor for width in widths]
    size = float(np.sqrt(sizes[0] * sizes[1]))
    if max(sizes) > 1.05 * min(sizes):
        text = f"pixels are {sizes[0]:.3g} × {sizes[1]:.3g} km; their geometric mean, {size:.3g} km, is used"
        return size, [Finding(source, text, kind="pixel")]
    return size, []


def _projection(array: Any, around: Any) -> str:
    name = array.attrs.get("grid_mapping") or array.encoding.get("grid_mapping")
    attributes = around[name].attrs if name and name in getattr(around, "variables", {}) else array.attrs
    for key in ("proj4", "proj4_params", "crs_wkt", "spatial_ref", "projection", "grid_mapping_name"):
        if attributes.get(key):
            return str(attributes[key])
    return ""


# ── files of radars ───────────────────────────────────────────────────────────────────────────────────────────────────
def _radar_files(paths: Sequence[str | Path], format: str) -> Raw:
    """Files of one field each, through an importer of pysteps; their times stand in their names."""
    if format not in FORMATS:
        raise DataError(f"there is no format {format!r}", f"use one of {', '.join(FORMATS)}")
    files = [Path(one) for one in paths]
    for one in files:
        require_file(one)
    importer = getattr(pysteps("io.importers", f"the format {format}"), f"import_{format}")
    fields, facts = [], dict[str, Any]()
    for one in files:
        try:
            values, _, facts = importer(str(one))
        except Exception as error:  # importers raise anything for a damaged file
            raise DataError(
                f"it cannot be read as {format} ({first_line(error)})", "check the format", place=one.name
            ) from error
        fields.append(np.asarray(values, dtype=np.float32))
    shapes = {one.shape for one in fields}
    if len(shapes) > 1:
        problem = f"fields have {len(shapes)} sizes: {', '.join(f'{a} × {b}' for a, b in sorted(shapes))}"
        raise DataError(problem, "read the files of one resolution at a time", place=files[0].name)
    size = float(facts.get("xpixelsize", np.nan)) * {"km": 1.0}.get(str(facts.get("cartesian_unit", "m")), 1e-3)
    law = (float(facts["zr_a"]), float(facts["zr_b"])) if facts.get("zr_a") and facts.get("zr_b") else None
    return Raw(
        np.stack(fields),
        np.array([_time_in(one.name) for one in files]),
        str(facts.get("unit", "")),
        None if np.isnan(size) else size,
        projection=str(facts.get("projection", "")),
        source=files[0].name if len(files) == 1 else f"{files[0].name} and {len(files) - 1} more",
        z_r=law,
    )


def _time_in(name: str) -> np.datetime64:
    """The time in the name of a file: ``201609281600_fmi.…``."""
    found = re.search(r"(\d{4})(\d{2})(\d{2})[-_T]?(\d{2})(\d{2})", name)
    if found is None:
        raise DataError("the name of the file has no time", "name it like 201609281600.h5, or give times=", place=name)
    year, month, day, hour, minute = found.groups()
    return np.datetime64(f"{year}-{month}-{day}T{hour}:{minute}", "s")


def pysteps(module: str, purpose: str) -> Any:
    """A module of pysteps, without the line that its first import prints.

    Raises:
        MissingExtraError: it is not installed.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        return require(f"pysteps.{module}", extra="rain", purpose=purpose)
