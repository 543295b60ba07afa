"""Sites with their power as a share of capacity, and the weather forecasts of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from jaxtyping import Float32

from gatecast.base.errors import DataError, SettingError
from gatecast.base.findings import Arg, Finding
from gatecast.base.text import plural
from gatecast.data.panel import Panel
from gatecast.power.vintages import HOUR, Vintages

_OVER = 1.02  # of capacity: more is an error of the capacity


@dataclass(frozen=True, eq=False)
class Plant:
    """Hourly power of one or several sites.

    Args:
        ids: of the sites.
        times: hours, ``datetime64[h]``, without gaps.
        power: ``(hours, sites)``, share of capacity from 0 to 1; NaN where unknown.
        capacity: of each site, in the unit of the data.
        weather: forecasts of each site, of the same variables.
        found: what was decided.
    """

    ids: tuple[str, ...]
    times: np.ndarray
    power: Float32[np.ndarray, "hours sites"]
    capacity: Float32[np.ndarray, " sites"]
    weather: tuple[Vintages, ...]
    found: tuple[Finding, ...] = ()

    @classmethod
    def of(cls, panel: Panel, weather: Mapping[str, Vintages] | Vintages, capacity: float | Sequence[float]) -> Self:
        """Sites of a panel of hourly power.

        Args:
            panel: one series a site.
            weather: forecasts by site; one for all.
            capacity: of all sites or of each, in the unit of the panel.

        Raises:
            DataError: not hourly, power above capacity, or weather of another site or time.
            SettingError: a capacity that is not above 0.
        """
        if str(panel.freq) != "h":
            raise DataError(
                f"power must be hourly, got {panel.freq}", "resample it: " + Arg("resample", "h"), place=panel.source
            )
        each = np.broadcast_to(np.asarray(capacity, np.float32), (len(panel),)).copy()
        if not (each > 0).all():
            raise SettingError(Arg("capacity") + f" must be above 0, got {float(each.min()):g}")
        ids = tuple(map(str, panel.ids))
        forecasts = tuple(_of(weather, name, panel.source) for name in ids)
        times, raw = _on_one_grid(panel)
        shares = raw / each
        for site, name in enumerate(ids):
            highest = float(np.nanmax(shares[:, site]))
            if highest > _OVER:
                got = f"power of {name!r} reaches {highest * float(each[site]):g}, above its capacity of {each[site]:g}"
                raise DataError(got, "give " + Arg("capacity", ...) + " in the unit of the power", place=panel.source)
            if not np.isfinite(forecasts[site].at(times, 1)[0]).any():
                span = f"{forecasts[site].issued[0]} to {forecasts[site].issued[-1]}"
                problem = f"the weather of {name!r} ({span}) is of another time"
                raise DataError(problem, f"give forecasts of {times[0]} to {times[-1]}", place=panel.source)
        low = int((shares < 0).sum())
        found = (
            (Finding(panel.source, f"{plural(low, 'negative value')} of power taken as 0", "", "negative", low),)
            if low
            else ()
        )
        return cls(ids, times, np.clip(shares, 0, 1).astype(np.float32), each, forecasts, found)

    def cut(self, hours: int) -> Self:
        """The plant without the last hours of power; the weather stays, of which an origin sees what existed."""
        return replace(self, times=self.times[: len(self.times) - hours], power=self.power[: len(self.times) - hours])

    def known(self, origins: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        """Weather as known at origins ``(origins, horizon, sites, variables)``, and its age in hours ``(origins,)``."""
        found = [one.at(origins, horizon) for one in self.weather]
        return np.stack([values for values, _ in found], 2), found[0][1]


def _of(weather: Mapping[str, Vintages] | Vintages, name: str, place: str) -> Vintages:
    if isinstance(weather, Vintages):
        return weather
    if name not in weather:
        raise DataError(f"there is no weather of site {name!r}", f"name it as one of {', '.join(weather)}", place=place)
    return weather[name]


def _on_one_grid(panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    """Hours from the first to the last of all sites, and power on them."""
    series = [(panel.times(k).astype("datetime64[h]"), panel.series(k)[:, 0]) for k in range(len(panel))]
    first, last = min(times[0] for times, _ in series), max(times[-1] for times, _ in series)
    times = np.arange(first, last + HOUR, HOUR)
    values = np.full((len(times), len(series)), np.nan, np.float32)
    for site, (own, power) in enumerate(series):
        values[((own - first) / HOUR).astype(int), site] = power
    return times, values
