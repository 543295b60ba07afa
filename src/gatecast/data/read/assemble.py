"""From rows on a grid to a :class:`Panel`: where each series begins and ends, and what is odd about its values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gatecast.base.findings import Arg
from gatecast.base.text import plural, shorten
from gatecast.data.frequency import Frequency
from gatecast.data.panel import Panel
from gatecast.data.read.grid import Grid, Long, stack, to_grid
from gatecast.data.read.numbers import require_finite, to_float
from gatecast.data.read.static_columns import read_category, read_static
from gatecast.data.read.table import Log, Table
from gatecast.data.schema import Schema

if TYPE_CHECKING:
    from gatecast.data.read.meaning import Meaning

_CHUNK = 1 << 22  # rows looked at in one go, so that a large panel is not copied to be checked
_SENTINELS = np.array(
    [-9, -99, -200, -999, -9999, -99999, -999999, -99.9, -999.9, -999.99, -9999.9, -99.99, -32768, 32767, 65535, 1e20,
     999, 9999, 99999, 999999, 99.99, 999.9, 999.99, 9999.9, 9.969209968386869e36]
)  # fmt: skip
_INFINITE = "correct the value, or take such values as missing: " + Arg("infinite", "missing")
_LOSS = 1e-3  # share of a typical step that rounding to float32 may change


@dataclass
class Survey:
    """What the values of each series look like.

    Args:
        first, last: first and last row (from the series' begin) with any value; ``first > last`` where there is none.
        observed: number of rows with any value.
        low, high: smallest and largest value.
        holes: missing values between first and last, over all series.
        infinite: first row of the flat array with ±inf, or -1.
    """

    first: np.ndarray
    last: np.ndarray
    observed: np.ndarray
    low: np.ndarray
    high: np.ndarray
    holes: int = 0
    infinite: int = -1
    infinite_count: int = 0


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
        _survey_chunk(rows, edges[begin : stop + 1] - edges[begin], slice(begin, stop), result, int(edges[begin]))
    return result


def _survey_chunk(rows: np.ndarray, edges: np.ndarray, place: slice, result: Survey, offset: int) -> None:
    finite = np.isfinite(rows)
    result.low[place] = np.fmin.reduce(np.fmin.reduceat(rows, edges[:-1], axis=0), axis=1)
    result.high[place] = np.fmax.reduce(np.fmax.reduceat(rows, edges[:-1], axis=0), axis=1)
    if finite.all():
        return
    infinite = np.isinf(rows).any(axis=1)
    if infinite.any():
        result.infinite_count += int(infinite.sum())
        if result.infinite < 0:
            result.infinite = offset + int(np.flatnonzero(infinite)[0])
    seen = np.flatnonzero(finite.any(axis=1))
    at = np.searchsorted(seen, edges)
    some = at[1:] > at[:-1]
    result.observed[place] = np.diff(at)
    first, last = np.zeros(len(some), np.int64), np.full(len(some), -1)
    first[some] = seen[at[:-1][some]] - edges[:-1][some]
    last[some] = seen[at[1:][some] - 1] - edges[:-1][some]
    result.first[place], result.last[place] = first, last
    result.holes += int(((last - first + 1) * rows.shape[1])[some].sum() - finite.sum())


def smallest_float(values: np.ndarray, edges: np.ndarray, name: str, log: Log) -> np.ndarray:
    """float32 where it keeps what matters, else float64, which is listed. Float32 input is not copied.

    Rounding must change no value by more than a thousandth of the series' mean absolute step.
    """
    if values.dtype == np.float32:
        return values
    values = values if values.dtype == np.float64 else values.astype(np.float64)
    for begin, stop in chunks(edges):
        rows = values[edges[begin] : edges[stop]]
        bad = _loses(rows, edges[begin : stop + 1] - edges[begin])
        if bad is not None:
            message = f"{name} is kept in float64: float32 would round away its steps (series number {begin + bad + 1})"
            log.note("float64", message, place=name)
            return values
    result = np.empty(values.shape, np.float32)
    for begin, stop in chunks(edges):
        result[edges[begin] : edges[stop]] = values[edges[begin] : edges[stop]]
    return result


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


@dataclass
class Blocks:
    """Covariates on the grid; None where there are none."""

    past: np.ndarray | None = None
    known: np.ndarray | None = None
    static: np.ndarray | None = None
    category: np.ndarray | None = None


def panel_of(table: Table, meaning: Meaning) -> Panel:
    """Panel of a table that is understood: values read, put on the grid, checked."""
    schema, log = meaning.schema, table.log
    long = _with_values(table, meaning)
    _require_finite(long.values, meaning, log)
    if schema.layout == "wide":
        long = stack(long, meaning.values, schema.target_names[0], (*schema.past, *schema.known))
    grid = to_grid(long, freq=meaning.freq, duplicates=schema.duplicates, tz=schema.tz, log=log)
    static, (category, levels) = (
        read_static(table, meaning.series, schema),
        read_category(table, meaning.series, schema),
    )
    if schema.layout == "wide":
        static, category = (np.repeat(block, len(grid.ids), 0) for block in (static, category))
    past = _block(grid, schema.past, "past covariates", log)
    known = _block(grid, schema.known, "known covariates", log)
    target = np.stack([grid.values[name] for name in schema.target_names], axis=1)
    schema = table.with_dialect(replace(schema, freq=grid.freq, levels=levels))
    return assemble(grid, target, schema, log, Blocks(past, known, static, category))


def _with_values(table: Table, meaning: Meaning) -> Long:
    """The rows with the numbers of the target and the covariates."""
    schema = meaning.schema
    names = meaning.values if schema.layout == "rows" else [*meaning.values, *schema.past, *schema.known]
    values = {name: to_float(table, name, decimal=schema.decimal, missing=schema.missing) for name in names}
    if schema.layout == "rows":
        _require_finite(values, meaning, table.log)
        values = {"y": np.stack([values[name] for name in names], axis=1).reshape(-1)}
    return replace(meaning.long, values=values)


def _block(grid: Grid, names: Sequence[str], word: str, log: Log) -> np.ndarray:
    if not names:
        return np.zeros((int(grid.edges[-1]), 0), np.float32)
    values = np.stack([grid.values[name] for name in names], axis=1)
    for name, count in zip(names, np.isnan(values).sum(axis=0), strict=True):
        if count:
            log.note("missing", f"{count:,} values of {name} missing ({word})", int(count), name)
    return smallest_float(values, grid.edges, word, log)


def _require_finite(values: dict[str, np.ndarray], meaning: Meaning, log: Log) -> None:
    """No infinite value, unless those of the target are to be taken as missing."""
    for name, column in values.items():
        if name not in meaning.values:
            require_finite(column, name, log, "correct it or leave the column out")
        elif meaning.schema.infinite != "missing":
            require_finite(column, name, log, _INFINITE)


def assemble(grid: Grid, target: np.ndarray, schema: Schema, log: Log, blocks: Blocks | None = None) -> Panel:
    """Panel of rows on a grid: series trimmed to their values, odd ones listed, empty ones left out."""
    blocks, edges, count = blocks or Blocks(), grid.edges, len(grid.ids)
    past = blocks.past if blocks.past is not None else np.zeros((len(target), 0), np.float32)
    known = blocks.known if blocks.known is not None else np.zeros((len(target), 0), np.float32)
    found = survey(target, edges)
    if found.infinite >= 0:
        target = _settle_infinite(target, found, schema.infinite, grid.ids, edges, log)
        found = survey(target, edges)
    begin = edges[:-1] + found.first
    end = edges[:-1] + found.last + 1
    stop = _last_known(known, edges, end)
    target = smallest_float(target, edges, ", ".join(schema.target_names), log)
    _note_trimmed(found, edges, end, stop, log)
    _note_values(target, found, grid.ids, log)
    panel = Panel(
        ids=np.array(list(grid.ids), dtype=object),
        begin=begin,
        end=end,
        stop=stop,
        starts=_moved(grid.starts, found.first, grid.freq),
        target=target,
        past=past,
        known=known,
        static=blocks.static if blocks.static is not None else np.zeros((count, 0), np.float32),
        category=blocks.category if blocks.category is not None else np.zeros((count, 0), np.int64),
        schema=schema,
        source=log.source,
    )
    return replace(_without_empty(panel, found, log), repairs=tuple(log.repairs))


def _settle_infinite(
    target: np.ndarray, found: Survey, rule: str, ids: Sequence[str], edges: np.ndarray, log: Log
) -> np.ndarray:
    series = ids[int(np.searchsorted(edges, found.infinite, side="right")) - 1]
    count = plural(found.infinite_count, "row")
    if rule != "missing":
        log.fail(
            f"{count} with an infinite value, the first in series {series!r}",
            _INFINITE,
        )
    log.note("infinite", f"{count} with an infinite value: taken as missing", found.infinite_count)
    return np.where(np.isinf(target), np.nan, target)


def _last_known(known: np.ndarray, edges: np.ndarray, end: np.ndarray) -> np.ndarray:
    """One past the last row with a known covariate, not before the origin."""
    if not known.shape[1]:
        return end.copy()
    seen = np.flatnonzero(np.isfinite(known).any(axis=1))
    at = np.searchsorted(seen, edges)
    some = at[1:] > at[:-1]
    stop = end.copy()
    stop[some] = np.maximum(end[some], seen[at[1:][some] - 1] + 1)
    return stop


def _moved(starts: np.ndarray, steps: np.ndarray, freq: Frequency) -> np.ndarray:
    """Start times after leading rows were left out."""
    moved = starts.copy()
    for k in np.flatnonzero(steps):
        moved[k] = freq.times(starts[k], int(steps[k]), 1)[0]
    return moved


def _note_trimmed(found: Survey, edges: np.ndarray, end: np.ndarray, stop: np.ndarray, log: Log) -> None:
    alive = found.observed > 0
    leading = int(found.first[alive].sum())
    if leading:
        many = plural(int((found.first[alive] > 0).sum()), "series", "series")
        log.note("trimmed", f"{plural(leading, 'row')} before the first value of the target left out ({many})", leading)
    future = (stop - end)[alive]
    if future.any():
        rows = plural(int(future.sum()), "row")
        log.note(
            "future", f"{rows} after the last value of the target hold known covariates of the future", future.sum()
        )
    trailing = (edges[1:] - stop)[alive]
    if trailing.any():
        many = plural(int((trailing > 0).sum()), "series", "series")
        rows = plural(int(trailing.sum()), "row")
        log.note("trimmed", f"{rows} after the last value of the target left out ({many})", trailing.sum())


def _note_values(target: np.ndarray, found: Survey, ids: Sequence[str], log: Log) -> None:
    """List missing, constant and short series, and values that look like codes."""
    if found.holes:
        log.note("missing", f"{plural(found.holes, 'value')} of the target missing (masked, not invented)", found.holes)
    constant = np.flatnonzero((found.low == found.high) & (found.observed > 2))
    if len(constant):
        log.note("constant", f"never changing: {shorten([ids[int(k)] for k in constant])} (kept)", len(constant))
    short = np.flatnonzero((found.observed > 0) & (found.observed < 3))
    if len(short):
        log.note("short", f"fewer than three values: {shorten([ids[int(k)] for k in short])} (kept)", len(short))
    negative = sum(int((values < 0).sum()) for values in _blocks(target)) if np.nanmin(found.low, initial=0) < 0 else 0
    if 0 < negative < 0.01 * target.size:
        log.note(
            "negative", f"{plural(negative, 'value')} of the target below zero among positive ones (kept)", negative
        )
    for value in np.intersect1d(np.concatenate([found.low, found.high]), _SENTINELS.astype(target.dtype)):
        _note_sentinel(target, float(value), log)


def _blocks(values: np.ndarray) -> Iterator[np.ndarray]:
    """The rows, a stretch at a time."""
    return (values[begin : begin + _CHUNK] for begin in range(0, len(values), _CHUNK))


def _note_sentinel(target: np.ndarray, value: float, log: Log) -> None:
    """A value like -9999 that lies far from all others."""
    hit = target == np.asarray(value, target.dtype)
    rest = target[~hit & np.isfinite(target)]
    if not len(rest) or hit.mean() > 0.5:
        return
    low, high = float(rest.min()), float(rest.max())
    away = low - value if value < low else value - high
    if away > max(high - low, 1e-9) and not (low < 0 < away and abs(value) < 100):
        word = f"{value:g}"
        message = f"{plural(int(hit.sum()), 'value')} of {word} look like a code for missing; if so: missing=[{word}]"
        log.note("suspicious code", message, hit.sum())


def _without_empty(panel: Panel, found: Survey, log: Log) -> Panel:
    alive = np.flatnonzero(found.observed > 0)
    if not len(alive):
        log.fail(
            f"column {shorten(panel.target_names)!r} has no value at all", 'check target=, missing=[…] and decimal=","'
        )
    if len(alive) < len(panel):
        gone = [str(panel.ids[k]) for k in np.flatnonzero(found.observed == 0)]
        log.note("series dropped", f"without any value: {shorten(gone)}", len(gone))
        panel = panel.take(alive)
    return panel
