"""Text for people that every room uses: counts, numbers, durations, lists, times and the nearest known name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import numpy as np

NOTHING = "–"  # for a number that is missing or infinite


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """A count with its noun: ``1 row``, ``2,000 rows``.

    Args:
        count: how many.
        noun: singular.
        nouns: plural; None adds an s.
    """
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def decimals_for(values: np.ndarray) -> int:
    """Digits after the point that show about four figures of the median size; 0 for thousands and whole numbers."""
    sizes = np.abs(values[np.isfinite(values)])
    sizes = sizes[sizes > 0]
    if not sizes.size:
        return 0
    if np.array_equal(sizes, np.rint(sizes)) and np.median(sizes) >= 20:
        return 0
    return int(np.clip(3 - np.floor(np.log10(np.median(sizes))), 0, 9))


def number(value: float, decimals: int | None = None) -> str:
    """``12,345.6`` with a true minus sign; a dash for NaN and infinity.

    Args:
        value: the number.
        decimals: digits after the point; None shows about four figures.
    """
    if value is None or not np.isfinite(value):
        return NOTHING
    if decimals is None:
        decimals = decimals_for(np.array([value]))
    text = f"{value:,.{decimals}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def percent(share: float, decimals: int = 0) -> str:
    """A share in percent: ``0.783 → 78 %``."""
    return NOTHING if not np.isfinite(share) else f"{number(100 * share, decimals)} %"


def first_line(error: object) -> str:
    """The first line of an error of another library, without its end mark, at most 120 characters."""
    lines = str(error).strip().splitlines() or ["no reason given"]
    return lines[0].strip().rstrip(".")[:120]


def duration(seconds: float) -> str:
    """Seconds as text: ``0.80 s``, ``12 s``, ``3 min 20 s``, ``2 h 02 min``."""
    if not np.isfinite(seconds):
        return NOTHING
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def shorten(names: Sequence[object], limit: int = 8) -> str:
    """Comma-separated list of at most ``limit`` names, with the total where some are left out."""
    shown = ", ".join(str(name) for name in names[:limit])
    return f"{shown} … ({len(names)} in all)" if len(names) > limit else shown


def time_text(time: object) -> str:
    """A time as messages show it: ``2024-01-05``, ``2024-01-05 13:30``, or the number of a step."""
    if not isinstance(time, np.datetime64):
        return str(time)
    seconds = str(time.astype("datetime64[s]")).replace("T", " ")
    return seconds.removesuffix(" 00:00:00").removesuffix(":00")  # "13:30:15" keeps its seconds


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The known name that is most like ``name``; None where all are too different.

    Args:
        name: what was given.
        known: the names that exist.
        cutoff: similarity from 0 to 1 that is required (see :func:`difflib.get_close_matches`).
    """
    matches = get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return matches[0] if matches else None
