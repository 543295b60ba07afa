"""Arrays without columns: one series, many of one length, or many of unequal lengths. Clean float32 is not copied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gatecast.base.text import plural
from gatecast.data.frequency import Frequency
from gatecast.data.panel import Panel
from gatecast.data.read.assemble import assemble
from gatecast.data.read.files import as_series_list
from gatecast.data.read.grid import Grid
from gatecast.data.read.numbers import looks_like_number
from gatecast.data.read.table import Log
from gatecast.data.schema import Schema

_EPOCH = np.datetime64("2000-01-01", "ns")


def open_arrays(path: Path) -> Any:
    """The array of a ``.npy`` file; the arrays of a ``.npz`` file as a dict. Nothing in them is executed."""
    try:
        content = np.load(path, allow_pickle=False)
        return content if isinstance(content, np.ndarray) else {name: content[name] for name in content.files}
    except (ValueError, OSError) as error:
        Log(path.name).fail(f"not a file of plain arrays ({error})", "save numbers with numpy.save or numpy.savez")


def read_arrays(source: Any, schema: Schema, *, name: str | None = None) -> Panel | None:
    """Panel of bare arrays; None where the source is something else.

    An array is ``(time,)``, ``(series, time)`` (``(time, series)`` with ``layout="wide"``) or
    ``(series, time, targets)``; a dict or list holds one ``(time,)`` array a series, of unequal lengths.
    """
    if isinstance(source, np.ndarray) and source.dtype.names is None:
        log = Log(name or "array")
        values, edges, ids = _from_array(source, schema.layout, log)
    elif isinstance(source, Mapping | list | tuple):
        series = as_series_list(source)
        if series is None:
            if isinstance(source, Mapping):
                return None
            series = _as_numbers(source)
        log = Log(name or type(source).__name__)
        values, edges, ids = _from_series(series, source, log)
    else:
        return None
    values = _as_floats(values)
    for code in schema.missing:
        if looks_like_number(str(code)):
            hit = values == float(str(code))
            if hit.any():
                values = np.where(hit, np.asarray(np.nan, values.dtype), values)
                log.note("missing code", f"{plural(int(hit.sum()), 'value')} held a code for missing", hit.sum())
    freq = schema.freq or Frequency("")
    if freq.is_integer and schema.start is not None:
        log.fail("start= was given without a frequency", 'give both: start="2024-01-01", freq="D"')
    first = np.int64(0) if freq.is_integer else first_time(freq, schema.start, log)
    targets = values.shape[1]
    names = ("y",) if targets == 1 else tuple(f"y{k + 1}" for k in range(targets))
    found = replace(schema, time=(), target=names, id=() if len(ids) == 1 else ("unique_id",), freq=freq)
    return assemble(Grid(ids, edges, np.full(len(ids), first), freq, {}), values, found, log)


def first_time(freq: Frequency, start: object | None, log: Log) -> np.datetime64:
    """Time of the first row: as given, or 2000-01-01, which is listed."""
    if start is not None:
        try:
            moment = np.datetime64(start, "ns")  # type: ignore[call-overload]
        except ValueError:
            log.fail(f"start={start!r} is no date", 'expected one like start="2024-01-31" or "2024-01-31T18:00"')
        _require_on_grid(moment, start, freq, log)
        return moment
    log.note(
        "start", f"no dates in the source: with freq={freq.alias!r} rows are counted from 2000-01-01 (start= sets it)"
    )
    return _EPOCH


def _require_on_grid(moment: np.datetime64, start: object, freq: Frequency, log: Log) -> None:
    """Refuse a start that steps of uneven length would leave: the 31st for months, a Saturday for business days.

    Steps of fixed width go on from anywhere, months from any day that all of them have.
    """
    day = int((moment.astype("datetime64[D]") - moment.astype("datetime64[M]")).astype(np.int64)) + 1
    if freq.nanoseconds is not None or (freq.in_months and day <= 28):
        return
    offset = pd.tseries.frequencies.to_offset(freq.alias)
    if not offset.is_on_offset(pd.Timestamp(moment)):
        near = offset.rollforward(pd.Timestamp(moment))
        log.fail(f"start={start!r} is no time of freq={freq.alias!r}", f'the next one is start="{near:%Y-%m-%d}"')


def _from_array(source: np.ndarray, layout: str, log: Log) -> tuple[np.ndarray, np.ndarray, list[str]]:
    if source.dtype.kind not in "fiub":
        log.fail(f"the array holds {source.dtype}, not numbers", "convert it to float, or give a dict of columns")
    if source.size == 0 or source.ndim not in (1, 2, 3):
        shapes = "(time,), (series, time) or (series, time, targets)"
        log.fail(
            f"an array of shape {source.shape} holds no series", f"expected {shapes}; grids (images) are not panels"
        )
    if source.ndim == 1:
        return source.reshape(-1, 1), np.array([0, len(source)]), ["y"]
    values = source.T if layout == "wide" and source.ndim == 2 else source
    count, length = values.shape[:2]
    way = "columns are series" if layout == "wide" else 'rows are series; layout="wide" takes columns'
    log.note("layout", f"array read as {plural(count, 'series', 'series')} of {plural(length, 'step')} ({way})", count)
    ids = [f"s{k}" for k in range(count)]
    return values.reshape(count * length, -1), np.arange(count + 1) * length, ids


def _from_series(series: list[np.ndarray], source: Any, log: Log) -> tuple[np.ndarray, np.ndarray, list[str]]:
    ids = [str(name) for name in source] if isinstance(source, Mapping) else [f"s{k}" for k in range(len(series))]
    empty = [name for name, values in zip(ids, series, strict=True) if not len(values)]
    if empty:
        log.fail(f"the series {empty[0]!r} has no values", "leave it out")
    lengths = [len(values) for values in series]
    message = (
        f"{plural(len(series), 'series', 'series')} of {min(lengths):,} to {max(lengths):,} steps, beginning together"
    )
    log.note("layout", message, len(series))
    edges = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return np.concatenate(series).reshape(-1, 1), edges, ids


def _as_numbers(source: Sequence[Any]) -> list[np.ndarray]:
    """A plain list of numbers is one series; a list of lists is many."""
    log = Log(type(source).__name__)
    try:
        one = np.asarray(source, dtype=np.float64)
        return [one] if one.ndim == 1 else list(one)
    except (ValueError, TypeError):
        log.fail("the list holds no numbers", "expected numbers, or one list or array of numbers a series")


def _as_floats(values: np.ndarray) -> np.ndarray:
    """float32 and float64 as they are; other numbers as float64, which is cut to float32 where it fits."""
    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)
