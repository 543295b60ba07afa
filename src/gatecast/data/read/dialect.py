"""The dialect of a text file: encoding, delimiter, where the table begins, and the names of its columns."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import lzma
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatecast.base.errors import DataError
from gatecast.base.findings import Arg, Finding
from gatecast.base.text import plural, shorten
from gatecast.data.read.date_formats import is_time_text
from gatecast.data.read.number_text import MISSING, count_numbers, looks_like_number
from gatecast.data.read.origin import Origin, note
from gatecast.data.schema import Schema

_SAMPLE_BYTES = 1 << 18
_SAMPLE_LINES = 300
_OPENERS: dict[bytes, Callable[..., Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_WHITESPACE = r"\s+"
_CONTROLS = [bytes([sign]) for sign in [*range(9), *range(14, 26)]]


@dataclass(frozen=True)
class Dialect:
    """How a text file is cut into cells.

    Args:
        encoding: as Python names it.
        delimiter: one character, or ``\\s+``.
        header: 1-based line of the names; None where there is not just one.
        first: 0-based line of the first row of data.
        names: one name a column.
        sample: the first rows, as text.
    """

    encoding: str
    delimiter: str
    header: int | None
    first: int
    names: tuple[str, ...]
    sample: tuple[tuple[str, ...], ...]


def open_binary(source: Path | bytes) -> io.BufferedIOBase:
    """The content of a file, unpacked where it is packed (gzip, bzip2, xz, by its first bytes)."""
    if isinstance(source, bytes):
        magic = source[:6]
    else:
        with source.open("rb") as file:
            magic = file.read(6)
    opener = next((opener for mark, opener in _OPENERS.items() if magic.startswith(mark)), None)
    if opener is not None:
        return opener(io.BytesIO(source) if isinstance(source, bytes) else source, "rb")
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def refuse_nul(file: io.BufferedIOBase, encoding: str, origin: Origin) -> None:
    """Check that no cell holds a NUL: the parser would end the cell there, and 12<NUL>34 become 12."""
    if encoding.replace("_", "-").lower().startswith(("utf-16", "utf-32")):
        return
    lines = 0
    for chunk in iter(lambda: file.read(_SAMPLE_BYTES * 4), b""):
        at = chunk.find(b"\0")
        if at >= 0:
            line = lines + chunk.count(b"\n", 0, at) + 1
            problem, remedy = "a NUL byte in the text", "remove it, or name the encoding: " + Arg("encoding", "utf-16")
            raise DataError(problem, remedy, place=f"{origin.source}, {origin.word} {line}")
        lines += chunk.count(b"\n")


def sniff(file: io.BufferedIOBase, origin: Origin, schema: Schema) -> tuple[Dialect, list[Finding]]:
    """The dialect that the first lines of an open file show; the schema's where it has one.

    Raises:
        DataError: an empty file, or one without a table.
    """
    head = file.read(_SAMPLE_BYTES)
    if not head.strip():
        raise origin.error("the file is empty", "expected a header line and rows of values")
    encoding, findings = (schema.encoding, []) if schema.encoding else find_encoding(head, origin)
    lines = _lines(head, encoding, whole=len(head) < _SAMPLE_BYTES)
    if not any(line.strip() for line in lines):
        raise origin.error("the file is empty", "expected a header line and rows of values")
    delimiter = schema.delimiter or find_delimiter(lines)
    rows = [tuple(split(line, delimiter)) if line.strip() else () for line in lines]
    filled = [row for row in rows if row]  # Excel leaves empty lines at the end
    width = Counter(len(row) for row in filled[len(filled) // 3 :]).most_common(1)[0][0]
    top = _table_top(rows, width) if schema.header is None else schema.header - 1
    count = header_rows(rows[top:], width) if schema.header is None else 1
    if top:
        findings.append(note("preamble", f"{top} lines before the table left out", top))
    first = top + count + schema.skip_rows
    if schema.skip_rows:
        findings.append(
            note("rows skipped", f"{plural(schema.skip_rows, 'row')} below the header left out", schema.skip_rows)
        )
    header_lines = rows[top : top + count]
    _check_widths(header_lines, rows[first:], first, origin)
    names, found = _names(header_lines, width)
    header = top + 1 if count == 1 else None
    sample = tuple(row for row in rows[first:] if any(row))
    return Dialect(encoding, delimiter, header, first, names, sample), [*findings, *found]


def find_encoding(head: bytes, origin: Origin) -> tuple[str, list[Finding]]:
    """UTF-8 and UTF-16 by their marks or content; otherwise Windows-1252, which is listed."""
    for mark, name in _BOMS.items():
        if head.startswith(mark):
            return name, []
    if head[1:200:2].count(0) > len(head[:200]) // 4:
        return "utf-16-le", []
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(head)
    except UnicodeDecodeError:
        if _looks_binary(head):
            raise not_text(origin) from None
        remedy = Arg("encoding", ...) + " reads another"
        return "cp1252", [note("encoding", "the file is not UTF-8: read as Windows-1252", remedy=remedy)]
    return "utf-8", []


def not_text(origin: Origin) -> DataError:
    """The error for binary files."""
    remedy = "expected CSV or TSV (also .gz), or Parquet named .parquet"
    return origin.error("this does not look like a text table", remedy)


def _looks_binary(head: bytes) -> bool:
    """Whether more than one byte in a hundred is a control character that text does not have."""
    return sum(head.count(sign) for sign in _CONTROLS) > len(head) // 100


def find_delimiter(lines: list[str]) -> str:
    """Tab, ``;``, ``|`` or ``,`` where it cuts nearly all lines alike; then white space; ``,`` for one column."""
    body = [line for line in lines if line.strip()]
    tail = body[min(len(body) // 3, 10) :] or body
    for delimiter in ("\t", ";", "|", ","):
        widths = Counter(len(split(line, delimiter)) for line in tail)
        width, hits = widths.most_common(1)[0]
        if width > 1 and hits >= 0.8 * len(tail):
            return delimiter
    words = [line.split() for line in tail]
    if len({len(row) for row in words}) == 1 and len(words[0]) > 1 and all(looks_like_number(row[-1]) for row in words):
        return _WHITESPACE
    return ","


def split(line: str, delimiter: str) -> list[str]:
    """Cells of one line, quotes removed."""
    if delimiter == _WHITESPACE:
        return line.split()
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])]


def header_rows(rows: list[tuple[str, ...]], width: int) -> int:
    """How many of the first rows are a header: 0, 1 or 2."""
    rows = [row for row in rows if any(row)]
    numeric = _numeric_columns(rows, width)
    if not numeric:
        return 1
    dated = _dated_columns(rows, width)
    if len(rows) < 2 or not _is_header(rows[0], numeric, dated):
        return 0
    return 2 if len(rows) > 2 and _is_second_header(rows, numeric, dated) else 1


def _lines(head: bytes, encoding: str, whole: bool) -> list[str]:
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(head)
    lines = _whole_records([line.rstrip("\r\n") for line in io.StringIO(text, newline=None)])
    return (lines if whole or len(lines) < 2 else lines[:-1])[:_SAMPLE_LINES]


def _whole_records(lines: list[str]) -> list[str]:
    """Lines joined where a quoted cell runs over several."""
    records: list[str] = []
    for line in lines:
        if records and records[-1].count('"') % 2 and len(records[-1]) < 10_000:
            records[-1] += " " + line
        else:
            records.append(line)
    return records


def _table_top(rows: list[tuple[str, ...]], width: int) -> int:
    """First line of the table: from here on the lines have the width of the body."""
    fitting = [bool(row) and abs(len(row) - width) <= (1 if width > 2 else 0) for row in rows]
    for top, fits in enumerate(fitting):
        following = [fit for fit, row in zip(fitting[top:], rows[top:], strict=True) if row]
        if fits and sum(following[:5]) == len(following[:5]):
            return _below_blank(rows, top, width)
    return next(k for k, row in enumerate(rows) if row)


def _below_blank(rows: list[tuple[str, ...]], top: int, width: int) -> int:
    """The header further down, where a preamble of the table's width and an empty line stand over it."""
    for k in range(min(top + 30, len(rows) - 2), top, -1):
        if rows[k - 1] or not rows[k]:
            continue
        numeric = _numeric_columns(rows[k:], width)
        if numeric and _is_header(rows[k], numeric, _dated_columns(rows[k:], width)):
            return k
    return top


