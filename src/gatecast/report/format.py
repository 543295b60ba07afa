"""Times and steps as people read them, no finer than the frequency."""

from __future__ import annotations

import re

import numpy as np

from gatecast.base.text import plural
from gatecast.data.frequency import Frequency
from gatecast.data.panel import Panel
from gatecast.data.wall_clock import wall_times

# unit of the pandas alias → (strftime pattern for tables, d3 pattern for hovering, word for one step)
_YEAR = ("%Y", "%Y", "year")
_QUARTER = ("%Y-%m", "%b %Y", "quarter")
_MONTH = ("%Y-%m", "%b %Y", "month")
_CLOCK = "%Y-%m-%d %H:%M"
_UNITS = {
    **dict.fromkeys(["Y", "YE", "YS", "A", "AS"], _YEAR),
    **dict.fromkeys(["Q", "QE", "QS"], _QUARTER),
    **dict.fromkeys(["M", "ME", "MS"], _MONTH),
    "W": ("%Y-%m-%d", "%-d %b %Y", "week"),
    "D": ("%Y-%m-%d", "%a %-d %b %Y", "day"),
    "B": ("%Y-%m-%d", "%a %-d %b %Y", "business day"),
    "h": (_CLOCK, "%a %-d %b %Y, %H:%M", "hour"),
    "min": (_CLOCK, "%a %-d %b %Y, %H:%M", "minute"),
    "s": ("%Y-%m-%d %H:%M:%S", "%-d %b %Y, %H:%M:%S", "second"),
}
_FINER = ("%Y-%m-%d %H:%M:%S.%f", "%-d %b %Y, %H:%M:%S.%L", "step")


def _unit(freq: Frequency) -> tuple[int, tuple[str, str, str]]:
    match = re.match(r"(\d*)([A-Za-z]+)", freq.alias)
    if match is None:
        return 1, ("", "", "step")
    return int(match[1] or 1), _UNITS.get(match[2], _FINER if match[2] in {"ms", "us", "ns"} else _UNITS["D"])


def hover_format(freq: Frequency) -> str:
    """d3 pattern of a time under the pointer; "" for integer indices."""
    return _unit(freq)[1][1]


def steps_ahead(count: int, freq: Frequency) -> str:
    """A horizon in words: ``14 days``, ``24 steps of 15 minutes``, ``1 month``."""
    multiple, (_, _, word) = _unit(freq)
    return plural(count, word) if multiple == 1 else f"{plural(count, 'step')} of {plural(multiple, word)}"


def step_width(freq: Frequency) -> str:
    """One step in words: ``1 hour``, ``15 minutes``."""
    multiple, (_, _, word) = _unit(freq)
    return plural(multiple, word)


def time_texts(times: np.ndarray, panel: Panel) -> list[str]:
    """Wall-clock times of one series for a table, no finer than the frequency."""
    if panel.freq.is_integer:
        return [str(int(time)) for time in times]
    pattern = _unit(panel.freq)[1][0]
    moments = wall_times(times, panel.tz).astype("datetime64[us]").tolist()
    return [moment.strftime(pattern) for moment in moments]
