"""A choice among named objects: ``"adam"``, ``"sgd(momentum=0.9)"`` or an object, and the text of one again.

Python takes objects; TOML, the command line and a model's file take the text, and both mean the same. The text is read
as Python's literals and never run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from typing import Any

from gatecast.base.errors import SettingError


def chosen(what: str, value: Any, table: Mapping[str, Any]) -> Any:
    """The object that a name, a call written as text, or an object itself stands for.

    Args:
        what: name of the option, for the message.
        value: a name in ``table``, ``"name(setting=1.0)"``, or anything else, which is given back as it is.
        table: classes (or functions without positional arguments) by name.

    Raises:
        SettingError: no such name, or settings that it does not take.

    Example:
        >>> from gatecast.base.named import chosen
        >>> from gatecast.nn.heads import HEADS
        >>> chosen("head", "student(min_df=3)", HEADS)
        Student(min_df=3)
    """
    if not isinstance(value, str):
        return value
    name, settings = _read(what, value)
    if name not in table:
        said = f"{what} must be one of {', '.join(table)} or an object of theirs; got {name!r}"
        raise SettingError(said + meant(name, table))
    known = _settings(table[name])
    for setting in settings if is_dataclass(table[name]) else ():
        if setting not in known:
            said = f"{what}={value!r}: {name} takes the settings {', '.join(known) or 'none'}; got {setting!r}"
            raise SettingError(said + meant(setting, known))
    try:
        return table[name](**settings)
    except TypeError as error:
        raise SettingError(f"{what}={value!r}: {error}") from error


def written(value: Any, table: Mapping[str, Any]) -> str:
    """The text that :func:`chosen` reads as this object: its name, and the settings that are not the defaults.

    Raises:
        SettingError: the object is of no class in ``table``.
    """
    if isinstance(value, str):
        return value
    name = next((name for name, kind in table.items() if kind is type(value)), None)
    if name is None:
        raise SettingError(f"{value!r} is none of {', '.join(table)} and has no text; give it by name to have it saved")
    changed = [f"{f.name}={getattr(value, f.name)!r}" for f in fields(value) if getattr(value, f.name) != _default(f)]
    return f"{name}({', '.join(changed)})" if changed else name


def meant(name: str, known: Iterable[str], *, least: float = 0.6) -> str:
    """``; did you mean 'adam'?``, where a known name is near; else nothing.

    Args:
        name: what was given.
        known: what there is.
        least: share of letters in common from which on a name is near.
    """
    near = get_close_matches(name, list(known), n=1, cutoff=least)
    return f"; did you mean {near[0]!r}?" if near else ""


def _read(what: str, text: str) -> tuple[str, dict[str, Any]]:
    """Name and settings of ``name`` or ``name(setting=literal, …)``."""
    if "(" not in text:
        return text.strip(), {}
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not call.args:
            return call.func.id, {str(one.arg): ast.literal_eval(one.value) for one in call.keywords if one.arg}
    except (SyntaxError, ValueError):
        pass
    raise SettingError(
        f"{what}={text!r} is not of the form name(setting=value, …), with a number, 'text' or True for each value"
    )


def _settings(kind: Any) -> list[str]:
    return [f.name for f in fields(kind)] if is_dataclass(kind) else []


def _default(field: Any) -> Any:
    if field.default is not MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not MISSING else MISSING