def _numeric_columns(rows: list[tuple[str, ...]], width: int) -> list[int]:
    """Columns whose later cells are numbers."""
    body = rows[2:60] if len(rows) > 3 else rows[-1:]
    columns = []
    for k in range(width):
        cells = [row[k] for row in body if len(row) > k and row[k].lower() not in MISSING]
        if cells and count_numbers(cells) >= 0.8 * len(cells):
            columns.append(k)
    return columns


def _dated_columns(rows: list[tuple[str, ...]], width: int) -> list[int]:
    """Columns whose later cells are dates."""
    body = rows[2:22] if len(rows) > 3 else rows[-1:]
    columns = []
    for k in range(width):
        cells = [row[k] for row in body if len(row) > k and row[k]]
        if cells and not looks_like_number(cells[0]) and sum(map(is_time_text, cells)) >= 0.8 * len(cells):
            columns.append(k)
    return columns


def _is_header(row: tuple[str, ...], numeric: list[int], dated: list[int]) -> bool:
    """Whether the first row of a table holds names."""
    over_dates = [row[k] for k in dated if k < len(row) and row[k]]
    if over_dates:
        return not any(map(is_time_text, over_dates))
    if not row[0] and list(row[1:]) == [str(k) for k in range(len(row) - 1)]:
        return True  # as pandas writes a series, or a frame without names
    cells = [row[k] for k in numeric if k < len(row)]
    numbers = [cell for cell in cells if looks_like_number(cell)]
    if len(numbers) >= 3 and all(re.fullmatch(r"1[5-9]\d\d|2[01]\d\d", cell) for cell in numbers):
        years = [int(cell) for cell in numbers]
        return years == list(range(years[0], years[0] + len(years)))  # a row of years over numbers
    return not numbers and any(row)


