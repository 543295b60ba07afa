"""Errors of usage (an unknown option, a missing or a second value) in the words of the other messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import singledispatch
from typing import get_args, get_origin

from cyclopts import (
    App,
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from gatecast.base.text import nearest

_NUMBERS = {int: "a whole number", float: "a number"}
_TABLES = (".csv", ".tsv", ".parquet", ".gz", ".txt")


def usage_message(error: CycloptsError) -> str:
    """What is wrong with the words given, and the help to read."""
    command = " ".join(["gatecast", *(error.command_chain or ())])
    return f"{' '.join(_message(error).split())} See {command} --help."


@singledispatch
def _message(error: CycloptsError) -> str:
    return str(error).strip()


@_message.register
def _(error: RepeatArgumentError) -> str:
    return f"{error.token.keyword} was given twice: give it once."


@_message.register
def _(error: UnknownOptionError) -> str:
    if error.token.source != "cli":
        return str(error).strip()
    return _unknown(error.token.keyword or error.token.value, _names(error))


@_message.register
def _(error: MissingArgumentError) -> str:
    if error.keyword:
        return f"{error.keyword} needs a value."
    names = _names(error)
    for word in error.unused_tokens or ():  # a misspelt option is the reason why the right one is missing
        if word.startswith("--") and word.partition("=")[0] not in names:
            return _unknown(word, names)
    assert error.argument is not None
    help = error.argument.parameter.help or ""
    command = " ".join(error.command_chain or ())
    return f"gatecast {command} needs {error.argument.name}{f': {help}' if help else '.'}"


@_message.register
def _(error: UnusedCliTokensError) -> str:
    word = (error.unused_tokens or [""])[0]
    joined = _joined(error, word)
    return f"{word!r} is one word too many{joined or '.'}"


@_message.register
def _(error: CoercionError) -> str:
    kind = next((one for one in (error.target_type, *get_args(error.target_type)) if one in _NUMBERS), None)
    if kind is None or error.token is None or not error.token.keyword or error.token.source != "cli":
        return str(error).strip()
    return f"{error.token.keyword} must be {_NUMBERS[kind]}, got {error.token.value!r}."


@_message.register
def _(error: UnknownCommandError) -> str:
    word = (error.unused_tokens or [""])[0]
    if word.lower().endswith(_TABLES):
        return f"{word!r} is a file, and the command comes before it: gatecast forecast {word} --horizon 14."
    return str(error).strip()


def _unknown(word: str, names: Iterable[str]) -> str:
    """The message for an unknown option, with the one that was meant."""
    given = word.partition("=")[0]
    known = {name.lstrip("-"): name for name in names if name.startswith("--")}
    near = nearest(given.lstrip("-"), known, cutoff=0.65)
    return f"Unknown option: {given}.{f' Did you mean {known[near]}?' if near else ''}"


def _joined(error: CycloptsError, word: str) -> str:
    """The remedy for ``--levels 80 95``, whose values are joined by commas; "" for any other word."""
    words: Sequence[str] = error.root_input_tokens or ()
    at = words.index(word) if word in words else 0
    values: list[str] = []
    for before in reversed(words[:at]):
        if before.startswith("--"):
            values = [*before.split("=")[1:], *values, word]
            several = before.partition("=")[0] in _names(error, several=True)
            return f": join several values by commas, {before.partition('=')[0]} {','.join(values)}." if several else ""
        values.insert(0, before)
    return ""


def _names(error: CycloptsError, *, several: bool = False) -> list[str]:
    """Options of the command; ``several``: those that take more than one value."""
    if not isinstance(error.app, App):
        return []
    found = error.app.assemble_argument_collection()
    return [name for one in found if not several or get_origin(one.hint) is tuple for name in one.names]
