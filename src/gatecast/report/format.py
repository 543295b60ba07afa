"""Numbers and times as people read them: as many digits as matter, times no finer than the frequency."""

from __future__ import annotations

import re

import numpy as np

from gatecast.data.frequency import Frequency
from gatecast.data.panel import Panel
from gatecast.data.wall_clock import wall_times

NOTHING = "–"

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
    """The d3 pattern of a time under the pointer; "" for integer indices."""
    return _unit(freq)[1][1]


def steps_ahead(count: int, freq: Frequency) -> str:
    """A horizon in words: ``14 days``, ``24 steps of 15 minutes``, ``1 month``."""
    multiple, (_, _, word) = _unit(freq)
    if multiple == 1:
        return f"{count:,} {_plural(word, count)}"
    return f"{count:,} {_plural('step', count)} of {multiple} {_plural(word, multiple)}"


def step_width(freq: Frequency) -> str:
    """One step in words: ``1 hour``, ``15 minutes``."""
    multiple, (_, _, word) = _unit(freq)
    return f"{multiple} {_plural(word, multiple)}"


def _plural(word: str, count: int) -> str:
    return word if count == 1 else word + "s"


def time_texts(times: np.ndarray, panel: Panel) -> list[str]:
    """Times of one series for a table, as fine as the frequency and no finer."""
    if panel.freq.is_integer:
        return [str(int(time)) for time in times]
    pattern = _unit(panel.freq)[1][0]
    moments = wall_times(times, panel.tz).astype("datetime64[us]").tolist()
    return [moment.strftime(pattern) for moment in moments]


def decimals_for(values: np.ndarray) -> int:
    """Digits after the point that show about four figures of a typical value: 0 for thousands, 3 for 0.5 … 5."""
    sizes = np.abs(values[np.isfinite(values)])
    sizes = sizes[sizes > 0]
    if not sizes.size:
        return 0
    if np.array_equal(sizes, np.rint(sizes)) and np.median(sizes) >= 20:
        return 0
    return int(np.clip(3 - np.floor(np.log10(np.median(sizes))), 0, 9))


def number(value: float, decimals: int | None = None) -> str:
    """``12,345.6`` with a true minus sign; a dash where there is no number. ``decimals=None`` shows four figures."""
    if value is None or not np.isfinite(value):
        return NOTHING
    if decimals is None:
        decimals = decimals_for(np.array([value]))
    text = f"{value:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def percent(share: float, decimals: int = 0) -> str:
    """``0.783 → 78 %``."""
    return NOTHING if not np.isfinite(share) else f"{number(100 * share, decimals)} %"


def duration(seconds: float) -> str:
    """``0.8 s``, ``12 s``, ``3 min 20 s``."""
    if not np.isfinite(seconds):
        return NOTHING
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
