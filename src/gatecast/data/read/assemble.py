"""From an understood table to a :class:`Panel`: values read, put on the grid, trimmed, and what is odd listed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gatecast.base.findings import Arg, Finding
from gatecast.base.text import plural, shorten
from gatecast.data.frequency import Frequency
from gatecast.data.known_ahead import ends_ahead
from gatecast.data.panel import Panel
from gatecast.data.read.grid import Grid, Long, sorted_rows, stack, to_grid
from gatecast.data.read.number_text import require_finite, to_float, without_infinite
from gatecast.data.read.origin import Origin, note
from gatecast.data.read.resample import in_utc, resample
from gatecast.data.read.static_columns import read_category, read_static
from gatecast.data.read.survey import Survey, oddities, smallest_float, survey
from gatecast.data.read.table import Table
from gatecast.data.schema import Schema

if TYPE_CHECKING:
    from gatecast.data.read.meaning import Meaning


@dataclass
class Blocks:
    """Covariates on the grid; None without any."""

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
    long, spread = sorted_rows(long)
    freq = meaning.freq
    if schema.resample is not None:
        long, found = resample(long, schema.resample, schema.aggregate, schema.tz)
        freq, spread = schema.resample, [*spread, *found]
        schema = schema if in_utc(schema.resample) else replace(schema, tz=None)
    grid, moved = to_grid(long, freq=freq, duplicates=schema.duplicates, tz=schema.tz)
    static, codes = read_static(table, meaning.series, schema)
    category, levels = read_category(table, meaning.series, schema)
    if schema.layout == "wide":
        static, category = (np.repeat(block, len(grid.ids), 0) for block in (static, category))
    past, holes = _block(grid, schema.past, "past covariates")
    known, more = _block(grid, schema.known, "known covariates")
    target = np.stack([grid.values[name] for name in schema.target_names], axis=1)
    schema = table.with_dialect(replace(schema, freq=grid.freq, levels=levels))
    findings = [*meaning.findings, *findings, *spread, *moved, *codes, *holes, *more]
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
    odd = [*_trimmed(found, edges, end, stop), *oddities(target, found, grid.ids)]
    panel, dropped = _without_empty(panel, found, origin)
    ends = ends_ahead(panel)
    if ends:
        odd.append(note("known covariates end", ends, place=""))
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


def _without_empty(panel: Panel, found: Survey, origin: Origin) -> tuple[Panel, list[Finding]]:
    alive = np.flatnonzero(found.observed > 0)
    if not len(alive):
        remedy = "check " + Arg("target", ...) + ", " + Arg("missing", ["…"]) + " and " + Arg("decimal", ",")
        raise origin.error(f"column {shorten(panel.target_names)!r} has no value at all", remedy)
    if len(alive) == len(panel):
        return panel, []
    gone = [str(panel.ids[k]) for k in np.flatnonzero(found.observed == 0)]
    return panel.take(alive), [note("series dropped", f"without any value: {shorten(gone)}", len(gone))]
