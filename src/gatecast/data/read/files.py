"""From a file, a frame or arrays to one table: columns that are numbers, datetimes or text, nothing decided yet."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, cast

import narwhals as nw
import numpy as np
import pandas as pd

from gatecast.base.errors import DataError, require
from gatecast.base.files import require_file
from gatecast.base.findings import Arg, Finding
from gatecast.base.text import plural
from gatecast.data.read.dialect import Dialect, distinct, not_text, open_binary, sniff
from gatecast.data.read.number_text import MISSING, Style, count_numbers, number_style
from gatecast.data.read.origin import Origin, note
from gatecast.data.read.table import Table
from gatecast.data.schema import Schema

# Codes for missing values that the fast parser knows; number_text.to_float meets and lists the others.
_FAST_CODES = ["", "NA", "N/A", "NaN", "nan", "null", "NULL"]
_TEXT_SUFFIXES = {".csv", ".tsv", ".txt", ".dat", ".tab", ""}
_READABLE = "CSV/TSV (also .gz), Parquet, .npy/.npz, pandas, polars, pyarrow, NumPy arrays and dicts"


def load_table(source: Any, schema: Schema, *, name: str | None = None) -> tuple[Table, list[Finding]]:
    """Any source as one table.

    Raises:
        DataError: the source does not exist or cannot be read.
    """
    if isinstance(source, str | PathLike):
        return _load_path(Path(source), schema)
    if hasattr(source, "read"):
        content = source.read()
        raw = content.encode() if isinstance(content, str) else bytes(content)
        return _load_text(lambda: io.BytesIO(raw), name or "text", schema)
    if isinstance(source, Mapping):
        columns = {str(name): np.asarray(values) for name, values in source.items()}
        shapes = {name: values.shape for name, values in columns.items()}
        if any(len(shape) != 1 for shape in shapes.values()) or len(set(shapes.values())) > 1:
            problem = f"expected columns of one length, got shapes {shapes}"
            raise DataError(problem, "grids (images) are not panels", place=name or "dict")
        return _of_frame(pd.DataFrame(columns), name or "dict", schema)
    if isinstance(source, np.ndarray) and source.dtype.names:
        frame = pd.DataFrame({name: source[name] for name in source.dtype.names})
        return _of_frame(frame, name or "array", schema)
    frame, kind = _as_pandas(source)
    return _of_frame(_with_index(frame), kind, schema)


def _of_frame(frame: pd.DataFrame, name: str, schema: Schema) -> tuple[Table, list[Finding]]:
    """A table of text names, whose columns are NumPy numbers, datetimes or objects."""
    if frame.shape[1] == 0 or len(frame) == 0:
        problem = f"the table has {len(frame)} rows and {frame.shape[1]} columns"
        raise DataError(problem, "expected values", place=name)
    names, findings = distinct([str(name) for name in frame.columns])
    columns = {name: _normal_column(frame.iloc[:, k]) for k, name in enumerate(names)}
    normal = pd.DataFrame(columns, copy=False).reset_index(drop=True)
    return Table.of(normal, Origin(name), schema), findings


def _load_path(path: Path, schema: Schema) -> tuple[Table, list[Finding]]:
    require_file(path)
    suffix = path.with_suffix("").suffix if path.suffix.lower() in {".gz", ".bz2", ".xz"} else path.suffix
    if suffix.lower() in {".parquet", ".pq"}:
        require("pyarrow", extra="parquet", purpose="Parquet files")
        return _of_frame(_with_index(pd.read_parquet(path)), path.name, schema)
    if suffix.lower() not in _TEXT_SUFFIXES:
        raise DataError(f"files of type {suffix!r} are not read", f"expected one of {_READABLE}", place=path.name)
    return _load_text(lambda: open_binary(path), path.name, schema)


def _load_text(opened: Any, name: str, schema: Schema) -> tuple[Table, list[Finding]]:
    origin = Origin(name, "line")
    with opened() as file:
        dialect, findings = sniff(file, origin, schema)
    if not dialect.sample:
        raise _no_rows(origin)
    try:
        with opened() as file:
            frame = _parse(file, dialect, schema.decimal)
    except UnicodeDecodeError as error:
        if schema.encoding is None and dialect.encoding == "cp1252":  # the last that is tried
            raise not_text(origin) from None
        other = "utf-8" if dialect.encoding == "cp1252" else "cp1252"
        problem = f"the text is not {dialect.encoding} ({error.reason})"
        raise origin.error(problem, "name the encoding: " + Arg("encoding", other)) from None
    except pd.errors.ParserError as error:
        remedy = "a decimal comma needs another delimiter: " + Arg("delimiter", ";") + "; otherwise correct the line"
        raise origin.error(_parser_words(error), remedy) from None
    frame, origin, dropped = _without_blank(frame, dialect, origin)
    with opened() as file:
        _check_short(file, frame, dialect, origin)
    style = _style(dialect)
    decimal = style.decimal if style is not None and style.proven else None
    found = {"delimiter": dialect.delimiter, "encoding": dialect.encoding, "header": dialect.header}
    table = Table.of(frame.reset_index(drop=True), origin, schema, decimal=decimal, dialect=found)
    return table, [*findings, *dropped]


def _no_rows(origin: Origin) -> DataError:
    return origin.error("there is a header but no row of values", "expected one row for each time")


def _parse(file: io.BufferedIOBase, dialect: Dialect, decimal: str | None) -> pd.DataFrame:
    """The rows, numbers parsed where the sample shows nothing but plain numbers, text elsewhere."""
    style = _style(dialect)
    decimal = decimal or (style.decimal if style is not None else ".")
    text = [name for k, name in enumerate(dialect.names) if not _plainly_numeric(dialect, k, decimal)]
    plain = set(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.DtypeWarning)
        return pd.read_csv(
            file,
            sep=dialect.delimiter,
            encoding=dialect.encoding,
            header=None,
            names=list(dialect.names),
            skiprows=dialect.first,
            index_col=False,
            dtype=dict.fromkeys(text, str),
            decimal=decimal,
            keep_default_na=False,
            na_values={name: _FAST_CODES for name in dialect.names if name not in plain},
            skip_blank_lines=False,
            skipinitialspace=True,
            low_memory=False,
            on_bad_lines="error",
        )


def _style(dialect: Dialect) -> Style | None:
    return number_style(cell for row in dialect.sample for cell in row)


def _plainly_numeric(dialect: Dialect, column: int, decimal: str) -> bool:
    cells = [row[column] for row in dialect.sample if column < len(row)]
    filled = [cell for cell in cells if cell.lower() not in MISSING]
    grouped = "." if decimal == "," else ","
    zeros = any(len(cell) > 1 and cell[0] == "0" and cell.isdigit() for cell in filled)  # 0105: a name, not 105
    return not zeros and count_numbers(filled) == len(filled) and not any(grouped in cell for cell in filled)


def _parser_words(error: Exception) -> str:
    """pandas says ``Expected 2 fields in line 5, saw 3``."""
    text = str(error).replace("Error tokenizing data. C error: ", "").strip()
    return text[:1].lower() + text[1:]


def _without_blank(frame: pd.DataFrame, dialect: Dialect, origin: Origin) -> tuple[pd.DataFrame, Origin, list[Finding]]:
    """The frame without empty lines (inside a single column they are missing values), and the line of each row."""
    blank = np.ones(len(frame), dtype=bool)
    for name in frame.columns:
        column = frame[name]
        blank &= (column.isna() | (column == "")).to_numpy(dtype=bool)
    if frame.shape[1] == 1 and not blank.all():
        blank[: np.flatnonzero(~blank)[-1]] = False
    keep = np.flatnonzero(~blank)
    if not len(keep):
        raise _no_rows(origin)
    origin = replace(origin, lines=keep + dialect.first + 1)
    findings = []
    if blank.any():
        findings.append(note("blank lines", f"{plural(int(blank.sum()), 'empty line')} left out", blank.sum()))
        frame = frame.iloc[keep]
    empty = [name for name in frame.columns if name.startswith("column ") and _all_empty(frame[name])]
    if empty and len(empty) < frame.shape[1]:
        message = f"{plural(len(empty), 'column')} without name and content left out"
        findings.append(note("column dropped", message, len(empty)))
        frame = frame.drop(columns=empty)
    return frame, origin, findings


def _all_empty(column: pd.Series) -> bool:
    return bool((column.isna() | (column == "")).all())


def _check_short(file: io.BufferedIOBase, frame: pd.DataFrame, dialect: Dialect, origin: Origin) -> None:
    """A row with fewer cells than the others is a broken line, and not a row of missing values."""
    if dialect.delimiter == r"\s+" or len(dialect.names) < 2:
        return
    last = frame[frame.columns[-1]]
    suspects = np.flatnonzero((last.isna() | last.eq("")).to_numpy(dtype=bool))
    if not len(suspects):
        return
    wanted = {origin.line(int(row)) for row in suspects}
    text = io.TextIOWrapper(cast("Any", file), encoding=dialect.encoding, errors="replace")
    need = min(len(dialect.names), len(dialect.sample[0])) - 1
    for number, content in enumerate(text, start=1):
        if number not in wanted:
            continue
        if content.count(dialect.delimiter) < need and '"' not in content:
            got = content.count(dialect.delimiter) + 1
            text.detach()
            problem = f"expected {need + 1} cells, got {got} ({content.strip()[:60]!r})"
            remedy = "the line is cut off: correct it or leave it out"
            raise DataError(problem, remedy, place=f"{origin.source}, {origin.word} {number}")
    text.detach()  # the caller closes the file


def _as_pandas(source: Any) -> tuple[pd.DataFrame, str]:
    """pandas, polars, pyarrow and every other frame that narwhals knows, and the word for it."""
    if isinstance(source, pd.Series):
        source = source.to_frame(source.name if source.name is not None else "y")
    if isinstance(source, pd.DataFrame):
        return source, "pandas frame"
    try:
        native = nw.from_native(source, allow_series=True)
    except TypeError:
        problem = f"cannot read an object of type {type(source).__name__!r}"
        raise DataError(problem, f"expected {_READABLE}") from None
    if isinstance(native, nw.Series):
        native = native.to_frame()
    if isinstance(native, nw.LazyFrame):
        native = native.collect()
    return _to_pandas(native), f"{type(source).__module__.partition('.')[0]} frame"


def _to_pandas(frame: nw.DataFrame[Any]) -> pd.DataFrame:
    try:
        return frame.to_pandas()
    except ImportError:  # polars without pyarrow
        columns = {}
        for name in frame.columns:
            column = frame[name]
            zone = getattr(column.dtype, "time_zone", None)
            values = pd.Series(column.to_numpy())
            columns[name] = values.dt.tz_localize("UTC").dt.tz_convert(zone) if zone else values
        return pd.DataFrame(columns)


def _with_index(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its index as columns, unless it is a plain row number."""
    if isinstance(frame.columns, pd.MultiIndex):
        frame = frame.set_axis([" ".join(str(part) for part in name if str(part)) for name in frame.columns], axis=1)
    index = frame.index
    unnamed = all(name is None for name in index.names)
    if unnamed and not isinstance(index, pd.DatetimeIndex | pd.PeriodIndex | pd.MultiIndex) and index.dtype != object:
        return frame
    if not isinstance(index, pd.MultiIndex):
        wanted = str(index.name) if index.name is not None else "ds"
        if wanted in frame.columns:
            return frame
        index = index.rename(wanted)
        frame = frame.set_axis(index, axis=0)
    return frame.reset_index()


