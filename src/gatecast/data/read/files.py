"""From a file, a frame or arrays to one table: columns that are numbers, datetimes or text, nothing decided yet."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, cast

import narwhals as nw
import numpy as np
import pandas as pd

from gatecast.base.errors import DataError, require
from gatecast.base.files import require_file
from gatecast.base.text import plural
from gatecast.data.read.dialect import Dialect, distinct, fail_binary, open_binary, sniff
from gatecast.data.read.numbers import Style, count_numbers, number_style
from gatecast.data.read.table import MISSING_CODES, Log, Table
from gatecast.data.schema import Schema

# What the fast parser takes as missing by itself; other spellings are met, and listed, by numbers.to_float.
_FAST_CODES = ["", "NA", "N/A", "NaN", "nan", "null", "NULL"]
_TEXT_SUFFIXES = {".csv", ".tsv", ".txt", ".dat", ".tab", ""}
_READABLE = "CSV/TSV (also .gz), Parquet, .npy/.npz, pandas, polars, pyarrow, NumPy arrays and dicts"


def load_table(source: Any, schema: Schema, *, name: str | None = None) -> Table:
    """Whatever was given, as one table.

    Raises:
        DataError: for a source that does not exist or cannot be read.
    """
    if isinstance(source, str | PathLike):
        return _load_path(Path(source), schema)
    if hasattr(source, "read"):
        content = source.read()
        raw = content.encode() if isinstance(content, str) else bytes(content)
        log = Log("text", "line")
        return _load_text(lambda: io.BytesIO(raw), log, schema)
    if isinstance(source, Mapping):
        columns = {str(name): np.asarray(values) for name, values in source.items()}
        shapes = {name: values.shape for name, values in columns.items()}
        if any(len(shape) != 1 for shape in shapes.values()) or len(set(shapes.values())) > 1:
            raise DataError(
                f"{name or 'dict'}: expected columns of one length, got shapes {shapes}; grids (images) are not panels"
            )
        return Table(_normal(pd.DataFrame(columns)), Log(name or "dict"))
    if isinstance(source, np.ndarray) and source.dtype.names:
        return Table(_normal(pd.DataFrame({name: source[name] for name in source.dtype.names})), Log(name or "array"))
    return _load_frame(source)


def _load_path(path: Path, schema: Schema) -> Table:
    require_file(path)
    log = Log(path.name, "line")
    suffix = path.with_suffix("").suffix if path.suffix.lower() in {".gz", ".bz2", ".xz"} else path.suffix
    if suffix.lower() in {".parquet", ".pq"}:
        require("pyarrow", extra="parquet", purpose="Parquet files")
        frame = pd.read_parquet(path)
        return Table(_normal(_with_index(frame)), Log(path.name))
    if suffix.lower() not in _TEXT_SUFFIXES:
        log.fail(f"files of type {suffix!r} are not read", f"expected one of {_READABLE}")
    return _load_text(lambda: open_binary(path), log, schema)


def _load_text(opened: Any, log: Log, schema: Schema) -> Table:
    with opened() as file:
        dialect = sniff(file, log, schema)
    if not dialect.sample:
        log.fail("there is a header but no row of values", "expected one row for each time")
    try:
        with opened() as file:
            frame = _parse(file, dialect, schema.decimal)
    except UnicodeDecodeError as error:
        if schema.encoding is None and dialect.encoding == "cp1252":  # what is tried last
            fail_binary(log)
        other = "utf-8" if dialect.encoding == "cp1252" else "cp1252"
        log.fail(f"the text is not {dialect.encoding} ({error.reason})", f'name the encoding: encoding="{other}"')
    except pd.errors.ParserError as error:
        log.fail(
            _parser_words(error), 'a decimal comma needs another delimiter: delimiter=";"; otherwise mend the line'
        )
    frame = _drop_blank(frame, dialect, log)
    with opened() as file:
        _check_short(file, frame, dialect, log)
    style = _style(dialect)
    decimal = style.decimal if style is not None and style.proven else None
    found = {"delimiter": dialect.delimiter, "encoding": dialect.encoding, "header": dialect.header}
    return Table(frame.reset_index(drop=True), log, decimal, found)


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
    filled = [cell for cell in cells if cell.lower() not in MISSING_CODES]
    grouped = "." if decimal == "," else ","
    zeros = any(len(cell) > 1 and cell[0] == "0" and cell.isdigit() for cell in filled)  # 0105: a name, not 105
    return not zeros and count_numbers(filled) == len(filled) and not any(grouped in cell for cell in filled)


def _parser_words(error: Exception) -> str:
    """pandas says ``Expected 2 fields in line 5, saw 3``."""
    text = str(error).replace("Error tokenizing data. C error: ", "").strip()
    return text[:1].lower() + text[1:]


def _drop_blank(frame: pd.DataFrame, dialect: Dialect, log: Log) -> pd.DataFrame:
    """Leave out empty lines (inside a single column they are missing values); remember the line of each row."""
    blank = np.ones(len(frame), dtype=bool)
    for name in frame.columns:
        column = frame[name]
        blank &= (column.isna() | (column == "")).to_numpy(dtype=bool)
    if frame.shape[1] == 1 and not blank.all():
        blank[: np.flatnonzero(~blank)[-1]] = False
    keep = np.flatnonzero(~blank)
    log.lines = keep + dialect.first + 1
    if blank.any():
        log.note("blank lines", f"{plural(int(blank.sum()), 'empty line')} left out", blank.sum())
    if not len(keep):
        log.fail("there is a header but no row of values", "expected one row for each time")
    frame = frame.iloc[keep] if blank.any() else frame
    empty = [name for name in frame.columns if name.startswith("column ") and _all_empty(frame[name])]
    if empty and len(empty) < frame.shape[1]:
        log.note("column dropped", f"{plural(len(empty), 'column')} without name and content left out", len(empty))
        frame = frame.drop(columns=empty)
    return frame


def _all_empty(column: pd.Series) -> bool:
    return bool((column.isna() | (column == "")).all())


def _check_short(file: io.BufferedIOBase, frame: pd.DataFrame, dialect: Dialect, log: Log) -> None:
    """A row with fewer cells than the others is a broken line, and not a row of missing values."""
    if dialect.delimiter == r"\s+" or len(dialect.names) < 2:
        return
    last = frame[frame.columns[-1]]
    suspects = np.flatnonzero((last.isna() | last.eq("")).to_numpy(dtype=bool))
    if not len(suspects):
        return
    wanted = {log.line(int(row)) for row in suspects}
    text = io.TextIOWrapper(cast("Any", file), encoding=dialect.encoding, errors="replace")
    need = min(len(dialect.names), len(dialect.sample[0])) - 1
    for number, content in enumerate(text, start=1):
        if number not in wanted:
            continue
        if content.count(dialect.delimiter) < need and '"' not in content:
            got = content.count(dialect.delimiter) + 1
            text.detach()
            log.fail(
                f"{log.word} {number}: expected {need + 1} cells, got {got} ({content.strip()[:60]!r})",
                "the line is cut off: mend it or leave it out",
            )
    text.detach()  # the caller closes the file


def _load_frame(source: Any) -> Table:
    """pandas, polars, pyarrow and every other frame that narwhals knows."""
    if isinstance(source, pd.Series):
        source = source.to_frame(source.name if source.name is not None else "y")
    if isinstance(source, pd.DataFrame):
        return Table(_normal(_with_index(source)), Log("pandas frame"))
    try:
        native = nw.from_native(source, allow_series=True)
    except TypeError:
        raise DataError(f"cannot read an object of type {type(source).__name__!r}; expected {_READABLE}") from None
    if isinstance(native, nw.Series):
        native = native.to_frame()
    if isinstance(native, nw.LazyFrame):
        native = native.collect()
    name = f"{type(source).__module__.partition('.')[0]} frame"
    return Table(_normal(_to_pandas(native)), Log(name))


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


def _normal(frame: pd.DataFrame) -> pd.DataFrame:
    """Text names; every column a NumPy number, a datetime or an object column."""
    if frame.shape[1] == 0 or len(frame) == 0:
        raise DataError(f"the table has {len(frame)} rows and {frame.shape[1]} columns; expected values")
    names = distinct([str(name) for name in frame.columns], Log("frame"))
    columns = {name: _normal_column(frame.iloc[:, k]) for k, name in enumerate(names)}
    return pd.DataFrame(columns, copy=False).reset_index(drop=True)


def _normal_column(column: pd.Series) -> pd.Series:
    dtype = column.dtype
    if isinstance(dtype, pd.PeriodDtype):
        return column.dt.to_timestamp()
    if isinstance(dtype, pd.CategoricalDtype):
        return column.astype(object)
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


def as_series_list(source: Mapping[str, Any] | Sequence[Any]) -> list[np.ndarray] | None:
    """The 1-D arrays of a dict or list of series of unequal lengths; None where it is a table of columns."""
    values = list(source.values()) if isinstance(source, Mapping) else list(source)
    arrays = [np.asarray(value) for value in values]
    if not arrays or any(array.ndim != 1 or array.dtype.kind not in "fiub" for array in arrays):
        return None
    return arrays if len({len(array) for array in arrays}) > 1 or not isinstance(source, Mapping) else None
