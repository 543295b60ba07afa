"""From a file, a frame or arrays to one table: columns that are numbers, datetimes or text, nothing decided yet."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
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
from gatecast.data.read.date_codes import NUMBER_THEM, OUT_OF_RANGE, count_years
from gatecast.data.read.dialect import Dialect, distinct, not_text, open_binary, refuse_nul, sniff
from gatecast.data.read.number_text import MISSING, Style, count_numbers, number_style, points_may_group
from gatecast.data.read.origin import Origin, note
from gatecast.data.read.table import Table
from gatecast.data.schema import Schema

Opener = Callable[[], io.BufferedIOBase]  # the content from its beginning, each time

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
        if isinstance(content, str) and schema.encoding is not None:
            schema = replace(schema, encoding="utf-8-sig")  # it is decoded already
        return _load_bytes(content.encode() if isinstance(content, str) else bytes(content), name or "text", schema)
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
    frame = frame.iloc[schema.skip_rows :].reset_index(drop=True)  # no column may be aligned by the labels of rows
    columns = {heading: _normal_column(frame.iloc[:, k], heading, name) for k, heading in enumerate(names)}
    return Table.of(pd.DataFrame(columns, copy=False), Origin(name), schema), findings


def _load_path(path: Path, schema: Schema) -> tuple[Table, list[Finding]]:
    require_file(path)
    if not path.is_file():  # a pipe gives its content once
        return _load_bytes(path.read_bytes(), path.name, schema)
    suffix = path.with_suffix("").suffix if path.suffix.lower() in {".gz", ".bz2", ".xz"} else path.suffix
    if suffix.lower() in {".parquet", ".pq"}:
        require("pyarrow", extra="parquet", purpose="Parquet files")
        return _of_frame(_with_index(pd.read_parquet(path)), path.name, schema)
    if suffix.lower() not in _TEXT_SUFFIXES:
        raise DataError(f"files of type {suffix!r} are not read", f"expected one of {_READABLE}", place=path.name)
    return _load_text(lambda: open_binary(path), path.name, schema)


def _load_bytes(content: bytes, name: str, schema: Schema) -> tuple[Table, list[Finding]]:
    """The content of a pipe or an open file: text, packed or not, or Parquet."""
    if content.startswith(b"PAR1"):
        require("pyarrow", extra="parquet", purpose="Parquet files")
        return _of_frame(_with_index(pd.read_parquet(io.BytesIO(content))), name, schema)
    return _load_text(lambda: open_binary(content), name, schema)


def _load_text(opened: Opener, name: str, schema: Schema) -> tuple[Table, list[Finding]]:
    origin = Origin(name, "line")
    with opened() as file:
        dialect, findings = sniff(file, origin, schema)
    if not dialect.sample:
        raise _no_rows(origin)
    with opened() as file:
        refuse_nul(file, dialect.encoding, origin)
    try:
        frame = _parse(opened, dialect, schema.decimal)
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
    if schema.decimal is None and decimal is None:
        for k, name in enumerate(dialect.names):
            if name in table.columns:
                table[name].points = points_may_group(_cells(dialect, k), commas_cut=False)
    return table, [*findings, *dropped]


def _no_rows(origin: Origin) -> DataError:
    return origin.error("there is a header but no row of values", "expected one row for each time")


def _parse(opened: Opener, dialect: Dialect, decimal: str | None) -> pd.DataFrame:
    """The rows, numbers parsed where the sample shows nothing but plain numbers, text elsewhere."""
    style = _style(dialect)
    given, decimal = decimal, decimal or (style.decimal if style is not None else ".")
    text = [name for k, name in enumerate(dialect.names) if not _plainly_numeric(dialect, k, decimal)]
    if given is None and not (style is not None and style.proven and style.decimal == "."):
        text += [name for name in _open_points(dialect) if name not in text]
    frame = _cells_of(opened, dialect, text, decimal)
    late = [] if given is not None else _late_points(frame, dialect)
    return _cells_of(opened, dialect, [*text, *late], decimal) if late else frame


def _open_points(dialect: Dialect) -> list[str]:
    """The columns in which points may stand between thousands."""
    cut = dialect.delimiter == ","
    names = enumerate(dialect.names)
    return [name for k, name in names if points_may_group(_cells(dialect, k), commas_cut=cut) is not None]


def _late_points(frame: pd.DataFrame, dialect: Dialect) -> list[str]:
    """Columns that begin with whole numbers and later have points: decimals, or thousands once there are any."""
    floats = [(k, name) for k, name in enumerate(dialect.names) if frame[name].dtype.kind == "f"]
    whole = [name for k, name in floats if not any("." in cell for cell in _cells(dialect, k))]
    return [name for name in whole if (frame[name] % 1 > 0).any()]


def _cells_of(opened: Opener, dialect: Dialect, text: list[str], decimal: str) -> pd.DataFrame:
    """The rows; these columns as text, the others as the numbers that they seem to be."""
    plain = set(text)
    with opened() as file, warnings.catch_warnings():
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
    filled = [cell for cell in _cells(dialect, column) if cell.lower() not in MISSING]
    grouped = "." if decimal == "," else ","
    zeros = any(len(cell) > 1 and cell[0] == "0" and cell.isdigit() for cell in filled)  # 0105: a name, not 105
    huge = any(
        len(cell) > 18 and cell.lstrip("+-").isdigit() for cell in filled
    )  # beyond int64: a float without a word
    return (
        not zeros and not huge and count_numbers(filled) == len(filled) and not any(grouped in cell for cell in filled)
    )


def _cells(dialect: Dialect, column: int) -> list[str]:
    """The cells of a column in the first rows."""
    return [row[column] for row in dialect.sample if column < len(row)]


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
    means_something = isinstance(index, pd.DatetimeIndex | pd.PeriodIndex | pd.MultiIndex) or index.dtype == object
    if unnamed and not means_something and not _years(index):
        return frame
    if not isinstance(index, pd.MultiIndex):
        wanted = str(index.name) if index.name is not None else "ds"
        if wanted in frame.columns:
            return frame
        index = index.rename(wanted)
        frame = frame.set_axis(index, axis=0)
    return frame.reset_index()


def _years(index: pd.Index) -> bool:
    """Whether labels without a name count years; other numbers are places of rows."""
    return pd.api.types.is_integer_dtype(index.dtype) and count_years(index.to_numpy(dtype=np.int64, na_value=0))


def _normal_column(column: pd.Series, heading: str, source: str) -> pd.Series:
    """A column as NumPy numbers, datetimes or objects, row by row as it came."""
    dtype = column.dtype
    if isinstance(dtype, pd.SparseDtype):
        column, dtype = column.sparse.to_dense(), dtype.subtype
    try:
        if isinstance(dtype, pd.PeriodDtype):
            return column.dt.to_timestamp()
        if isinstance(dtype, pd.CategoricalDtype) or not isinstance(dtype, np.dtype) or dtype.kind == "O":
            return _from_extension(column)
    except pd.errors.OutOfBoundsDatetime as error:
        place = f"{source}, column {heading!r}"
        raise DataError(f"{OUT_OF_RANGE} ({str(error).rpartition(': ')[2]})", NUMBER_THEM, place=place) from None
    if pd.api.types.is_complex_dtype(dtype):
        remedy = "give the real part, the modulus or the phase as a column"
        raise DataError("expected real numbers, got complex ones", remedy, place=f"{source}, column {heading!r}")
    return column.astype("float64") if pd.api.types.is_bool_dtype(dtype) else column


def _from_extension(column: pd.Series) -> pd.Series:
    """A column of a type that NumPy lacks, or of objects, as NumPy numbers, datetimes or objects."""
    dtype = column.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        return column
    if pd.api.types.is_bool_dtype(dtype):
        return _plain(column, "float64")
    if pd.api.types.is_numeric_dtype(dtype):
        whole = pd.api.types.is_integer_dtype(dtype) and not column.isna().any()
        return _plain(column, "int64" if whole else "float64")
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return _from_arrow_times(column)
    return _from_objects(column.astype(object)) if len(column) else column


def _plain(column: pd.Series, kind: str) -> pd.Series:
    """A column of an extension type as NumPy numbers, NaN where a value is missing."""
    if kind == "int64":
        return pd.Series(column.to_numpy(dtype=kind))
    return pd.Series(column.astype(object).where(column.notna(), np.nan).to_numpy(dtype=kind))


def _from_arrow_times(column: pd.Series) -> pd.Series:
    """Times of Arrow types: with their zone, or without one."""
    return pd.Series(pd.to_datetime(column.astype(object).where(column.notna(), pd.NaT)))


def _from_objects(column: pd.Series) -> pd.Series:
    """Dates and numbers that came as Python objects."""
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind in {"date", "datetime", "datetime64"}:
        return pd.to_datetime(column)
    if kind in {"decimal", "floating", "integer", "mixed-integer-float", "boolean"}:
        return _numbers_of(column)
    if kind == "period":
        return pd.Series(pd.PeriodIndex(column).to_timestamp())
    return column


def _numbers_of(column: pd.Series) -> pd.Series:
    """Numbers as objects; integers stay integers where none is missing."""
    missing = column.isna()
    if not missing.any() and pd.api.types.infer_dtype(column) == "integer":
        return pd.to_numeric(column)
    return column.where(~missing, np.nan).astype("float64")
