"""One door for data: files, frames and arrays become a :class:`Panel`, and nothing is changed in silence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from gatecast.base.errors import SettingError
from gatecast.data.frequency import Frequency
from gatecast.data.panel import Panel
from gatecast.data.read import row_per_series as row_layout
from gatecast.data.read.arrays import first_time, open_arrays, read_arrays
from gatecast.data.read.assemble import assemble, smallest_float
from gatecast.data.read.columns import (
    Wishes,
    check_ids,
    check_names,
    codes_of,
    find_ids,
    find_target,
    names_of,
    note_unused,
    series_names,
)
from gatecast.data.read.files import load_table
from gatecast.data.read.future import add_future
from gatecast.data.read.grid import DUPLICATE_RULES, Grid, Long, stack, to_grid
from gatecast.data.read.infer_frequency import parse_alias
from gatecast.data.read.numbers import require_finite, to_float
from gatecast.data.read.static_columns import read_category, read_static
from gatecast.data.read.table import Log, Table
from gatecast.data.read.times import find_time, read_times
from gatecast.data.read.timezones import check_zone, settle_zone


@dataclass(frozen=True)
class _Rules:
    """Settings that are no column names."""

    freq: str | None
    tz: str | None
    duplicates: str
    infinite: str
    decimal: str | None
    start: object | None


def read_panel(
    source: Any,
    *,
    time: str | Sequence[str] | bool | None = None,
    target: str | Sequence[str] | None = None,
    id: str | Sequence[str] | None = None,
    past: str | Sequence[str] = (),
    known: str | Sequence[str] = (),
    static: str | Sequence[str] = (),
    category: str | Sequence[str] = (),
    freq: str | None = None,
    layout: Literal["auto", "long", "wide", "rows"] = "auto",
    missing: object | Sequence[object] = (),
    duplicates: str = "error",
    infinite: Literal["error", "missing"] = "error",
    tz: str | None = None,
    date_format: str | None = None,
    decimal: Literal[".", ","] | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    header: int | None = None,
    start: object | None = None,
) -> Panel:
    """Read one or many series; whatever is repaired or decided is listed in ``panel.repairs``.

    Args:
        source: path of a CSV/TSV file (also .gz) or Parquet file, an open text file, a pandas, polars or pyarrow frame,
            a NumPy array (``(time,)``, ``(series, time)`` or ``(series, time, targets)``), a dict of columns, or a dict
            or list of series of unequal lengths.
        time: column with the times, or several that belong together (date and clock; year, month, day, hour);
            None to find it; False to count rows.
        target: column to forecast, or several (forecast jointly; with ``layout="wide"`` each is a series of its own).
        id: column or columns that tell the series apart; None to find them; ``()`` for one series.
        past: numeric columns known up to the forecast origin only.
        known: numeric columns known in advance; rows after the last target value are taken as the future.
        static: numeric columns with one value a series.
        category: columns of names or codes with one value a series.
        freq: pandas offset alias such as ``"h"``; None to infer it. Given, it is checked.
        layout: ``"long"`` (one row a time and series), ``"wide"`` (one column a series), ``"rows"`` (one row a series).
        missing: further codes for missing values, e.g. ``-9999`` or ``["x", -1]``.
        duplicates: what to do with rows of the same series and time: ``"error"``, ``"first"``, ``"last"``, ``"mean"``,
            ``"sum"``, ``"min"``, ``"max"`` or ``"median"``.
        infinite: ``"missing"`` takes ±inf as missing values.
        tz: time zone of the clock, e.g. ``"Europe/Berlin"``; times with an offset are shown in it.
        date_format: ``"day-first"``, ``"month-first"`` or a strptime pattern.
        decimal, delimiter, encoding: of a text file, where the first lines do not show them.
        header: 1-based line of the column names in a text file.
        start: time of the first row, for data without times.

    Returns:
        The series on a regular grid. The target is float32, or float64 (listed) where float32 would lose its steps.

    Raises:
        DataError: for what cannot be repaired safely: it names file, column and line, what was expected, the remedy.
        SettingError: for an argument that cannot be understood.

    Example:
        >>> import numpy as np, gatecast
        >>> panel = gatecast.read_panel({"ds": ["2024-01-01", "2024-01-02", "2024-01-04"], "y": [1.0, 2.0, 4.0]})
        >>> panel.freq.alias, panel.series(0)[:, 0].tolist()
        ('D', [1.0, 2.0, nan, 4.0])
        >>> [repair.kind for repair in panel.repairs]
        ['time column', 'target column', 'gap', 'missing']
    """
    _check_settings(layout, duplicates, infinite)
    codes = tuple(missing) if isinstance(missing, Iterable) and not isinstance(missing, str) else (missing,)
    rules = _Rules(
        freq=parse_alias(freq) if freq else None,
        tz=check_zone(tz) if tz else None,
        duplicates=duplicates,
        infinite=infinite,
        decimal=decimal,
        start=start,
    )
    name = None
    if isinstance(source, str | PathLike) and str(source).endswith((".npy", ".npz")) and Path(source).is_file():
        name, source = Path(source).name, open_arrays(Path(source))
    panel = read_arrays(
        source, name=name, freq=rules.freq, start=start, missing=codes, infinite=infinite, layout=layout
    )
    if panel is not None:
        roles = {"time": time, "target": target, "id": id, "past": past, "known": known, "static": static}
        _refuse_for_arrays({**roles, "category": category, "tz": tz})
        return panel
    table = load_table(source, name=name, delimiter=delimiter, encoding=encoding, decimal=decimal, header=header)
    wishes = Wishes(
        time=time if time is None or isinstance(time, bool) else names_of(time),
        ids=None if id is None else names_of(id),
        target=None if target is None else names_of(target),
        past=names_of(past),
        known=names_of(known),
        static=names_of(static),
        category=names_of(category),
        missing=codes,
        date_format=date_format,
        layout=layout,
        relaxed=duplicates != "error",
    )
    check_names(table, wishes)
    if layout == "rows" or (layout == "auto" and wishes.time is None and wishes.target is None):
        values = row_layout.value_columns(table)
        if values or layout == "rows":
            return _read_rows(table, wishes, rules, values)
    return _read_columns(table, wishes, rules)


def _check_settings(layout: str, duplicates: str, infinite: str) -> None:
    for name, value, allowed in (
        ("layout", layout, ("auto", "long", "wide", "rows")),
        ("duplicates", duplicates, DUPLICATE_RULES),
        ("infinite", infinite, ("error", "missing")),
    ):
        if value not in allowed:
            raise SettingError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")


def _refuse_for_arrays(options: dict[str, object]) -> None:
    """Bare arrays have no columns to name and no clock; what is asked for in vain is not passed over."""
    given = [name for name, value in options.items() if value not in (None, (), False)]
    if given:
        raise SettingError(
            f"{', '.join(f'{name}=' for name in given)} cannot be used with bare arrays, which have no columns; "
            "give a frame or a dict of columns of one length"
        )


# ── one row a time ────────────────────────────────────────────────────────────────────────────────────────────────────
def _read_columns(table: Table, wishes: Wishes, rules: _Rules) -> Panel:
    """Long and wide tables."""
    if wishes.layout == "wide" and wishes.ids:
        table.log.fail('id= was given with layout="wide", where columns are series', "use one of the two")
    time = find_time(table, wishes)
    moments = read_times(table, time, wishes.date_format) if time else None
    ids = find_ids(table, wishes, None if moments is None else moments.values, time)
    check_ids(table, ids)
    codes = codes_of(table, ids) if ids else np.zeros(len(table), np.int64)
    target = find_target(table, wishes, [*time, *ids])
    note_unused(table, wishes, [*time, *ids, *target], codes)
    if moments is None:
        times, tz, freq = *_counted(codes, rules, table.log), rules.freq if rules.start is None else None
    else:
        times, tz = settle_zone(moments.values, moments.tz, codes, rules.tz, " + ".join(time), table.log)
        freq = rules.freq
    names = series_names(table, ids, codes) if ids else [target[0]]
    numeric = [*target, *wishes.past, *wishes.known]
    values = {name: to_float(table, name, decimal=rules.decimal, missing=wishes.missing) for name in numeric}
    _require_finite(values, target, rules, table.log)
    long = Long(names, codes, times, values, np.arange(len(table)), " + ".join(time) or "row")
    if wishes.layout == "wide":
        long, target = stack(long, target, (*wishes.past, *wishes.known)), (target[0] if len(target) == 1 else "y",)
    grid = to_grid(long, freq=freq, duplicates=rules.duplicates, tz=tz, log=table.log)
    step = " + ".join(time) or "step"
    layout = "wide" if wishes.layout == "wide" else "long"
    return _panel(grid, table, codes, target, wishes, rules, time=step, ids=ids, tz=tz, layout=layout)


def _panel(
    grid: Grid,
    table: Table,
    codes: np.ndarray,
    target: Sequence[str],
    wishes: Wishes,
    rules: _Rules,
    *,
    time: str,
    ids: tuple[str, ...],
    tz: str | None,
    layout: str,
) -> Panel:
    def block(names: Sequence[str], word: str) -> np.ndarray:
        if not names:
            return np.zeros((int(grid.edges[-1]), 0), np.float32)
        stacked = np.stack([grid.values[name] for name in names], axis=1)
        _note_holes(stacked, names, word, table.log)
        return smallest_float(stacked, grid.edges, word, table.log)

    wide = wishes.layout == "wide"
    static, category, levels = read_static(table, codes, wishes, rules.decimal), *read_category(table, codes, wishes)
    panel = assemble(
        ids=grid.ids,
        edges=grid.edges,
        starts=grid.starts,
        freq=grid.freq,
        target=np.stack([grid.values[name] for name in target], axis=1),
        log=table.log,
        infinite=rules.infinite,
        past=block(wishes.past, "past covariates"),
        known=block(wishes.known, "known covariates"),
        static=np.repeat(static, len(grid.ids), 0) if wide else static,
        category=np.repeat(category, len(grid.ids), 0) if wide else category,
        target_names=tuple(target),
        past_names=wishes.past,
        known_names=wishes.known,
        static_names=wishes.static,
        category_names=wishes.category,
        levels=levels,
        time_name=time,
        id_name="/".join(ids) or ("series" if wide else ""),
        tz=tz,
        source=table.log.source,
        layout=layout,
        missing_codes=wishes.missing,
        decimal=rules.decimal,
    )
    return _with_repairs(panel, table.log)


def _with_repairs(panel: Panel, log: Log) -> Panel:
    return replace(panel, repairs=tuple(log.repairs))


def _note_holes(values: np.ndarray, names: Sequence[str], word: str, log: Log) -> None:
    holes = np.isnan(values).sum(axis=0)
    for name, count in zip(names, holes, strict=True):
        if count:
            log.note("missing", f"{count:,} values of {name} missing ({word})", int(count), name)


def _require_finite(values: dict[str, np.ndarray], target: Sequence[str], rules: _Rules, log: Log) -> None:
    """No infinite value, unless those of the target are to be taken as missing."""
    for name, column in values.items():
        if name not in target:
            require_finite(column, name, log, "mend it or leave the column out")
        elif rules.infinite != "missing":
            require_finite(column, name, log, 'mend the value, or take such values as missing: infinite="missing"')


def _counted(codes: np.ndarray, rules: _Rules, log: Log) -> tuple[np.ndarray, None]:
    """Row numbers within each series, or times counted from ``start``."""
    number = pd.Series(codes).groupby(codes).cumcount().to_numpy().astype(np.int64)
    if rules.freq is None:
        return number, None
    freq = Frequency(rules.freq)
    moments = freq.times(first_time(rules.freq, rules.start, log), 0, int(number.max()) + 1)
    return moments[number], None


# ── one row a series ──────────────────────────────────────────────────────────────────────────────────────────────────
def _read_rows(table: Table, wishes: Wishes, rules: _Rules, values: list[str]) -> Panel:
    ids = row_layout.row_ids(table, wishes, values)
    if not values:
        taken = {*ids, *wishes.covariates()}
        values = [name for name in table.names if name not in taken and not table.is_text(name)]
    row_layout.note_layout(table, ids, values)
    matrix = row_layout.read_matrix(table, values, wishes, rules.decimal)
    _require_finite(dict(zip(values, matrix.T, strict=True)), values, rules, table.log)
    moments = row_layout.header_times(table, values, wishes)
    codes = np.arange(len(table), dtype=np.int64)
    names = series_names(table, ids, codes) if ids else [f"row {k + 1}" for k in range(len(table))]
    if len(set(names)) < len(names):
        twice = pd.Series(names)
        row = int(np.flatnonzero(twice.duplicated())[0])
        table.log.fail(
            f"the series {names[row]!r} comes twice", 'name the columns that tell rows apart: id=["…", "…"]', row=row
        )
    note_unused(table, wishes, [*ids, *values], codes)
    if moments is None:
        times, tz = _counted(np.zeros(len(values), np.int64), rules, table.log)
    else:
        header = np.zeros(len(values), np.int64)
        times, tz = settle_zone(moments.values, moments.tz, header, rules.tz, "header", table.log)
    count = len(table)
    long = Long(
        names,
        np.repeat(codes, len(values)),
        np.tile(times, count),
        {"y": matrix.reshape(-1)},
        np.repeat(np.arange(count), len(values)),
        "header",
    )
    grid = to_grid(long, freq=rules.freq, duplicates=rules.duplicates, tz=tz, log=table.log)
    step = "ds" if moments else "step"
    return _panel(grid, table, codes, ("y",), wishes, rules, time=step, ids=ids or ("series",), tz=tz, layout="rows")


__all__ = ["add_future", "read_panel"]
