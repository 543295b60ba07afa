"""One door for data: files, frames and arrays become a :class:`Panel`, and nothing is changed in silence.

:func:`describe` says what a source means, :func:`read` applies that, :func:`read_panel` does both at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.data.frequency import Frequency
from gatecast.data.panel import Panel
from gatecast.data.read.arrays import open_arrays, read_arrays
from gatecast.data.read.assemble import panel_of
from gatecast.data.read.damaged import readable
from gatecast.data.read.files import load_table
from gatecast.data.read.form import check_form
from gatecast.data.read.future import add_future
from gatecast.data.read.grid import frequency_of
from gatecast.data.read.indicators import with_indicators
from gatecast.data.read.infer_frequency import parse_alias
from gatecast.data.read.meaning import Meaning, find_meaning
from gatecast.data.read.static_columns import read_category
from gatecast.data.read.table import Table
from gatecast.data.read.timezones import check_zone
from gatecast.data.schema import FORM, Schema

_ARRAY_ROLES = ("time", "target", "id", "past", "known", "static", "category", "tz")


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
    resample: str | None = None,
    aggregate: str = "mean",
    infinite: Literal["error", "missing"] = "error",
    tz: str | None = None,
    date_format: str | None = None,
    decimal: Literal[".", ","] | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    header: int | None = None,
    skip_rows: int = 0,
    start: object | None = None,
) -> Panel:
    """Read one or many series; whatever is repaired or decided is listed in ``panel.repairs``.

    Args:
        source: path of a CSV/TSV file (also .gz) or Parquet file, an open text file, a pandas, polars or pyarrow frame,
            a NumPy array (``(time,)``, ``(series, time)`` or ``(series, time, targets)``), a dict of columns, or a dict
            or list of series of unequal lengths.
        time: column with the times, or several that belong together (date and clock; year, month, day, hour);
            None to find it; False to count rows.
        target: column to forecast, or several (forecast jointly; with ``layout="wide"`` each is a series).
        id: column or columns that distinguish the series; None to find them; ``()`` for one series.
        past: columns of numbers or of text with few levels, known up to the forecast origin only.
        known: such columns known in advance; rows after the last target value are taken as the future.
        static: numeric columns with one value a series.
        category: columns of names or codes with one value a series.
        freq: pandas offset alias such as ``"h"``; None to infer it. Given, it is checked.
        layout: ``"long"`` (one row a time and series), ``"wide"`` (one column a series), ``"rows"`` (one row a series).
        missing: further codes for missing values, e.g. ``-9999`` or ``["x", -1]``.
        duplicates: what to do with rows of the same series and time: ``"error"``, ``"first"``, ``"last"``, ``"mean"``,
            ``"sum"``, ``"min"``, ``"max"`` or ``"median"``.
        resample: step onto which rows at odd times are put, e.g. ``"5min"`` or ``"MS"``; steps without rows are gaps.
        aggregate: value of such a step: ``"mean"``, ``"sum"``, ``"min"``, ``"max"``, ``"median"``, ``"first"`` or
            ``"last"`` of its rows.
        infinite: ``"missing"`` takes ±inf as missing values.
        tz: time zone of the clock, e.g. ``"Europe/Berlin"``; times with an offset are shown in it.
        date_format: ``"day-first"``, ``"month-first"``, ``"year-first"`` or a strptime pattern.
        decimal: sign of decimals in text, where the column does not show it.
        delimiter: of a text file, where the first lines do not show it.
        encoding: of a text file, where its bytes do not show it.
        header: 1-based line of the column names in a text file.
        skip_rows: rows below the column names to leave out (units, notes on the series).
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
    given = {name: value for name, value in locals().items() if name != "source"}
    return read(source, refine(Schema(), **given))


def read(source: Any, schema: Schema) -> Panel:
    """Read one or many series as a schema describes them; fields that are None are found.

    Args:
        source: as :func:`read_panel` takes it.
        schema: of :func:`describe`, of a panel (``panel.schema``) or of a model file.

    Raises:
        DataError: for what cannot be repaired safely: it names file, column and line, what was expected, the remedy.
    """
    name, source = _opened(source)
    panel = _of_arrays(source, name, schema)
    if panel is not None:
        return panel
    table, meaning = _understood(source, schema, name)
    return panel_of(table, meaning)


