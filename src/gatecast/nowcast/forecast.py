"""A nowcast: the probability that rain exceeds each threshold, for each pixel and time ahead."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32

from gatecast.base.errors import SettingError, require
from gatecast.base.findings import Arg
from gatecast.data.grid.grid import Grid, space_coordinates

_BINS = 200  # of the probability, in the search for the best area


@dataclass(frozen=True, eq=False)
class Nowcast:
    """Forecast fields.

    Args:
        model: its name.
        past: the fields that it was made from.
        times: of the fields ahead, UTC.
        thresholds: mm/h, rising.
        probabilities: of rain at or above each threshold.
        inside: share of each pixel whose rain comes from inside of the observed area.
    """

    model: str
    past: Grid
    times: np.ndarray
    thresholds: tuple[float, ...]
    probabilities: Float32[np.ndarray, "steps thresholds y x"]
    inside: Float32[np.ndarray, "steps y x"]

    def __len__(self) -> int:
        return len(self.times)

    def __repr__(self) -> str:
        height, width = self.past.shape
        return f"Nowcast({self.model}, {len(self)} fields of {height} × {width} pixels, every {self.past.step:g} min)"

    @property
    def minutes(self) -> np.ndarray:
        """Minutes ahead of each field."""
        return np.arange(1, len(self) + 1) * self.past.step

    def probability(self, threshold: float) -> Float32[np.ndarray, "steps y x"]:
        """Probability of rain at or above a rate in mm/h; between two thresholds linear in the logarithm of the rate.

        Raises:
            SettingError: the rate lies outside of the thresholds.
        """
        low, high = self.thresholds[0], self.thresholds[-1]
        if not low <= threshold <= high:
            raise SettingError(Arg("threshold") + f" must be from {low:g} to {high:g} mm/h, got {threshold:g}")
        above = min(int(np.searchsorted(self.thresholds, threshold)), len(self.thresholds) - 1)
        if self.thresholds[above] == threshold:
            return self.probabilities[:, above]
        near, far = self.thresholds[above - 1], self.thresholds[above]
        share = np.float32(np.log(threshold / near) / np.log(far / near))
        return (1 - share) * self.probabilities[:, above - 1] + share * self.probabilities[:, above]

    def exceeds(self, threshold: float) -> Bool[np.ndarray, "steps y x"]:
        """Where a warning is worth it: the area with the largest expected CSI, if the probabilities are right.

        With probabilities p sorted from the largest, the first n pixels have Σp expected hits; n is chosen to maximise
        hits / (n + all expected pixels − hits). A field of probabilities 0 and 1 gives its own area.
        """
        return np.stack([self.exceeds_at(threshold, step) for step in range(1, len(self) + 1)])

    def exceeds_at(self, threshold: float, step: int) -> Bool[np.ndarray, "y x"]:
        """:meth:`exceeds` of one step ahead, counted from 1."""
        return _best_area(self.probability(threshold)[step - 1])

    def area(self, threshold: float) -> Float32[np.ndarray, " steps"]:
        """Expected share of the known area with rain at or above a rate; NaN where nothing is known."""
        known = (self.inside > 0.5).astype(np.float32)
        with np.errstate(invalid="ignore"):
            return (self.probability(threshold) * known).sum((1, 2)) / known.sum((1, 2))

    @cached_property
    def rate(self) -> Float32[np.ndarray, "steps y x"]:
        """Expected rate in mm/h: the mean of the distribution, each class of rates at its geometric middle."""
        edges = (*self.thresholds, self.thresholds[-1] * 1.5)
        middles = np.sqrt(np.array(edges[:-1]) * np.array(edges[1:])).astype(np.float32)
        shares = np.concatenate([-np.diff(self.probabilities, axis=1), self.probabilities[:, -1:]], axis=1)
        return np.einsum("skyx,k->syx", shares, middles)

    def to_xarray(self) -> Any:
        """Probabilities and expected rate as an ``xarray.Dataset`` with CF attributes, to be written by ``to_netcdf``.

        Raises:
            MissingExtraError: xarray is not installed.
        """
        xarray = require("xarray", extra="rain", purpose="to_xarray")
        percent = {"units": "1", "long_name": "probability of rain at or above the threshold"}
        rate = {"units": "mm h-1", "standard_name": "lwe_precipitation_rate", "long_name": "expected rain rate"}
        origin = str(self.past.times[-1].astype("datetime64[s]"))
        return xarray.Dataset(
            {
                "probability": (("time", "threshold", "y", "x"), self.probabilities, percent),
                "rate": (("time", "y", "x"), self.rate, rate),
            },
            coords={
                "time": self.times.astype("datetime64[ns]"),
                "threshold": ("threshold", np.array(self.thresholds), {"units": "mm h-1"}),
                **space_coordinates(self.past),
            },
            attrs={"Conventions": "CF-1.11", "source": f"gatecast {self.model}", "forecast_reference_time": origin},
        )

    def write(self, path: str | Path) -> Path:
        """Write :meth:`to_xarray` to a NetCDF file: probabilities in steps of 0.4 %, rates of 0.01 mm/h, compressed.

        Raises:
            MissingExtraError: xarray or h5netcdf is not installed.
        """
        require("h5netcdf", extra="rain", purpose="writing NetCDF")
        packed = {"zlib": True, "complevel": 4}
        encoding = {
            "probability": {**packed, "dtype": "uint8", "scale_factor": 0.004, "_FillValue": 255},
            "rate": {**packed, "dtype": "int16", "scale_factor": 0.01, "_FillValue": -1},
        }
        self.to_xarray().to_netcdf(path, engine="h5netcdf", encoding=encoding)
        return Path(path)


def _best_area(chance: Float32[np.ndarray, "y x"]) -> Bool[np.ndarray, "y x"]:
    """Pixels at or above the cutoff that maximises the expected CSI."""
    places = np.minimum((chance * _BINS).astype(np.int64), _BINS - 1)
    count = np.bincount(places.ravel(), minlength=_BINS)[::-1].cumsum()
    hits = np.bincount(places.ravel(), weights=chance.ravel(), minlength=_BINS)[::-1].cumsum()
    expected = hits / np.maximum(count + hits[-1] - hits, 1e-9)
    cutoff = _BINS - 1 - int(expected.argmax())
    return (places >= cutoff) & (chance > 0)