def _normal_column(column: pd.Series) -> pd.Series:
    dtype = column.dtype
    if isinstance(dtype, pd.PeriodDtype):
        return column.dt.to_timestamp()
    if isinstance(dtype, pd.CategoricalDtype):
        return column.astype(object)
    if pd.api.types.is_complex_dtype(dtype):
        problem = f"the column {str(column.name)!r} holds complex numbers, and a forecast is of real ones"
        raise DataError(problem, "give the real part, the imaginary part or the magnitude as columns of their own")
    if pd.api.types.is_bool_dtype(dtype):
        return column.astype("float64")
    if pd.api.types.is_numeric_dtype(dtype) and not isinstance(dtype, np.dtype):
        kind = "int64" if pd.api.types.is_integer_dtype(dtype) and not column.isna().any() else "float64"
        return pd.Series(column.to_numpy(dtype=kind, na_value=np.nan if kind == "float64" else 0))
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return column if isinstance(dtype, np.dtype | pd.DatetimeTZDtype) else pd.to_datetime(column)
    if not pd.api.types.is_numeric_dtype(dtype) and len(column):
        return _from_objects(column.astype(object))
    return column


def _from_objects(column: pd.Series) -> pd.Series:
    """Dates and decimals that came as Python objects."""
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind in {"date", "datetime", "datetime64"}:
        return pd.to_datetime(column)
    if kind in {"decimal", "floating", "integer", "mixed-integer-float", "boolean"}:
        return pd.to_numeric(column.map(lambda value: None if value is None else float(value)))
    if kind == "period":
        return pd.PeriodIndex(column).to_timestamp().to_series(index=column.index)
    return column
