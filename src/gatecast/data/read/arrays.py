"""Arrays without columns: one series, many of one length, or many of unequal lengths. Clean float32 is not copied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gatecast.base.findings import Arg, Finding
from gatecast.base.text import plural
from gatecast.data.frequency import Frequency
from gatecast.data.panel import Panel
from gatecast.data.read.assemble import assemble
from gatecast.data.read.grid import Grid
from gatecast.data.read.number_text import looks_like_number, without_infinite
from gatecast.data.read.origin import Origin, note
from gatecast.data.read.survey import survey
from gatecast.data.schema import Schema

_EPOCH = np.datetime64("2000-01-01", "ns")


def open_arrays(path: Path) -> Any:
    """The array of a ``.npy`` file; the arrays of a ``.npz`` file as a dict. Nothing in them is executed."""
    try:
        content = np.load(path, allow_pickle=False)
        return content if isinstance(content, np.ndarray) else {name: content[name] for name in content.files}
    except (ValueError, OSError, EOFError) as error:
        problem, remedy = f"not a file of plain arrays ({error})", "save numbers with numpy.save or numpy.savez"
        raise Origin(path.name).error(problem, remedy) from None


def read_arrays(source: Any, schema: Schema, *, name: str | None = None) -> Panel | None:
    """Panel of bare arrays; None where the source is something else.

    An array is ``(time,)``, ``(series, time)`` (``(time, series)`` with ``layout="wide"``) or
    ``(series, time, targets)``; a dict or list holds one ``(time,)`` array a series, of unequal lengths.
    """
    origin = Origin(name or ("array" if isinstance(source, np.ndarray) else type(source).__name__))
    if isinstance(source, np.ndarray) and source.dtype.names is None:
        values, edges, ids, findings = _from_array(source, schema.layout, origin)
    elif isinstance(source, Mapping | list | tuple):
        series = as_series_list(source)
        if series is None and isinstance(source, Mapping):
            return None
        series = series or _as_numbers(list(source), origin)
        values, edges, ids, findings = _from_series(series, source, origin)
    else:
        return None
    values, codes = _without_codes(_as_floats(values), schema.missing)
    targets = values.shape[1]
    names = ("y",) if targets == 1 else tuple(f"y{k + 1}" for k in range(targets))
    found, infinite = survey(values, edges), list[Finding]()
    if np.isinf([found.low, found.high]).any():
        values, infinite = _finite(values, names, edges, ids, schema.infinite, origin)
        found = survey(values, edges)
    freq = schema.freq or Frequency("")
    if freq.is_integer and schema.start is not None:
        remedy = "give both: " + Arg("start", "2024-01-01") + ", " + Arg("freq", "D")
        raise origin.error(Arg("start") + " was given without a frequency", remedy)
    first, begun = (np.int64(0), []) if freq.is_integer else first_time(freq, schema.start, origin)
    own = replace(schema, time=(), target=names, id=() if len(ids) == 1 else ("unique_id",), freq=freq)
    grid = Grid(ids, edges, np.full(len(ids), first), freq, {})
    return assemble(grid, values, own, origin, [*findings, *codes, *begun, *infinite], found=found)


def _without_codes(values: np.ndarray, codes: Sequence[object]) -> tuple[np.ndarray, list[Finding]]:
    findings = []
    for code in codes:
        hit = values == float(str(code)) if looks_like_number(str(code)) else np.zeros(0, bool)
        if hit.any():
            values = np.where(hit, np.asarray(np.nan, values.dtype), values)
            message = f"{plural(int(hit.sum()), 'value')} held a code for missing values"
            findings.append(note("missing code", message, hit.sum()))
    return values, findings


def _finite(
    values: np.ndarray, names: Sequence[str], edges: np.ndarray, ids: Sequence[str], rule: str, origin: Origin
) -> tuple[np.ndarray, list[Finding]]:
    """Values without infinite ones, or the error at the first, with the step of its series."""
    steps = np.arange(len(values)) - np.repeat(edges[:-1], np.diff(edges))
    if rule != "missing":
        row = int(np.flatnonzero(np.isinf(values).any(axis=1))[0])
        series = ids[int(np.searchsorted(edges, row, side="right")) - 1]
        origin = replace(origin, source=f"{origin.source}, series {series!r}")
    columns, findings = without_infinite(dict(zip(names, values.T, strict=True)), rule, origin, steps)
    return np.stack(list(columns.values()), axis=1), findings


def first_time(freq: Frequency, start: object | None, origin: Origin) -> tuple[np.datetime64, list[Finding]]:
    """Time of the first row: as given, or 2000-01-01, which is listed."""
    if start is None:
        message = f"no dates in the source: with the frequency {freq} rows are counted from 2000-01-01"
        return _EPOCH, [note("start", message, remedy=Arg("start") + " sets it")]
    try:
        time = np.datetime64(start, "ns")  # type: ignore[call-overload]
    except ValueError:
        remedy = "expected one like " + Arg("start", "2024-01-31") + ' or "2024-01-31T18:00"'
        raise origin.error(Arg("start", start) + " is not a date", remedy) from None
    _require_on_grid(time, start, freq, origin)
    return time, []


def _require_on_grid(time: np.datetime64, start: object, freq: Frequency, origin: Origin) -> None:
    """Refuse a start that steps of uneven length would leave: the 31st for months, a Saturday for business days.

    Steps of fixed width go on from anywhere, months from any day that all of them have.
    """
    day = int((time.astype("datetime64[D]") - time.astype("datetime64[M]")).astype(np.int64)) + 1
    if freq.nanoseconds is not None or (freq.in_months and day <= 28):
        return
    offset = pd.tseries.frequencies.to_offset(freq.alias)
    if not offset.is_on_offset(pd.Timestamp(time)):
        near = f"{offset.rollforward(pd.Timestamp(time)):%Y-%m-%d}"
        problem = Arg("start", start) + " is not a time of " + Arg("freq", freq.alias)
        raise origin.error(problem, "the next one is " + Arg("start", near))


Series = tuple[np.ndarray, np.ndarray, list[str], list[Finding]]


def _from_array(source: np.ndarray, layout: str, origin: Origin) -> Series:
    """Values, edges of the series, and their names."""
    if source.dtype.kind not in "fiub":
        problem = f"the array holds {source.dtype}, not numbers"
        raise origin.error(problem, "convert it to float, or give a dict of columns")
    if source.size == 0 or source.ndim not in (1, 2, 3):
        shapes = "(time,), (series, time) or (series, time, targets)"
        problem = f"an array of shape {source.shape} holds no series"
        raise origin.error(problem, f"expected {shapes}; grids (images) are not panels")
    if source.ndim == 1:
        return source.reshape(-1, 1), np.array([0, len(source)]), ["y"], []
    wide = layout == "wide"
    values = source.T if wide and source.ndim == 2 else source
    count, length = values.shape[:2]
    message = f"array read as {plural(count, 'series', 'series')} of {plural(length, 'step')} "
    message += f"({'columns' if wide else 'rows'} are series)"
    remedy = "" if wide else Arg("layout", "wide") + " takes columns"
    ids = [f"s{k}" for k in range(count)]
    edges = np.arange(count + 1) * length
    return values.reshape(count * length, -1), edges, ids, [note("layout", message, count, remedy=remedy)]


def _from_series(series: list[np.ndarray], source: Any, origin: Origin) -> Series:
    ids = [str(name) for name in source] if isinstance(source, Mapping) else [f"s{k}" for k in range(len(series))]
    empty = [name for name, values in zip(ids, series, strict=True) if not len(values)]
    if empty:
        raise origin.error(f"the series {empty[0]!r} has no values", "leave it out")
    lengths = [len(values) for values in series]
    steps = f"{min(lengths):,} to {max(lengths):,} steps"
    message = f"{plural(len(series), 'series', 'series')} of {steps}, beginning together"
    edges = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return np.concatenate(series).reshape(-1, 1), edges, ids, [note("layout", message, len(series))]


def as_series_list(source: Mapping[str, Any] | Sequence[Any]) -> list[np.ndarray] | None:
    """The 1-D arrays of a dict or list of series of unequal lengths; None where it is a table of columns."""
    values = list(source.values()) if isinstance(source, Mapping) else list(source)
    arrays = [np.asarray(value) for value in values]
    if not arrays or any(array.ndim != 1 or array.dtype.kind not in "fiub" for array in arrays):
        return None
    return arrays if len({len(array) for array in arrays}) > 1 or not isinstance(source, Mapping) else None


def _as_numbers(source: Sequence[Any], origin: Origin) -> list[np.ndarray]:
    """A plain list of numbers is one series; a list of lists is many."""
    try:
        one = np.asarray(source, dtype=np.float64)
    except (ValueError, TypeError):
        remedy = "expected numbers, or one list or array of numbers a series"
        raise origin.error("the list holds no numbers", remedy) from None
    return [one] if one.ndim == 1 else list(one)


def _as_floats(values: np.ndarray) -> np.ndarray:
    """float32 and float64 as they are; other numbers as float64, which is cut to float32 where it fits."""
    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)
