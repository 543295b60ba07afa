"""The last rows of each series that a model file keeps, and new rows that continue them.

A network reads a context of rows. A file with the three months after the training data holds too few of them, so that
the rows before are taken from the model file, where the times of both fit together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatecast.base.errors import DataError
from gatecast.base.findings import Arg, Finding, Words
from gatecast.base.text import plural, time_text
from gatecast.data.panel import Panel
from gatecast.data.schema import Schema

_BLOCKS = ("target", "past", "known")
_PER_SERIES = ("static", "category")


# ── what is kept ──────────────────────────────────────────────────────────────────────────────────────────────────────
def last_rows(panel: Panel, count: int) -> Panel:
    """The panel with the last ``count`` rows of each series, and the covariates known in advance.

    A series whose last rows are all the same keeps its rows from the last change on: it is forecast as constant only if
    it never changed.
    """
    first = np.array([_first_kept(panel.series(k), count) for k in range(len(panel))], np.int64)
    parts = [
        _Part(
            panel.freq.times(panel.starts[k], int(first[k]), 1)[0],
            int(panel.lengths[k] - first[k]),
            *(getattr(panel, name)[panel.begin[k] + first[k] : panel.stop[k]] for name in _BLOCKS),
        )
        for k in range(len(panel))
    ]
    return replace(_put_together(panel, parts), repairs=())


def _first_kept(values: np.ndarray, count: int) -> int:
    """The first row to keep of ``(time, targets)`` values."""
    first = max(0, len(values) - count)
    inside = values[first:]
    constant = np.fmax.reduce(inside, axis=0) == np.fmin.reduce(inside, axis=0)
    for target in np.flatnonzero(constant):
        before = values[:first, target]
        other = np.flatnonzero(np.isfinite(before) & (before != np.fmax.reduce(inside[:, target])))
        first = min(first, int(other[-1])) if len(other) else first
    return first


def to_state(panel: Panel) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Facts and tensors of a panel; the schema is left to the caller."""
    facts = {"ids": [str(name) for name in panel.ids], "source": panel.source}
    arrays = {name: getattr(panel, name) for name in (*_BLOCKS, *_PER_SERIES, "begin", "end", "stop")}
    arrays["starts"] = panel.starts.astype("datetime64[ns]" if panel.starts.dtype.kind == "M" else np.int64)
    arrays["starts"] = arrays["starts"].view(np.int64)
    return facts, {name: torch.from_numpy(np.array(value, order="C")) for name, value in arrays.items()}


def from_state(facts: dict[str, Any], tensors: dict[str, Tensor], schema: Schema) -> Panel:
    """The panel that :func:`to_state` gave.

    Raises:
        ValueError: the rows lie outside the arrays.
    """
    arrays: dict[str, Any] = {name: np.array(value.numpy()) for name, value in tensors.items()}
    begin, end, stop = arrays["begin"], arrays["end"], arrays["stop"]
    rows = {len(arrays[name]) for name in _BLOCKS}
    series = {len(facts["ids"]), len(begin), len(end), len(stop), len(arrays["starts"])}
    ordered = (begin >= 0) & (begin <= end) & (end <= stop) & (stop <= max(rows))
    if len(rows) > 1 or len(series) > 1 or not ordered.all():
        raise ValueError("the rows that the model keeps do not fit together")
    assert schema.freq is not None
    if not schema.freq.is_integer:
        arrays["starts"] = arrays["starts"].view("datetime64[ns]")
    ids = np.array([str(name) for name in facts["ids"]], dtype=object)
    return Panel(ids=ids, **arrays, schema=schema, source=str(facts["source"]))


# ── new rows ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class _Part:
    """Rows of one series: time of the first, how many lie before the origin, and the blocks."""

    start: Any
    rows: int
    target: np.ndarray
    past: np.ndarray
    known: np.ndarray


@dataclass(frozen=True)
class _Seam:
    """Where the rows of a new panel meet those kept.

    Args:
        new, old: positions of the series in the new panel and in the rows kept.
        offset: rows from the first row kept to the first new one.
        have: rows kept, up to their origin.
        rows: new rows, up to their origin.
    """

    new: int
    old: int
    offset: float
    have: int
    rows: int

    @property
    def fits(self) -> bool:
        """Whether the new rows begin among those kept, or directly after them."""
        return 0 <= self.offset <= self.have and self.offset == np.floor(self.offset)


def continued(panel: Panel, kept: Panel | None, *, context: int, least: int) -> Panel:
    """The panel, with the rows kept put before the series that are shorter than the context.

    Args:
        panel: new rows, with the columns of training.
        kept: rows that the model file holds; None for none.
        context: rows that the network reads.
        least: fewest rows before an origin in training; series with fewer are refused where nothing continues them.

    Raises:
        DataError: a series has too few rows and does not continue the rows kept: rows needed and given, times known.
    """
    seams = {seam.new: seam for seam in _seams(panel, kept, context)} if kept is not None else {}
    joined = {k: seam for k, seam in seams.items() if seam.fits}
    for k in np.flatnonzero(panel.lengths < least).tolist():
        if k not in joined or joined[k].offset + joined[k].rows < min(least, joined[k].have):
            raise _too_few(panel, kept, k, seams.get(k), context, least)
    if kept is None or not any(seam.offset for seam in joined.values()):
        return panel
    parts = [_joined(panel, kept, joined[k]) if k in joined else _own(panel, k) for k in range(len(panel))]
    found = _finding(panel, kept, list(joined.values()))
    return replace(_put_together(panel, parts), repairs=(found, *panel.repairs))


