"""The form of a text as it was given: encoding, delimiter and date pattern, checked before a file is opened."""

from __future__ import annotations

import codecs
from datetime import datetime

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.text import nearest
from gatecast.data.schema import Schema

_ENCODINGS = ("utf-8", "cp1252", "latin-1", "utf-16", "cp1250", "cp1251", "shift_jis", "gb18030", "euc_kr", "big5")
_ORDERS = ("day-first", "month-first", "year-first")
_SAMPLE = datetime(2031, 12, 25, 17, 48, 59)


def check_form(schema: Schema) -> None:
    """Check what was given about the text of a file.

    Raises:
        SettingError: an encoding that Python does not know, a delimiter of several characters, a pattern of no date.
    """
    if schema.encoding is not None:
        _check_encoding(schema.encoding)
    if schema.delimiter is not None and schema.delimiter != r"\s+":
        _check_delimiter(schema.delimiter)
    if schema.date_format is not None:
        _check_pattern(schema.date_format)


def _check_encoding(encoding: str) -> None:
    try:
        text = codecs.lookup(encoding)._is_text_encoding
    except (LookupError, ValueError):
        near = nearest(encoding, _ENCODINGS)
        remedy = "take " + Arg("encoding", near or "utf-8") + ", or leave it out to have it found"
        raise SettingError(Arg("encoding", encoding) + " is not known", remedy) from None
    if not text:
        problem = Arg("encoding", encoding) + " is a transformation of bytes and no encoding of text"
        raise SettingError(problem, "take " + Arg("encoding", "utf-8") + ", or leave it out to have it found")


def _check_delimiter(delimiter: str) -> None:
    if len(delimiter) != 1 or delimiter in '"\r\n':
        problem = Arg("delimiter", delimiter) + ' must be one character between the cells, other than " and line ends'
        raise SettingError(problem, "take " + Arg("delimiter", ";") + ", or leave it out to have it found")


def _check_pattern(pattern: str) -> None:
    if "%" not in pattern:
        if pattern not in _ORDERS:
            near = nearest(pattern, _ORDERS)
            remedy = f"did you mean {near!r}?" if near else "e.g. " + Arg("date_format", "%d.%m.%Y")
            problem = Arg("date_format", pattern) + " must be day-first, month-first, year-first or a pattern with %"
            raise SettingError(problem, remedy)
        return
    try:
        datetime.strptime(_SAMPLE.strftime(pattern), pattern)
    except ValueError as error:
        problem = Arg("date_format", pattern) + f" is no pattern of a date ({error})"
        raise SettingError(
            problem, "e.g. " + Arg("date_format", "%d.%m.%Y") + "; %Y %m %d %H %M %S are known"
        ) from None
