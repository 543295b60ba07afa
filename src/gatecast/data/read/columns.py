"""One raw column: numbers, datetimes or text, and what its cells look like. Each question is answered once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from gatecast.base.findings import Words
from gatecast.data.read.date_codes import counts_time, find_codes, parse_pattern
from gatecast.data.read.date_formats import looks_like_time, may_be_time
from gatecast.data.read.number_text import is_missing, mostly_numbers
from gatecast.data.read.origin import Origin


@dataclass(eq=False)
class Column:
    """A column as read.

    Args:
        name: its heading.
        values: numbers, datetimes or text.
        origin: of its rows.
        missing: further codes for missing values.
        date_format: pattern of dates that was given.
        commas_cut: the cells come from a file that commas cut, so that a comma is no decimal sign in it.
        points: a cell like 1.234 of a file in which nothing shows that the point is a decimal sign.
    """

    name: str
    values: pd.Series
    origin: Origin
    missing: tuple[object, ...] = ()
    date_format: str | None = None
    commas_cut: bool = False
    points: str | None = None

    def __len__(self) -> int:
        return len(self.values)

    def error(self, problem: Words, remedy: Words, row: int | np.integer | None = None) -> Exception:
        """The error at a cell of this column."""
        return self.origin.error(problem, remedy, column=self.name, row=row)

    # ── kind ──────────────────────────────────────────────────────────────────────────────────────────────────────
    @cached_property
    def is_datetime(self) -> bool:
        """Whether it came as datetimes."""
        return pd.api.types.is_datetime64_any_dtype(self.values)

    @cached_property
    def is_number(self) -> bool:
        """Whether it came as numbers."""
        return pd.api.types.is_numeric_dtype(self.values)

    @cached_property
    def is_text(self) -> bool:
        """Whether it holds neither numbers nor datetimes."""
        return not (self.is_number or self.is_datetime)

    @cached_property
    def is_whole(self) -> bool:
        """Whether it came as integers."""
        return pd.api.types.is_integer_dtype(self.values)

    @cached_property
    def is_numeric_text(self) -> bool:
        """Whether it is text of which nearly all filled cells are numbers (or yes and no)."""
        return self.is_text and mostly_numbers(self.filled)

    @cached_property
    def is_numeric(self) -> bool:
        """Whether it can be read as numbers and holds one at least."""
        return self.is_numeric_text or (self.is_number and bool(self.values.notna().any()))

    @cached_property
    def is_empty(self) -> bool:
        """Whether it has no value."""
        return bool(self.absent.all() if self.is_text else self.values.isna().all())

    @cached_property
    def is_time_text(self) -> bool:
        """Whether it is text of which nearly all cells are dates."""
        if not self.is_text:
            return False
        cells = self.texts[~self.missing_texts]
        if self.date_format is not None and "%" in self.date_format:
            return bool(len(cells)) and bool(parse_pattern(cells.iloc[:50], self.date_format).notna().all())
        return looks_like_time(cells)

    @cached_property
    def may_be_time_text(self) -> bool:
        """Whether it is text that may hold dates in a form that is not known."""
        if not self.is_text or self.is_numeric_text or not may_be_time(self.texts[~self.missing_texts]):
            return False
        counts = np.bincount(self.codes)
        return bool(counts.max() <= 1.5 * counts.min())  # each as often as the others: once, or once a series

    @cached_property
    def whole_values(self) -> np.ndarray | None:
        """``(rows,)`` int64 where it came as integers, or as floats that are all whole; None otherwise."""
        if not len(self) or self.is_datetime:
            return None
        if self.is_text:
            whole = self.texts.str.partition(".")[0]
            return whole.astype(np.int64).to_numpy()[self.codes] if self.digits else None
        values = self.values.to_numpy()
        if not self.is_whole and not (np.isfinite(values) & (values % 1 == 0) & (np.abs(values) < 2**53)).all():
            return None
        return values.astype(np.int64)

    @cached_property
    def digits(self) -> frozenset[int]:
        """How many digits the cells have where all are text of whole numbers (2009, 2009.0); empty otherwise."""
        if not self.is_text or not self.texts.str.fullmatch(r"\d{1,18}(?:\.0*)?").all():
            return frozenset()
        return frozenset(self.texts.str.partition(".")[0].str.len())

    @cached_property
    def is_compact_date(self) -> bool:
        """Whether it holds whole numbers like 20240131, or others that are regular as dates."""
        values = self.whole_values
        if values is None:
            return False
        codes = find_codes(values, self.tokens, timelike=True, digits=self.digits)
        return any(code.sure for code in codes) or counts_time(values, codes)

    @cached_property
    def plain_name(self) -> str:
        """The name in small letters without spaces."""
        return self.name.strip().lower().replace(" ", "_")

    @cached_property
    def tokens(self) -> frozenset[str]:
        """The words of the name, in small letters: ``ReportDate`` and ``report_date`` have two."""
        spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.name.strip())
        return frozenset(re.split(r"[\W_]+", spaced.lower())) - {""} | {self.plain_name}

    # ── text ──────────────────────────────────────────────────────────────────────────────────────────────────────
    @cached_property
    def _coded(self) -> tuple[np.ndarray, pd.Series]:
        values = self.values
        if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
            values = values.astype("Int64")  # 1.0 is the id "1" where a missing cell made integers floats
        rows, distinct = pd.factorize(values, use_na_sentinel=False)
        cells = pd.Series(distinct).astype("string").fillna("").astype(object)
        stripped = cells.str.strip()
        if pd.api.types.is_object_dtype(values.dtype) and cells.equals(stripped) and not (cells == "").any():
            return rows, stripped  # as most columns are: no two texts are one
        cells = stripped
        merged, texts = pd.factorize(cells)
        return merged[rows], pd.Series(np.asarray(texts, dtype=object), dtype=object)

    @property
    def codes(self) -> np.ndarray:
        """``(rows,)`` number of the text of each row."""
        return self._coded[0]

    @property
    def texts(self) -> pd.Series:
        """The distinct texts, stripped; "" where missing."""
        return self._coded[1]

    @property
    def cells(self) -> pd.Series:
        """``(rows,)`` stripped texts."""
        return pd.Series(self.texts.to_numpy()[self.codes], dtype=object)

    @cached_property
    def missing_texts(self) -> np.ndarray:
        """Which of the distinct texts are a usual code for a missing value."""
        return is_missing(self.texts)

    @cached_property
    def filled(self) -> pd.Series:
        """The distinct texts, without codes for missing values."""
        return self.texts[~is_missing(self.texts, self.missing)]

    @cached_property
    def absent(self) -> np.ndarray:
        """``(rows,)`` whether the text is a code for a missing value."""
        return is_missing(self.texts, self.missing)[self.codes]

    @property
    def first_text(self) -> str:
        """The first cell, as text."""
        return str(self.texts.iloc[self.codes[0]])

    @property
    def is_unique(self) -> bool:
        """Whether no text comes twice."""
        return len(self.texts) == len(self)

    def first_row(self, text: int = 0) -> int:
        """First row of a distinct text."""
        return int(np.flatnonzero(self.codes == text)[0])
