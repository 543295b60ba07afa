"""Findings: what was found, where, and what to do about it. Data; each border renders it in words of its own.

The library names its arguments as objects, so that Python shows ``target="load"`` and the command line
``--target load`` for the same remedy:

    >>> remedy = "name the column to forecast, e.g. " + Arg("target", "load")
    >>> print(Finding("sales.csv", "two columns hold numbers", remedy))
    sales.csv: two columns hold numbers; name the column to forecast, e.g. target="load"
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final


class _Unset:
    def __repr__(self) -> str:
        return "UNSET"

    def __reduce__(self) -> str:
        return "UNSET"  # the same object in another process


UNSET: Final[Any] = _Unset()


class Part:
    """A piece of a text that is not a plain string; joined to strings by ``+``."""

    def __add__(self, other: str | Part | Text) -> Text:
        return Text(self) + other

    def __radd__(self, other: str) -> Text:
        return Text(other, self)


@dataclass(frozen=True)
class Arg(Part):
    """An argument that the reader may set.

    Args:
        name: its name in Python.
        value: the value to give; ``...`` for any; left out, only the argument is named.
        of: the config class that has it, e.g. ``"FitConfig"``; "" for an argument of a call.

    Example:
        >>> print(Arg("horizon"), Arg("id", ...), Arg("missing", [-9]), Arg("resume", True, of="FitConfig"))
        horizon id=… missing=[-9] FitConfig(resume=True)
    """

    name: str
    value: Any = UNSET
    of: str = ""

    def __str__(self) -> str:
        if self.value is UNSET:
            return f"{self.of}.{self.name}" if self.of else self.name
        setting = f"{self.name}={python_value(self.value)}"
        return f"{self.of}({setting})" if self.of else setting


@dataclass(frozen=True)
class Call(Part):
    """A call that the reader may make: ``Call("panel.future_frame", 14)``."""

    name: str
    args: tuple[Any, ...] = ()

    def __init__(self, name: str, *args: Any) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "args", args)

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(python_value, self.args))})"


@dataclass(frozen=True)
class InPython(Part):
    """Words, or a text, that help in Python only; other borders leave them out."""

    words: str | Part | Text

    def __str__(self) -> str:
        return str(self.words)


@dataclass(frozen=True, repr=False)
class Text:
    """Words with arguments and calls among them; ``str`` gives them as Python has them."""

    parts: tuple[str | Part, ...] = ()

    def __init__(self, *parts: str | Part) -> None:
        object.__setattr__(self, "parts", parts)

    def __add__(self, other: str | Part | Text) -> Text:
        return Text(*self.parts, *(other.parts if isinstance(other, Text) else (other,)))

    def __radd__(self, other: str) -> Text:
        return Text(other, *self.parts)

    def __str__(self) -> str:
        return self.render(str)

    def __repr__(self) -> str:
        return f"Text({str(self)!r})"

    def __bool__(self) -> bool:
        return bool(self.parts)

    def render(self, speak: Callable[[Part], str]) -> str:
        """The text in the words of a border.

        Args:
            speak: the words for an argument, a call or a part for Python only.
        """
        return "".join(part if isinstance(part, str) else speak(part) for part in self.parts)


Words = str | Part | Text


@dataclass(frozen=True, repr=False)
class Finding:
    """A problem with its place and remedy, or a repair or decision made while data was read.

    Args:
        place: file, column and line, series or setting; "" where the problem names it.
        problem: what was expected and what came; of a repair, what was done.
        remedy: what to do; of a decision, how to decide otherwise.
        kind: of a repair, a short stable word: ``"gap"``, ``"duplicates"``, ``"column dropped"``; else "".
        count: of a repair, cells, rows or columns touched.
    """

    place: str
    problem: Words
    remedy: Words = ""
    kind: str = ""
    count: int = 1

    def __str__(self) -> str:
        return self.render(str)

    def __repr__(self) -> str:
        return f"Finding({f'{self.kind}: ' if self.kind else ''}{self})"

    def render(self, speak: Callable[[Part], str]) -> str:
        """``place: problem; remedy`` in the words of a border (see :meth:`Text.render`)."""
        place = f"{self.place}: " if self.place else ""
        remedy = render(self.remedy, speak)
        return f"{place}{render(self.problem, speak)}{'; ' if remedy else ''}{remedy}"


def render(words: Words, speak: Callable[[Part], str]) -> str:
    """Words of any form as one string."""
    if isinstance(words, str):
        return words
    return (words if isinstance(words, Text) else Text(words)).render(speak)


def python_value(value: Any) -> str:
    """A value as Python code shows it, strings in double quotes; ``…`` for any."""
    if value is ...:
        return "…"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, list):
        return f"[{', '.join(map(python_value, value))}]"
    return repr(value)