def describe(source: Any, **given: Any) -> Schema:
    """What a source means: the roles of its columns, their form, the frequency. Values are not looked at.

    Args:
        source: as :func:`read_panel` takes it.
        given: arguments of :func:`read_panel` that are known already; the others are found.

    Returns:
        A schema without open fields, which :func:`read` applies to this source or to others like it.

    Example:
        >>> import gatecast
        >>> schema = gatecast.describe({"day": ["31/01/2024", "01/02/2024"], "sales": [3, 4]})
        >>> schema.time, schema.target, schema.date_format, str(schema.freq)
        (('day',), ('sales',), 'day-first', 'D')
    """
    schema = refine(Schema(), **given)
    name, source = _opened(source)
    panel = _of_arrays(source, name, schema)
    if panel is not None:
        return panel.schema
    table, meaning = _understood(source, schema, name)
    freq = meaning.schema.resample or frequency_of(meaning.long, meaning.freq, meaning.schema.tz)
    levels = read_category(table, meaning.series, meaning.schema)[1]
    return table.with_dialect(replace(meaning.schema, freq=freq, levels=levels))


def _understood(source: Any, schema: Schema, name: str | None) -> tuple[Table, Meaning]:
    with readable(name or (Path(source).name if isinstance(source, str | PathLike) else "text")):
        table, findings = load_table(source, schema, name=name)
    table, schema, indicated = with_indicators(table, schema)
    meaning = find_meaning(table, schema)
    return table, replace(meaning, findings=[*findings, *meaning.findings, *indicated])


def refine(schema: Schema, **given: Any) -> Schema:
    """The schema with arguments as :func:`read_panel` takes them.

    Args:
        schema: what is known already.
        given: arguments of :func:`read_panel`; they override it.
    """
    fields = {name: _normal(name, value) for name, value in given.items()}
    stated = [name for name in FORM if given.get(name) is not None]
    fields["given"] = tuple(dict.fromkeys((*schema.given, *stated)))
    if "category" in given and fields["category"] != schema.category:
        fields["levels"] = ()  # those of the columns named before
    schema = replace(schema, **fields)
    check_form(schema)
    return schema


def _normal(name: str, value: Any) -> Any:
    """The value of one argument as a schema holds it."""
    if name == "time" and isinstance(value, bool):
        return None if value else ()
    if name == "delimiter" and value == r"\t":
        return "\t"  # as a shell passes it
    if name in ("time", "target", "id"):
        return None if value is None else _names(value)
    if name in ("past", "known", "static", "category"):
        return _names(value)
    if name == "missing":
        return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (value,)
    if name in ("freq", "resample") and isinstance(value, str):
        return Frequency(parse_alias(value)) if value else None
    return check_zone(value) if name == "tz" and value else value


def _names(given: str | Iterable[str] | None) -> tuple[str, ...]:
    """One name or several as a tuple."""
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(str(name) for name in given)


def _opened(source: Any) -> tuple[str | None, Any]:
    """A file of NumPy arrays as its name and the arrays; everything else as it is."""
    if isinstance(source, str | PathLike) and str(source).endswith((".npy", ".npz")) and Path(source).is_file():
        return Path(source).name, open_arrays(Path(source))
    if getattr(source, "name", None) == "standard input":
        return "standard input", source
    return None, source


def _of_arrays(source: Any, name: str | None, schema: Schema) -> Panel | None:
    """Panel of bare arrays, which have no columns to name and no clock; None for tables."""
    panel = read_arrays(source, schema, name=name)
    if panel is None:
        return None
    own = {"target": panel.schema.target, "id": panel.schema.id}
    for role in _ARRAY_ROLES:
        if getattr(schema, role) not in (None, (), own.get(role)):
            problem = Arg(role) + " cannot be used with bare arrays, which have no columns"
            raise SettingError(problem, "give a frame or a dict of columns of one length")
    return panel


__all__ = ["add_future", "describe", "read", "read_panel", "refine"]