def _seams(panel: Panel, kept: Panel, context: int) -> Iterator[_Seam]:
    """Where the short series of a panel meet the rows kept of the same series."""
    place = {str(name): k for k, name in enumerate(kept.ids)}
    for new in np.flatnonzero(panel.lengths < context).tolist():
        old = place.get(str(panel.ids[new]))
        if old is not None:
            offset = float(kept.freq.position(kept.starts[old], panel.starts[new : new + 1])[0])
            yield _Seam(new, old, offset, int(kept.lengths[old]), int(panel.lengths[new]))


def _own(panel: Panel, k: int) -> _Part:
    rows = slice(panel.begin[k], panel.stop[k])
    return _Part(panel.starts[k], int(panel.lengths[k]), *(getattr(panel, name)[rows] for name in _BLOCKS))


def _joined(panel: Panel, kept: Panel, seam: _Seam) -> _Part:
    """The rows kept before the first new row, then the new rows."""
    before = slice(kept.begin[seam.old], kept.begin[seam.old] + int(seam.offset))
    own = _own(panel, seam.new)
    blocks = [np.concatenate([getattr(kept, name)[before], getattr(own, name)]) for name in _BLOCKS]
    return _Part(kept.starts[seam.old], int(seam.offset) + seam.rows, *blocks)


def _put_together(panel: Panel, parts: list[_Part]) -> Panel:
    """The panel with the rows of its series replaced."""
    lengths = np.array([len(part.target) for part in parts], np.int64)
    begin = np.cumsum(lengths) - lengths
    blocks: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) if parts else getattr(panel, name)
        for name in _BLOCKS
    }
    starts = np.array([part.start for part in parts], dtype=panel.starts.dtype)
    end = begin + np.array([part.rows for part in parts], np.int64)
    return replace(panel, begin=begin, end=end, stop=begin + lengths, starts=starts, **blocks)


def _finding(panel: Panel, kept: Panel, seams: list[_Seam]) -> Finding:
    """What was joined: rows kept, new rows, and rows that both have."""
    fresh = sum(max(0, int(seam.offset) + seam.rows - seam.have) for seam in seams)
    used = sum(min(seam.have, int(seam.offset) + seam.rows) for seam in seams)
    of = "" if len(seams) == len(panel) == 1 else f" of {plural(len(seams), 'series', 'series')}"
    text = f"continues the history of the model{of}: {plural(used, 'row')} kept + {fresh} new"
    both = sum(min(seam.rows, seam.have - int(seam.offset)) for seam in seams)
    differ = [one for seam in seams for one in _differences(panel, kept, seam)]
    if differ:
        text += (
            f"; {plural(len(differ), 'row')} in both {'differ' if len(differ) > 1 else 'differs'} (first {differ[0]}), "
            f"and the values of {panel.source} are taken"
        )
    elif both:
        text += f"; {plural(both, 'row')} in both {'are' if both > 1 else 'is'} equal"
    return Finding("", text, kind="history", count=used)


def _differences(panel: Panel, kept: Panel, seam: _Seam) -> list[str]:
    """The rows whose target differs from that kept, in words."""
    offset, old = int(seam.offset), kept.series(seam.old)
    both = min(seam.rows, seam.have - offset)
    before, now = old[offset : offset + both], panel.series(seam.new)[:both]
    rows = np.flatnonzero(~np.isclose(before, now, rtol=1e-6, atol=0, equal_nan=True).all(axis=1))
    times, words = panel.times(seam.new), []
    for row in rows.tolist():
        column = int(np.flatnonzero(~np.isclose(before[row], now[row], rtol=1e-6, atol=0, equal_nan=True))[0])
        words.append(f"{time_text(times[row])}: {now[row, column]:.6g}, kept {before[row, column]:.6g}")
    return words


# ── too few ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _too_few(panel: Panel, kept: Panel | None, k: int, seam: _Seam | None, context: int, least: int) -> DataError:
    """Why a short series cannot be forecast, and how it can."""
    reads = f"the model reads {context} rows" + (f", at least {least}" if least < context else "")
    times = panel.times(k)
    given = f"{plural(len(times), 'row')} of {panel.ids[k]} ({_span(times)})"
    enough = f"give at least {plural(least, 'row')} up to the forecast origin"
    remedy: Words
    if kept is None:
        reason = "it keeps no history that they could continue"
        remedy = enough + ", or save the model with its history: leave out " + Arg("history", False)
    elif seam is None:
        reason = f"it knows no series {str(panel.ids[k])!r} that they could continue"
        remedy = enough + ", or leave the series out"
    else:
        reason, remedy = _gap(kept, seam, enough)
    return DataError(f"{given}, but {reads}, and {reason}", remedy, place=panel.source)


def _gap(kept: Panel, seam: _Seam, enough: str) -> tuple[str, str]:
    """Why rows of a known series do not continue those kept."""
    times = kept.times(seam.old)
    last, after = time_text(times[-1]), time_text(kept.future_times_of(seam.old))
    known = f"its history ends at {last}"
    if seam.offset != np.floor(seam.offset):
        reason = f"{known}, with steps of {kept.freq} between which the new rows lie"
        return reason, enough + f", or rows at {after} and every {kept.freq} after it"
    if seam.offset > seam.have:
        lack = int(seam.offset) - seam.have
        reason = f"{known}: {plural(lack, 'row')} between {'are' if lack > 1 else 'is'} missing"
        return reason, f"give all rows from {after} on, or {enough}"
    reason = f"its history holds {_span(times)} only, which begins later"
    return reason, f"give all rows from {time_text(times[0])} on, or {enough}"


def _span(times: np.ndarray) -> str:
    first, last = time_text(times[0]), time_text(times[-1])
    return first if first == last else f"{first} to {last}"
