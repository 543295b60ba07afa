"""What the values of each series look like: where they begin and end, and what is odd about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gatecast.base.findings import Arg, Finding
from gatecast.base.text import plural, shorten
from gatecast.data.read.origin import note

_CHUNK = 1 << 22  # rows checked at once, so that a large panel is not copied to be checked
_SENTINELS = np.array(
    [-9, -99, -200, -999, -9999, -99999, -999999, -99.9, -999.9, -999.99, -9999.9, -99.99, -32768, 32767, 65535, 1e20,
     999, 9999, 99999, 999999, 99.99, 999.9, 999.99, 9999.9, 9.969209968386869e36]
)  # fmt: skip
_LOSS = 1e-3  # share of a typical step that rounding to float32 may change


@dataclass
class Survey:
    """What the values of each series look like.

    Args:
        first, last: first and last row (from the series' begin) with any value; ``first > last`` without any.
        observed: number of rows with any value.
        low, high: smallest and largest value.
        holes: missing values between first and last, over all series.
    """

    first: np.ndarray
    last: np.ndarray
    observed: np.ndarray
    low: np.ndarray
    high: np.ndarray
    holes: int = 0


def chunks(edges: np.ndarray) -> Iterator[tuple[int, int]]:
    """Ranges of series whose rows together stay small."""
    begin = 0
    while begin < len(edges) - 1:
        stop = int(np.searchsorted(edges, edges[begin] + _CHUNK, side="right")) - 1
        stop = max(stop, begin + 1)
        yield begin, stop
        begin = stop


def survey(target: np.ndarray, edges: np.ndarray) -> Survey:
    """Look at each series once, chunk by chunk."""
    count = len(edges) - 1
    lengths = np.diff(edges)
    result = Survey(
        np.zeros(count, np.int64), lengths - 1, lengths.copy(), np.full(count, np.nan), np.full(count, np.nan)
    )
    for begin, stop in chunks(edges):
        rows = target[edges[begin] : edges[stop]]
        _survey_chunk(rows, edges[begin : stop + 1] - edges[begin], slice(begin, stop), result)
    return result


def _survey_chunk(rows: np.ndarray, edges: np.ndarray, place: slice, result: Survey) -> None:
    finite = np.isfinite(rows)
    result.low[place] = np.fmin.reduce(np.fmin.reduceat(rows, edges[:-1], axis=0), axis=1)
    result.high[place] = np.fmax.reduce(np.fmax.reduceat(rows, edges[:-1], axis=0), axis=1)
    if finite.all():
        return
    seen = np.flatnonzero(finite.any(axis=1))
    at = np.searchsorted(seen, edges)
    some = at[1:] > at[:-1]
    result.observed[place] = np.diff(at)
    first, last = np.zeros(len(some), np.int64), np.full(len(some), -1)
    first[some] = seen[at[:-1][some]] - edges[:-1][some]
    last[some] = seen[at[1:][some] - 1] - edges[:-1][some]
    result.first[place], result.last[place] = first, last
    result.holes += int(((last - first + 1) * rows.shape[1])[some].sum() - finite.sum())


def smallest_float(values: np.ndarray, edges: np.ndarray, name: str) -> tuple[np.ndarray, list[Finding]]:
    """float32 where it keeps what matters, else float64, which is listed. Float32 input is not copied.

    Rounding must change no value by more than a thousandth of the series' mean absolute step.
    """
    if values.dtype == np.float32:
        return values, []
    values = values if values.dtype == np.float64 else values.astype(np.float64)
    for begin, stop in chunks(edges):
        rows = values[edges[begin] : edges[stop]]
        bad = _loses(rows, edges[begin : stop + 1] - edges[begin])
        if bad is not None:
            message = f"{name} is kept in float64: float32 would round away its steps (series number {begin + bad + 1})"
            return values, [note("float64", message, place=name)]
    result = np.empty(values.shape, np.float32)
    for begin, stop in chunks(edges):
        result[edges[begin] : edges[stop]] = values[edges[begin] : edges[stop]]
    return result, []


def _loses(rows: np.ndarray, edges: np.ndarray) -> int | None:
    """First series that float32 would harm."""
    with np.errstate(over="ignore", invalid="ignore"):
        rounding = np.abs(rows - rows.astype(np.float32))
        step = np.abs(np.diff(rows, axis=0, append=rows[-1:]))
    step[edges[1:] - 1] = 0
    error = np.fmax.reduceat(
        np.where(np.isnan(rounding) & ~np.isnan(rows), 0, np.nan_to_num(rounding)), edges[:-1], axis=0
    )
    moves = np.add.reduceat(np.nan_to_num(step), edges[:-1], axis=0) / np.maximum(np.diff(edges) - 1, 1)[:, None]
    bad = ((error > _LOSS * moves) & (moves > 0)).any(axis=1)
    return int(np.flatnonzero(bad)[0]) if bad.any() else None


def oddities(target: np.ndarray, found: Survey, ids: Sequence[str]) -> list[Finding]:
    """Missing values, constant and short series, and values that look like codes."""
    findings = []
    if found.holes:
        message = f"{plural(found.holes, 'value')} of the target missing (masked, not filled)"
        findings.append(note("missing", message, found.holes))
    constant = np.flatnonzero((found.low == found.high) & (found.observed > 2))
    if len(constant):
        message = f"never changing: {shorten([ids[int(k)] for k in constant])} (kept)"
        findings.append(note("constant", message, len(constant)))
    short = np.flatnonzero((found.observed > 0) & (found.observed < 3))
    if len(short):
        message = f"fewer than three values: {shorten([ids[int(k)] for k in short])} (kept)"
        findings.append(note("short", message, len(short)))
    negative = sum(int((values < 0).sum()) for values in _blocks(target)) if np.nanmin(found.low, initial=0) < 0 else 0
    if 0 < negative < 0.01 * target.size:
        message = f"{plural(negative, 'value')} of the target below zero among positive ones (kept)"
        findings.append(note("negative", message, negative))
    extremes = np.intersect1d(np.concatenate([found.low, found.high]), _SENTINELS.astype(target.dtype))
    return [*findings, *(code for value in extremes for code in _suspicious_code(target, float(value)))]


def _blocks(values: np.ndarray) -> Iterator[np.ndarray]:
    """The rows, a stretch at a time."""
    return (values[begin : begin + _CHUNK] for begin in range(0, len(values), _CHUNK))


def _suspicious_code(target: np.ndarray, value: float) -> list[Finding]:
    """A value like -9999 that lies far from all others."""
    hit = target == np.asarray(value, target.dtype)
    rest = target[~hit & np.isfinite(target)]
    if not len(rest) or hit.mean() > 0.5:
        return []
    low, high = float(rest.min()), float(rest.max())
    away = low - value if value < low else value - high
    if away <= max(high - low, 1e-9) or (low < 0 < away and abs(value) < 100):
        return []
    code = int(value) if value.is_integer() and abs(value) < 1e9 else value
    message = f"{plural(int(hit.sum()), 'value')} of {value:g} look like a code for missing values"
    return [note("suspicious code", message, hit.sum(), remedy="if so: " + Arg("missing", [code]))]
