"""Fields of every source become one grid, and nothing is decided in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gatecast
from gatecast import DataError
from gatecast.data.grid import Grid, read_grid

STEPS = np.datetime64("2024-05-01T10:00", "s") + np.arange(6) * np.timedelta64(300, "s")


@pytest.fixture
def rain() -> np.ndarray:
    """Six fields with a wet corner in the north-west."""
    values = np.zeros((6, 8, 10), np.float32)
    values[:, :3, :4] = np.random.default_rng(0).gamma(0.5, 2.0, (6, 3, 4))
    return values


def kinds(grid: Grid) -> list[str]:
    return [one.kind for one in grid.repairs]


def test_the_door_is_at_the_top() -> None:
    assert gatecast.read_grid is read_grid
    assert gatecast.Grid is Grid


def test_an_array_needs_unit_and_step(rain: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"give step=5 \(minutes\) or times="):
        read_grid(rain, units="mm/h")
    with pytest.raises(DataError, match='states no unit; give units="mm/h"'):
        read_grid(rain, step=5)
    grid = read_grid(rain, units="mm/h", step=5, pixel_km=2)
    np.testing.assert_array_equal(grid.values, rain)
    assert (len(grid), grid.shape, grid.step, kinds(grid)) == (6, (8, 10), 5, ["times"])
    with pytest.raises(ValueError, match="read-only"):
        grid.values[0] = 1


def test_missing_is_not_zero(rain: np.ndarray) -> None:
    rain[:, 7, :2] = np.nan
    rain[0, 6, 0] = -9999
    grid = read_grid(rain, units="mm/h", times=STEPS)
    assert grid.missing.sum() == 13
    assert (grid.values[grid.missing] == 0).all()
    assert np.isnan(grid.with_nan()).sum() == 13
    assert [one.count for one in grid.repairs if one.kind == "no data"] == [1]


@pytest.mark.parametrize(("unit", "factor"), [("mm h-1", 1), ("mm", 12), ("kg m-2 s-1", 3600), ("MM/HR", 1)])
def test_units(rain: np.ndarray, unit: str, factor: float) -> None:
    grid = read_grid(rain / factor, units=unit, times=STEPS, pixel_km=1)
    np.testing.assert_allclose(grid.values, rain, rtol=1e-5)
    assert grid.units == "mm/h"
    assert kinds(grid) == ["units"] * (factor != 1)


def test_dbz_by_the_stated_law(rain: np.ndarray) -> None:
    with np.errstate(divide="ignore"):
        dbz = np.maximum(10 * np.log10(223 * rain**1.53), -32)
    grid = read_grid(dbz, units="dBZ", z_r=(223, 1.53), times=STEPS, pixel_km=1)
    np.testing.assert_allclose(grid.values, np.where(rain < 0.02, 0, rain), atol=1e-3)
    assert "Z = 223 R^1.53" in str(grid.repairs[0])
    assert "Marshall" in str(read_grid(dbz, units="dBZ", times=STEPS).repairs[0])
    with pytest.raises(DataError, match='look like dBZ, not like mm/h; read them with units="dBZ"'):
        read_grid(dbz, units="mm/h", times=STEPS)
    with pytest.raises(DataError, match="look like dBZ"):
        read_grid(np.where(dbz < 0, 0, dbz + 15), units="mm/h", times=STEPS)  # without a code for dry pixels


def test_negative_rain(rain: np.ndarray) -> None:
    rain[0, 0, 0], rain[0, 0, 1] = -0.1, -3
    grid = read_grid(rain, units="mm/h", times=STEPS, pixel_km=1)
    assert (grid.values[0, 0, 0], grid.missing[0, 0, 0], grid.missing[0, 0, 1]) == (0, False, True)
    assert kinds(grid) == ["negative", "negative"]


def test_times_unsorted_repeated_missing_and_off(rain: np.ndarray) -> None:
    def read(times: np.ndarray, **options: Any) -> Grid:
        return read_grid(rain, units="mm/h", times=times, pixel_km=1, **options)

    order = np.array([1, 0, 2, 3, 4, 5])
    grid = read(STEPS[order])
    np.testing.assert_array_equal(grid.values[:2], rain[[1, 0]])
    assert kinds(grid) == ["order"]
    grid = read(STEPS + np.array([0, 0, 0, 0, 600, 600], "timedelta64[s]"))
    assert (len(grid), grid.missing[4:6].all(), kinds(grid)) == (8, True, ["gap"])
    twice = STEPS[[0, 1, 1, 2, 3, 4]]
    with pytest.raises(DataError, match=r'share a time, the first 2024-05-01 10:05; .*duplicates="first"'):
        read(twice)
    np.testing.assert_array_equal(read(twice, duplicates="last").values[1], rain[2])
    np.testing.assert_allclose(read(twice, duplicates="mean").values[1], rain[1:3].mean(0), rtol=1e-6)
    assert kinds(read(STEPS + np.array([0, 9, 0, 0, 0, 0], "timedelta64[s]"))) == ["times"]
    with pytest.raises(DataError, match="do not lie on steps of 5 min"):
        read(STEPS + np.array([0, 120, 0, 0, 0, 0], "timedelta64[s]"))
    with pytest.raises(DataError, match="cut the file to the hours that are there"):
        read(STEPS + np.array([0, 0, 0, 0, 0, 10**7], "timedelta64[s]") // 300 * 300)


def test_npz_by_the_names_of_its_arrays(rain: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "radar.npz"
    np.savez(path, rain_mm_h=rain, time_utc=STEPS.astype(str), step_minutes=5, pixel_km=2.0)
    grid = read_grid(path)
    assert (grid.step, grid.pixel_km, grid.start, kinds(grid)) == (5, 2, "2024-05-01 10:00", [])
    np.savez(path, a=rain, b=rain)
    with pytest.raises(
        DataError, match='2 variables have time and two axes of space: a, b; name one with variable="a"'
    ):
        read_grid(path)
    path.write_text("rain")
    with pytest.raises(DataError, match="not a file of plain arrays"):
        read_grid(path)
    with pytest.raises(DataError, match=r"radar\.txt: the suffix|no such file"):
        read_grid(tmp_path / "radar.txt")


def test_there_and_back_through_netcdf(rain: np.ndarray, tmp_path: Path) -> None:
    pytest.importorskip("h5netcdf")
    rain[:, 7] = np.nan
    grid = read_grid(rain, units="mm/h", times=STEPS, pixel_km=2)
    grid.to_xarray().to_dataset().to_netcdf(tmp_path / "rain.nc", engine="h5netcdf")
    again = read_grid(tmp_path / "rain.nc")
    np.testing.assert_array_equal(again.with_nan(), grid.with_nan())
    assert (again.pixel_km, again.units, again.digest(), again.repairs) == (2, "mm/h", grid.digest(), ())


def test_axes_of_xarray_in_any_order(rain: np.ndarray) -> None:
    xarray = pytest.importorskip("xarray")
    lat, lon = 60 + 0.009 * np.arange(8)[::-1], 25 + 0.018 * np.arange(10)
    array = xarray.DataArray(
        rain,
        dims=("time", "lat", "lon"),
        coords={"time": STEPS.astype("datetime64[ns]"), "lat": lat, "lon": lon},
        attrs={"units": "mm/h"},
    )
    grid = read_grid(array.transpose("lon", "lat", "time").isel(lat=slice(None, None, -1)))
    np.testing.assert_array_equal(grid.values, rain)
    assert kinds(grid) == ["axes", "axes"]
    assert grid.pixel_km == pytest.approx(1.0, rel=0.01)
    with pytest.raises(DataError, match="expected the axes time, y and x"):
        read_grid(array.rename(time="z").drop_vars("z"))


def test_a_view_of_some_fields(rain: np.ndarray) -> None:
    grid = read_grid(rain, units="mm/h", times=STEPS, pixel_km=1)
    part = grid.rows(2, 5)
    assert (len(part), part.start, np.shares_memory(part.values, grid.values)) == (3, "2024-05-01 10:10", True)
    assert part.times_ahead(2)[-1] == STEPS[4] + np.timedelta64(600, "s")
    assert grid.crop(0, 0, 3, 4).shape == (3, 4)
    with pytest.raises(gatecast.GatecastError, match="outside of the 6 fields"):
        grid.rows(9, 12)


def test_files_of_radars_through_pysteps(tmp_path: Path) -> None:
    pytest.importorskip("pysteps")
    (tmp_path / "202405011000.h5").write_text("damaged")
    with pytest.raises(DataError, match="it cannot be read as odim_hdf5"):
        read_grid(tmp_path / "202405011000.h5", format="odim_hdf5")
    with pytest.raises(DataError, match="there is no format 'odim'; use one of"):
        read_grid(tmp_path / "x.h5", format="odim")