def _is_second_header(rows: list[tuple[str, ...]], numeric: list[int], dated: list[int]) -> bool:
    """Whether the second row continues the names: units, or the lower level of names. A first row of values may hold
    a word instead of a number (suppressed, <5, #DIV/0!), so that something else must show it.
    """
    first, second, body = rows[0], rows[1], rows[2:60]
    cells = [second[k] for k in numeric if k < len(second)]
    if any(map(looks_like_number, cells)) or not any(cell and cell.lower() not in MISSING for cell in cells):
        return False
    named = [cell for cell in first if cell]
    if len(named) < len(first) or len(set(named)) < len(named):
        return True  # a merged or repeated upper name
    over_dates = [second[k] for k in dated if k < len(second)]
    if over_dates:
        return not any(map(is_time_text, over_dates))
    texts = [k for k in range(min(len(second), len(first))) if k not in numeric]
    if any(not second[k] and all(len(row) > k and row[k] for row in body) for k in texts):
        return True  # an empty cell where every row has one
    return not texts and len(cells) > 1 and all(cell and not re.search(r"\d", cell) for cell in cells)


def _check_widths(header: list[tuple[str, ...]], body: list[tuple[str, ...]], first: int, origin: Origin) -> None:
    """Refuse rows with more filled cells than the header has names: a decimal comma, or a name missing."""
    named = max((len(row) for row in header), default=0)
    for number, row in enumerate(body, start=first + 1):
        if header and any(row[named:]):
            problem = f"the header has {named} names, this row {len(row)} cells"
            remedy = "numbers with a decimal comma need another delimiter or quotes; a column without name needs one"
            raise DataError(problem, remedy, place=f"{origin.source}, {origin.word} {number}")


def _names(header: list[tuple[str, ...]], width: int) -> tuple[tuple[str, ...], list[Finding]]:
    """One distinct name a column."""
    header, findings = [tuple(row) + ("",) * (width - len(row)) for row in header], []
    if not header:
        message = f"the first line holds values: columns are named column 1 … column {width}"
        findings.append(note("no header", message))
    if len(header) == 2:
        findings.append(note("header", "two header rows were joined into one name a column", 2))
        if len(set(filter(None, header[1]))) < len([cell for cell in header[1] if cell]):
            header[0] = _fill_forward(header[0])
    width = max([width, *(len(row) for row in header)])
    cells = [" ".join(row[k] for row in header if k < len(row) and row[k]).lstrip("#").strip() for k in range(width)]
    names, repeated = distinct([cell or f"column {k + 1}" for k, cell in enumerate(cells)])
    return names, [*findings, *repeated]


def distinct(names: list[str]) -> tuple[tuple[str, ...], list[Finding]]:
    """The names, repeated ones with a number behind."""
    seen: Counter[str] = Counter()
    result: list[str] = []
    for name in names:
        seen[name] += 1
        new = name if seen[name] == 1 else f"{name} ({seen[name]})"
        while seen[name] > 1 and (new in names or new in result):
            seen[name] += 1
            new = f"{name} ({seen[name]})"
        result.append(new)
    repeated = [name for name, count in seen.items() if count > 1]
    message = f"column names that came twice got a number: {shorten(repeated)}"
    return tuple(result), [note("header", message, len(repeated))] if repeated else []


def _fill_forward(cells: tuple[str, ...]) -> tuple[str, ...]:
    """Merged spreadsheet cells: a name stands over the empty cells to its right."""
    result: list[str] = []
    for cell in cells:
        result.append(cell or (result[-1] if result else ""))
    return tuple(result)
