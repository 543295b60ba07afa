"""Findings in the words of the shell: the argument ``target="load"`` of Python is ``--target load`` here."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from typing import Any

from gatecast.base.errors import GatecastError
from gatecast.base.findings import UNSET, Arg, Call, Finding, InPython, Part, Words, render

_GROUPS = {"NetConfig": "net.", "FitConfig": "fit."}
_OTHERS = (  # options declared by the commands themselves
    "capacity",
    "cumulative",
    "folds",
    "every",
    "format",
    "future",
    "history",
    "horizon",
    "issued",
    "lead",
    "levels",
    "minutes",
    "models",
    "origins",
    "out",
    "pixel_km",
    "population",
    "refit",
    "scenario",
    "site",
    "step",
    "steps",
    "storage",
    "test",
    "train",
    "transmission",
    "trials",
    "units",
    "variable",
    "windows",
)
_YES_NO = ("cumulative",)  # options whose values are the words yes and no
_CONTROL = r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
_CALLS: dict[str, Callable[..., str]] = {
    "Naive": lambda: "--model naive",
    "SeasonalNaive": lambda: "--model seasonal-naive",
    "panel.future_frame": lambda horizon=...: (
        f"the output of gatecast future FILE --horizon {_shown(horizon)} --known …"
    ),
    "LSTMForecaster": lambda horizon=..., **_: f"gatecast forecast FILE --horizon {_shown(horizon)}",
}


def in_shell(words: Words | Finding | Exception) -> str:
    """Words, a finding or an error as the command line says them.

    Example:
        >>> in_shell("name the column, e.g. " + Arg("target", "total load") + ", or " + Arg("missing", [-9]))
        "name the column, e.g. --target 'total load', or --missing=-9"
    """
    if isinstance(words, GatecastError):
        words = words.finding
    if isinstance(words, Finding):
        return words.render(_speak)
    return render(str(words) if isinstance(words, Exception) else words, _speak)


def visible(text: str) -> str:
    """The text with control characters (terminal escapes, direction of writing) as ``\\x1b``; lines stay."""
    return re.sub(_CONTROL, lambda found: found[0].encode("unicode_escape").decode(), text)


def visible_cell(text: str) -> str:
    """A cell of a table: line breaks of a name are shown too."""
    return visible(text).replace("\n", "\\n")


def _speak(part: Part) -> str:
    if isinstance(part, InPython):
        return ""
    if isinstance(part, Call):
        return _CALLS[part.name](*part.args) if part.name in _CALLS else str(part)
    assert isinstance(part, Arg)
    return _option(part)


def _option(arg: Arg) -> str:
    """The option of an argument; an argument without an option stays as it is in Python."""
    if arg.of not in _GROUPS and arg.name not in _options():
        return str(arg)
    group, name = _GROUPS.get(arg.of, ""), arg.name.replace("_", "-")
    if arg.name in _YES_NO and isinstance(arg.value, bool):
        return f"--{name} {'yes' if arg.value else 'no'}"
    if arg.value is UNSET or arg.value is True:
        return f"--{group}{name}"
    if arg.value is False:
        return f"--{group}no-{name}"
    value = _shown(arg.value)
    return f"--{group}{name}{'=' if value.startswith('-') else ' '}{value}"


def _shown(value: Any) -> str:
    """A value as it is typed; several values are joined by commas."""
    if value is ...:
        return "…"
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if "…" in text else shlex.quote(text)


@cache
def _options() -> frozenset[str]:
    """Arguments of Python that the commands have as options of the same name."""
    from gatecast.cli.flags import DataFlags, ModelFlags

    return frozenset((*_OTHERS, *(field.name for flags in (DataFlags, ModelFlags) for field in fields(flags))))
