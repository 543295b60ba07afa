"""Words that every room uses: counts, lists, times and the nearest known name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import numpy as np


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """A count with its noun: ``1 row``, ``2,000 rows``.

    Args:
        count: how many.
        noun: singular.
        nouns: plural; None adds an s.
    """
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


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
