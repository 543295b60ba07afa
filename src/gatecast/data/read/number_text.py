"""Text to numbers: decimal comma or point, groups of thousands, codes for missing values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gatecast.base.errors import DataError
from gatecast.base.findings import Arg, Finding, Words
from gatecast.base.text import plural, shorten
from gatecast.data.read.origin import Origin, note

if TYPE_CHECKING:
    from gatecast.data.read.columns import Column


# Strings read as missing by default; others are given by ``missing=``.
MISSING = frozenset(
    {"", "na", "n/a", "#n/a", "#na", "nan", "-nan", "null", "none", "nil", "<na>", "nat", "-", "--", "—", "–", "?", "."}
)
_SPACES = str.maketrans("", "", "\u00a0\u202f\u2009'")  # no-break, narrow and thin spaces, Swiss apostrophe
_MINUS = str.maketrans({"\u2212": "-"})
_ODD = {**_SPACES, **_MINUS}
_EXPONENT = r"(?:[eE][+-]?\d+)?"
_PATTERNS = {
    ",": re.compile(rf"[+-]?(?:\d{{1,3}}(?:[. ]\d{{3}})+|\d+)?(?:,\d*)?{_EXPONENT}"),
    ".": re.compile(rf"[+-]?(?:\d{{1,3}}(?:[, ]\d{{3}})+|\d{{1,2}}(?:,\d{{2}})+,\d{{3}}|\d+)?(?:\.\d*)?{_EXPONENT}"),
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
    """Whether the text is like ``12``, ``-1.5e3``, ``1.234,56``, ``1,234.5``, ``inf``; not for dates and times."""
    return count_numbers((cell,)) == 1


def count_numbers(cells: Iterable[str]) -> int:
    """How many of these texts look like numbers."""
    return sum(_NUMBER.fullmatch(cell.strip().translate(_ODD)) is not None for cell in cells)


def number_style(cells: Iterable[str]) -> Style | None:
    """Decimal sign that the cells prove; None where ``1,234`` could be either and nothing decides.

    A comma is the decimal sign where some cell has it followed by other than three digits (``12,5``) or after a
    group point (``1.234,56``), or points come twice (``1.234.567``); it groups thousands where a point follows or it
    comes twice (``1,234,567``; ``1,23,456`` in India).
    """
    comma = point = weak = False
    for cell in cells:
        text = cell.strip().lstrip("+-")
        head, _, tail = text.rpartition(",")
        if not head and "," not in text:
            comma = comma or bool(re.fullmatch(r"\d{1,3}(\.\d{3}){2,}", text))
            point = point or bool("." in text and _NUMBER.fullmatch(text) and not _GROUPED.fullmatch(text))
            continue
        if not _NUMBER.fullmatch(text.translate(_ODD)):
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


def points_may_group(cells: Iterable[str], *, commas_cut: bool) -> str | None:
    """A cell like ``1.234`` where nothing shows whether the point is a decimal sign; None otherwise.

    Three digits follow each point. Beside whole numbers below 1000 that is how thousands are written; alone it is so
    only in files whose cells are not cut by commas.
    """
    cells = [text for text in (cell.strip() for cell in cells) if text and text.lower() not in MISSING]
    grouped = [cell for cell in cells if _GROUPED.fullmatch(cell)]
    others = [cell for cell in cells if "." in cell and not _GROUPED.fullmatch(cell)]
    if not grouped or any("," in cell for cell in cells):
        return None
    if any(looks_like_number(cell) for cell in others):
        return None
    small = any(re.fullmatch(r"[+-]?\d{1,3}", cell) for cell in cells)
    return grouped[0] if small or not commas_cut else None


def is_missing(texts: pd.Series, codes: Sequence[object] = ()) -> np.ndarray:
    """Which texts are a default or given code for missing values."""
    given = {str(code).strip().lower() for code in codes}
    return texts.str.lower().isin(MISSING | given).to_numpy()


def mostly_numbers(filled: pd.Series, share: float = 0.9) -> bool:
    """Whether at least this share of the texts are numbers, or all are yes and no."""
    if filled.empty:
        return False
    sample = without_percent(filled.iloc[:: max(1, len(filled) // 2000)])
    lower = sample.str.lower()
    if lower.isin(_BOOLEANS).all() and lower.nunique() <= 2:
        return bool(lower.isin({"true", "false", "yes", "no"}).all())
    return count_numbers(sample) >= share * len(sample)


def without_percent(filled: pd.Series) -> pd.Series:
    """The texts without their percent signs, where all have one."""
    return filled.str.removesuffix("%").str.rstrip() if len(filled) and filled.str.endswith("%").all() else filled


def to_float(column: Column, decimal: str | None, file_decimal: str | None) -> tuple[np.ndarray, list[Finding]]:
    """One column as float64, NaN where missing.

    Args:
        column: numbers or text.
        decimal: decimal sign that was given; None to find it.
        file_decimal: decimal sign that other columns of the file prove.

    Raises:
        DataError: at the first cell that is not a number.
    """
    if column.is_text:
        values, findings = _from_text(column, decimal, file_decimal)
    else:
        values, findings = column.values.to_numpy(dtype=np.float64, na_value=np.nan), []
        if column.is_whole and len(values) and np.abs(values).max() > 2**53:
            message = f"{column.name} holds whole numbers above 2^53: the last digits are lost"
            findings = [note("rounded", message, place=column.name)]
        if column.points is not None:
            message = f"{column.name}: {column.points!r} is read with a decimal point"
            remedy = Arg("decimal", ",") + " if points stand between thousands"
            findings = [*findings, note("decimal", message, place=column.name, remedy=remedy)]
    found = [float(str(code)) for code in column.missing if looks_like_number(str(code))]
    hit = np.isin(values, found) if found else np.zeros(0, bool)
    if hit.any():
        count = int(hit.sum())
        message = f"{plural(count, 'cell')} of {column.name} held a code for missing values"
        return np.where(hit, np.nan, values), [*findings, note("missing code", message, count, column.name)]
    return values, findings


def without_infinite(
    columns: Mapping[str, np.ndarray], rule: str, origin: Origin, rows: np.ndarray | None = None
) -> tuple[dict[str, np.ndarray], list[Finding]]:
    """Columns of a target without infinite values: refused, or taken as missing.

    Args:
        columns: values by name.
        rule: ``"error"`` or ``"missing"``.
        origin: of the rows.
        rows: row of the source of each value; None where they are the same.

    Raises:
        DataError: naming the first infinite value.
    """
    result, touched = dict(columns), 0
    for name, values in columns.items():
        infinite = np.isinf(values)
        if not infinite.any():
            continue
        if rule != "missing":
            first = int(np.flatnonzero(infinite)[0])
            row = first if rows is None else int(rows[first])
            raise infinite_error(origin, int(infinite.sum()), name, row, _TAKE_AS_MISSING)
        touched += int(infinite.sum())
        result[name] = np.where(infinite, np.asarray(np.nan, values.dtype), values)
    message = f"{plural(touched, 'row')} with an infinite value: taken as missing"
    return result, [note("infinite", message, touched)] if touched else []


_TAKE_AS_MISSING = "correct the value, or take such values as missing: " + Arg("infinite", "missing")


def infinite_error(origin: Origin, count: int, column: str, row: int, remedy: Words) -> DataError:
    """The error at the first infinite value of a column."""
    return origin.error(f"{plural(count, 'row')} with an infinite value", remedy, column=column, row=row)


def require_finite(values: np.ndarray, column: Column) -> None:
    """Check that a covariate has no infinite value.

    Raises:
        DataError: naming file, line and column.
    """
    rows = np.flatnonzero(np.isinf(values))
    if len(rows):
        remedy = "correct it or leave the column out"
        raise infinite_error(column.origin, len(rows), column.name, int(rows[0]), remedy)


def _from_text(column: Column, decimal: str | None, file_decimal: str | None) -> tuple[np.ndarray, list[Finding]]:
    codes, cells = column.codes, column.texts
    absent = is_missing(cells, column.missing)
    values = np.full(len(cells), np.nan)
    filled = without_percent(cells[~absent])
    values[~absent] = _parse(filled, decimal or _decimal_of(column, filled, file_decimal))
    wrong = np.isnan(values) & ~absent & ~cells.str.lower().eq("nan").to_numpy()
    if wrong.any():
        bad = np.flatnonzero(wrong[codes])
        cell = cells.iloc[codes[bad[0]]]
        more = f" ({plural(len(bad), 'such cell')})" if len(bad) > 1 else ""
        remedy: Words = "write missing values as NA or empty, or name the code: " + Arg("missing", [cell])
        if wrong.sum() == (~absent).sum() > 1:  # no cell is a number: a code for missing values is not the reason
            others = [other for other in (",", ".") if np.isfinite(_parse(filled, other)).all()]
            if others:
                remedy = "give " + Arg("decimal", others[0])
            else:
                remedy = "name a column of numbers (without units or signs of currency), or " + Arg("missing", [cell])
        raise column.error(f"expected a number, got {cell!r}{more}", remedy, row=bad[0])
    unit = []
    if filled is not cells and len(filled) and cells[~absent].iloc[0].endswith("%"):
        unit = [note("unit", f"{column.name} is in per cent: the signs are left out", len(filled), column.name)]
    return values[codes], [*_codes_met(column, absent), *_rounded(column, filled), *unit]


def _rounded(column: Column, filled: pd.Series) -> list[Finding]:
    """That whole numbers have more digits than float64 keeps."""
    if not filled.str.fullmatch(r"[+-]?\d{17,}").any():
        return []
    return [note("rounded", f"{column.name} holds whole numbers above 2^53: the last digits are lost", 1, column.name)]


def _decimal_of(column: Column, cells: pd.Series, file_decimal: str | None) -> str:
    """The decimal sign that the cells prove.

    Raises:
        DataError: two readings are possible.
    """
    style = number_style(cells.iloc[:: max(1, len(cells) // 2000)])
    if style is None or not style.proven:
        style = number_style(cells)
    remedy = "say which: " + Arg("decimal", ",") + " or " + Arg("decimal", ".")
    if style is not None and not style.proven and file_decimal != ".":
        example = points_may_group(cells, commas_cut=column.commas_cut and file_decimal is None)
        if example is not None:
            others = ", as other columns have a decimal comma," if file_decimal == "," else ""
            message = f"{example!r} can be read with a decimal point or{others} with a point between thousands"
            raise column.error(message, remedy)
    if style is None:
        example = next(cell for cell in cells if "," in cell)
        message = f"{example!r} can be read with a decimal comma or with a comma between thousands"
        raise column.error(message, remedy)
    return style.decimal


def _parse(cells: pd.Series, decimal: str) -> np.ndarray:
    """Numbers written with this decimal sign; NaN where a cell is not a number."""
    plain = cells.str.translate(_SPACES).str.translate(_MINUS)
    fits = plain.str.fullmatch(_PATTERNS[decimal]) & plain.str.contains(r"\d")
    bare = plain.str.replace("[. ]" if decimal == "," else "[, ]", "", regex=True).str.replace(",", ".", regex=False)
    values = pd.to_numeric(bare.where(fits), errors="coerce").to_numpy(dtype=np.float64, copy=True)
    lower = plain.str.lower()
    values[lower.isin({"inf", "+inf", "infinity"})] = np.inf
    values[lower.isin({"-inf", "-infinity"})] = -np.inf
    words = lower.isin(_BOOLEANS)
    return lower.map(_BOOLEANS).to_numpy(dtype=np.float64) if words.all() else values  # "no" among numbers is not 0


def _codes_met(column: Column, absent: np.ndarray) -> list[Finding]:
    """The codes for missing values that were met, apart from empty cells and NA."""
    unusual = [k for k in np.flatnonzero(absent) if column.texts.iloc[k].lower() not in {"", "na", "nan"}]
    if not unusual:
        return []
    total = int(np.isin(column.codes, unusual).sum())
    listed = shorten([repr(column.texts.iloc[k]) for k in unusual])
    message = f"{plural(total, 'cell')} of {column.name} read {listed}: taken as missing"
    return [note("missing code", message, total, column.name)]
