"""Text to numbers: decimal comma or point, groups of thousands, and the spellings of "no value"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gatecast.base.findings import Words
from gatecast.base.text import plural, shorten
from gatecast.data.read.table import Log, Table, is_missing_text

_SPACES = str.maketrans("", "", "\u00a0\u202f\u2009'")  # no-break, narrow and thin spaces, Swiss apostrophe
_MINUS = str.maketrans({"\u2212": "-"})
_ODD = {**_SPACES, **_MINUS}
_EXPONENT = r"(?:[eE][+-]?\d+)?"
_PATTERNS = {
    ",": re.compile(rf"[+-]?(?:\d{{1,3}}(?:[. ]\d{{3}})+|\d+)?(?:,\d*)?{_EXPONENT}"),
    ".": re.compile(rf"[+-]?(?:\d{{1,3}}(?:[, ]\d{{3}})+|\d+)?(?:\.\d*)?{_EXPONENT}"),
}
_NUMBER = re.compile(
    rf"(?=[^\d]*\d)(?:{_PATTERNS[','].pattern}|{_PATTERNS['.'].pattern})|[+-]?inf(?:inity)?", re.IGNORECASE
)
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+")
_BOOLEANS = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "ja": 1.0, "nein": 0.0, "t": 1.0, "f": 0.0}


@dataclass(frozen=True)
class Style:
    """How numbers are written: the decimal sign, and whether the cells seen proved it."""

    decimal: str
    proven: bool


def looks_like_number(cell: str) -> bool:
    """True for ``12``, ``-1.5e3``, ``1.234,56``, ``1,234.5``, ``inf``; not for dates and times."""
    return count_numbers((cell,)) == 1


def count_numbers(cells: Iterable[str]) -> int:
    """How many of these texts look like numbers."""
    return sum(_NUMBER.fullmatch(cell.strip().translate(_ODD)) is not None for cell in cells)


def number_style(cells: Iterable[str]) -> Style | None:
    """Decimal sign that the cells prove; None where ``1,234`` could be either and nothing decides.

    A comma is the decimal sign where some cell has it followed by other than three digits (``12,5``) or after a
    group point (``1.234,56``); it groups thousands where a point follows or it comes twice (``1,234,567``).
    """
    comma = point = weak = False
    for cell in cells:
        head, _, tail = cell.strip().lstrip("+-").rpartition(",")
        if not head and "," not in cell:
            point = point or bool(re.fullmatch(r"[+-]?\d*\.(\d{1,2}|\d{4,})", cell.strip()))
            continue
        if not _NUMBER.fullmatch(cell.strip().translate(_ODD)):
            continue
        if "." in tail or "," in head:
            point = True
        elif "." in head or " " in head or not re.fullmatch(r"\d{3}", tail) or not re.fullmatch(r"[1-9]\d{0,2}", head):
            comma = True
        else:
            weak = True
    if comma and point:
        return None
    if comma:
        return Style(",", True)
    return Style(".", point) if point or not weak else None


def to_float(table: Table, name: str, *, decimal: str | None, missing: Sequence[object]) -> np.ndarray:
    """One column as float64, NaN where missing.

    Raises:
        DataError: at the first cell that is no number.
    """
    column = table.frame[name]
    if not table.is_text(name):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        if column.dtype.kind in "iu" and len(values) and np.abs(values).max() > 2**53:
            table.log.note("rounded", f"{name} holds whole numbers above 2^53: the last digits are lost", place=name)
    else:
        values = _from_text(table, name, decimal, missing)
    return _without_codes(values, name, missing, table.log)


def require_finite(values: np.ndarray, name: str, log: Log, remedy: Words) -> None:
    """Refuse infinite values of a column, naming the first.

    Raises:
        DataError: naming file, line and column.
    """
    rows = np.flatnonzero(np.isinf(values))
    if len(rows):
        log.fail(f"{plural(len(rows), 'row')} with an infinite value", remedy, column=name, row=int(rows[0]))


def is_numeric_text(table: Table, name: str, *, missing: Sequence[object], share: float = 0.9) -> bool:
    """True where at least this share of a text column's filled cells are numbers (or yes/no)."""
    cells = table.coded(name)[1]
    filled = cells[~is_missing_text(cells, missing)]
    if filled.empty:
        return False
    sample = filled.iloc[:: max(1, len(filled) // 2000)]
    if sample.str.lower().isin(_BOOLEANS).all() and sample.str.lower().nunique() <= 2:
        return sample.str.lower().isin({"true", "false", "yes", "no"}).all()
    return count_numbers(sample) >= share * len(sample)


def _from_text(table: Table, name: str, decimal: str | None, missing: Sequence[object]) -> np.ndarray:
    codes, cells = table.coded(name)
    absent = is_missing_text(cells, missing)
    values = np.full(len(cells), np.nan)
    filled = cells[~absent]
    values[~absent] = _parse(filled, decimal or _style_or_fail(filled, name, table))
    bad = np.flatnonzero(np.isnan(values[codes]) & ~absent[codes] & ~cells.str.lower().eq("nan").to_numpy()[codes])
    if len(bad):
        cell = cells.iloc[codes[bad[0]]]
        remedy = f'write missing values as NA or empty, or tell the code: missing=["{cell}"]'
        more = f" ({plural(len(bad), 'such cell')})" if len(bad) > 1 else ""
        table.log.fail(f"expected a number, got {cell!r}{more}", remedy, column=name, row=int(bad[0]))
    _note_codes(cells, codes, absent, name, table.log)
    return values[codes]


def _style_or_fail(cells: pd.Series, name: str, table: Table) -> str:
    style = number_style(cells.iloc[:: max(1, len(cells) // 2000)])
    if style is None or not style.proven:
        style = number_style(cells)
    grouped = cells.str.fullmatch(_GROUPED) if style is not None and table.decimal == "," else pd.Series(False)
    if grouped.any() and not (style is not None and style.proven):
        table.log.fail(
            f"{cells[grouped].iloc[0]!r} can be read with a decimal point or, as other columns have a decimal comma, "
            "with a point between thousands",
            'say which: decimal="," or decimal="."',
            column=name,
        )
    if style is None:
        example = next(cell for cell in cells if "," in cell)
        table.log.fail(
            f"{example!r} can be read with a decimal comma or with a comma between thousands",
            'say which: decimal="," or decimal="."',
            column=name,
        )
    return style.decimal


def _parse(cells: pd.Series, decimal: str) -> np.ndarray:
    """Numbers written with this decimal sign; NaN where a cell is none."""
    plain = cells.str.translate(_SPACES).str.translate(_MINUS)
    fits = plain.str.fullmatch(_PATTERNS[decimal]) & plain.str.contains(r"\d")
    bare = plain.str.replace("[. ]" if decimal == "," else "[, ]", "", regex=True).str.replace(",", ".", regex=False)
    values = pd.to_numeric(bare.where(fits), errors="coerce").to_numpy(dtype=np.float64, copy=True)
    lower = plain.str.lower()
    values[lower.isin({"inf", "+inf", "infinity"})] = np.inf
    values[lower.isin({"-inf", "-infinity"})] = -np.inf
    words = lower.isin(_BOOLEANS)
    return lower.map(_BOOLEANS).to_numpy(dtype=np.float64) if words.all() else values  # "no" among numbers is no zero


def _note_codes(cells: pd.Series, codes: np.ndarray, absent: np.ndarray, name: str, log: Log) -> None:
    """List the spellings of "no value" that were met, apart from empty cells and NA."""
    unusual = {cell: int((codes == k).sum()) for k, cell in enumerate(cells) if absent[k]}
    unusual = {cell: count for cell, count in unusual.items() if cell.lower() not in {"", "na", "nan"}}
    if unusual:
        listed = shorten([f"{cell!r}" for cell in unusual])
        total = sum(unusual.values())
        log.note("missing code", f"{plural(total, 'cell')} of {name} read {listed}: taken as missing", total, name)


def _without_codes(values: np.ndarray, name: str, missing: Sequence[object], log: Log) -> np.ndarray:
    """NaN in the place of the numeric codes that the user told."""
    told = [float(str(code)) for code in missing if looks_like_number(str(code))]
    hit = np.isin(values, told)
    if hit.any():
        values = np.where(hit, np.nan, values)
        log.note("missing code", f"{plural(int(hit.sum()), 'cell')} of {name} held a code for missing", hit.sum(), name)
    return values
