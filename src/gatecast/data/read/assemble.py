"""From an understood table to a :class:`Panel`: values read, put on the grid, trimmed, and what is odd listed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gatecast.base.findings import Arg, Finding
from gatecast.base.text import plural, shorten
from gatecast.data.frequency import Frequency
from gatecast.data.panel import Panel
from gatecast.data.read.grid import Grid, Long, stack, to_grid
from gatecast.data.read.number_text import require_finite, to_float, without_infinite
from gatecast.data.read.origin import Origin, note
from gatecast.data.read.static_columns import read_category, read_static
from gatecast.data.read.table import Table
from gatecast.data.schema import Schema

if TYPE_CHECKING:
    from gatecast.data.read.meaning import Meaning

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
        first, last: first and last row (from the series' begin) with any value; ``first > last`` where there is none.
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


@dataclass
class Blocks:
    """Covariates on the grid; None where there are none."""

    past: np.ndarray | None = None
    known: np.ndarray | None = None
    static: np.ndarray | None = None
    category: np.ndarray | None = None


def panel_of(table: Table, meaning: Meaning) -> Panel:
    """Panel of a table that is understood: values read, put on the grid, checked."""
    schema = meaning.schema
    long, findings = _with_values(table, meaning)
    if schema.layout == "wide":
        long = stack(long, meaning.values, schema.target_names[0], (*schema.past, *schema.known))
    grid, moved = to_grid(long, freq=meaning.freq, duplicates=schema.duplicates, tz=schema.tz)
    static, codes = read_static(table, meaning.series, schema)
    category, levels = read_category(table, meaning.series, schema)
    if schema.layout == "wide":
        static, category = (np.repeat(block, len(grid.ids), 0) for block in (static, category))
    past, holes = _block(grid, schema.past, "past covariates")
    known, more = _block(grid, schema.known, "known covariates")
    target = np.stack([grid.values[name] for name in schema.target_names], axis=1)
    schema = table.with_dialect(replace(schema, freq=grid.freq, levels=levels))
    findings = [*meaning.findings, *findings, *moved, *codes, *holes, *more]
    return assemble(grid, target, schema, table.origin, findings, Blocks(past, known, static, category))


def _with_values(table: Table, meaning: Meaning) -> tuple[Long, list[Finding]]:
    """The rows with the numbers of the target and the covariates."""
    schema, findings, values = meaning.schema, list[Finding](), dict[str, np.ndarray]()
    rows = schema.layout == "rows"
    for name in meaning.values if rows else (*meaning.values, *schema.past, *schema.known):
        values[name], found = to_float(table[name], schema.decimal, table.decimal)
        findings += found
    target, found = without_infinite({name: values[name] for name in meaning.values}, schema.infinite, table.origin)
    if rows:
        values = {"y": np.stack(list(target.values()), axis=1).reshape(-1)}
    else:
        for name in (*schema.past, *schema.known):
            require_finite(values[name], table[name])
        values |= target
    return replace(meaning.long, values=values), [*findings, *found]


def _block(grid: Grid, names: Sequence[str], word: str) -> tuple[np.ndarray, list[Finding]]:
    if not names:
        return np.zeros((int(grid.edges[-1]), 0), np.float32), []
    values = np.stack([grid.values[name] for name in names], axis=1)
    holes = np.isnan(values).sum(axis=0)
    findings = [
        note("missing", f"{plural(int(count), 'value')} of {name} missing ({word})", count, name)
        for name, count in zip(names, holes, strict=True)
        if count
    ]
    values, kept = smallest_float(values, grid.edges, word)
    return values, [*findings, *kept]


def assemble(
    grid: Grid,
    target: np.ndarray,
    schema: Schema,
    origin: Origin,
    findings: Sequence[Finding] = (),
    blocks: Blocks | None = None,
    found: Survey | None = None,
) -> Panel:
    """Panel of rows on a grid: series trimmed to their values, odd ones listed, empty ones left out."""
    blocks, edges, count = blocks or Blocks(), grid.edges, len(grid.ids)
    past = blocks.past if blocks.past is not None else np.zeros((len(target), 0), np.float32)
    known = blocks.known if blocks.known is not None else np.zeros((len(target), 0), np.float32)
    found = found or survey(target, edges)
    begin = edges[:-1] + found.first
    end = edges[:-1] + found.last + 1
    stop = _last_known(known, edges, end)
    target, kept = smallest_float(target, edges, ", ".join(schema.target_names))
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
        source=origin.source,
    )
    odd = [*_trimmed(found, edges, end, stop), *_oddities(target, found, grid.ids)]
    panel, dropped = _without_empty(panel, found, origin)
    return replace(panel, repairs=(*findings, *kept, *odd, *dropped))


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


def _trimmed(found: Survey, edges: np.ndarray, end: np.ndarray, stop: np.ndarray) -> list[Finding]:
    """Rows left out before and after the values, and rows of the future."""
    alive, findings = found.observed > 0, []
    leading = found.first[alive]
    if leading.any():
        findings.append(_left_out(leading, "before the first value"))
    future = (stop - end)[alive]
    if future.any():
        rows = plural(int(future.sum()), "row")
        message = f"{rows} after the last value of the target hold known covariates of the future"
        findings.append(note("future", message, future.sum()))
    trailing = (edges[1:] - stop)[alive]
    if trailing.any():
        findings.append(_left_out(trailing, "after the last value"))
    return findings


def _left_out(rows: np.ndarray, where: str) -> Finding:
    total, series = int(rows.sum()), plural(int((rows > 0).sum()), "series", "series")
    return note("trimmed", f"{plural(total, 'row')} {where} of the target left out ({series})", total)


def _oddities(target: np.ndarray, found: Survey, ids: Sequence[str]) -> list[Finding]:
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


def _without_empty(panel: Panel, found: Survey, origin: Origin) -> tuple[Panel, list[Finding]]:
    alive = np.flatnonzero(found.observed > 0)
    if not len(alive):
        remedy = "check " + Arg("target", ...) + ", " + Arg("missing", ["…"]) + " and " + Arg("decimal", ",")
        raise origin.error(f"column {shorten(panel.target_names)!r} has no value at all", remedy)
    if len(alive) == len(panel):
        return panel, []
    gone = [str(panel.ids[k]) for k in np.flatnonzero(found.observed == 0)]
    return panel.take(alive), [note("series dropped", f"without any value: {shorten(gone)}", len(gone))]
