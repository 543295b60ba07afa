"""Forecasters that come with the package, and a crop of real radar fields to try them on.

``rain`` has learned from events in Finland (2016-09-28) and the Netherlands (2010-08-26), ``rain-netherlands`` from the
latter alone, so that the bundled crop of the Finnish event is new to it. ``benchmarks/rain.py --bundle`` makes both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from gatecast.data.grid.grid import Grid
from gatecast.data.grid.read import read_grid
from gatecast.nowcast.forecaster import ConvLSTMForecaster

_FOLDER = Path(__file__).parent / "weights"
CROP = "finland_20160928.npz"


def pretrained(name: Literal["rain", "rain-netherlands"] = "rain") -> ConvLSTMForecaster:
    """A fitted forecaster.

    Args:
        name: what it has learned from.

    Example:
        >>> from gatecast.nowcast import pretrained
        >>> pretrained().events_
        ('fmi_20160928_2km.npz', 'knmi_20100826_1km.npz')
    """
    return ConvLSTMForecaster.load(_FOLDER / f"{name}.gatecast")


def finland() -> Grid:
    """Rain over southern Finland, 2016-09-28, 14:45 to 18:00 UTC: 40 fields of 256 × 256 pixels of 2 km.

    Finnish Meteorological Institute, open data, CC BY 4.0.
    """
    return read_grid(_FOLDER.parent / "events" / CROP)
