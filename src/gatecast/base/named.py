"""Named objects and their text: ``"adam"`` or ``"sgd(momentum=0.9)"`` for ``SGD(momentum=0.9)``, and back.

Python takes objects; TOML, the command line and model files hold the text. It is parsed as Python literals and never
executed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg, InPython
from gatecast.base.text import nearest


def from_text(name: str | Arg, value: Any, table: Mapping[str, Any], *, choices: Iterable[str] | None = None) -> Any:
    """Create the object that a text describes.

    Args:
        name: the option, for messages: ``"loss"``, ``"FitConfig.optimizer"`` or an :class:`Arg`.
        value: a name in ``table``, ``"name(setting=1.0)"``, or any other object, which is returned unchanged.
        table: classes (or functions without positional arguments) by name; of several names for one class, messages
            show the first.
        choices: names that messages list; None: those of the table.

    Raises:
        SettingError: there is no such name, or it has no such settings.

    Example:
        >>> from gatecast.base.named import from_text
        >>> from gatecast.nn.heads import HEADS
        >>> from_text("head", "student(min_df=3)", HEADS)
        Student(min_df=3)
    """
    if not isinstance(value, str):
        return value
    arg = name if isinstance(name, Arg) else _arg(name)
    called, settings = _parse(arg, value)
    if called not in table:
        names = ", ".join(_first_names(table) if choices is None else choices)
        raise SettingError(
            arg + f" must be one of {names}" + InPython(" or an object of one of these classes") + f", got {called!r}",
            did_you_mean(called, table),
        )
    made = table[called]
    known = [f.name for f in fields(made)] if is_dataclass(made) else []
    for setting in settings if is_dataclass(made) else ():
        if setting not in known:
            takes = f"takes the settings {', '.join(known)}" if known else "takes no settings"
            raise SettingError(arg + f": {called} {takes}, got {setting!r}", did_you_mean(setting, known))
    try:
        return made(**settings)
    except TypeError as error:
        raise SettingError(arg + f": {value!r}: {error}") from error


def to_text(value: Any, table: Mapping[str, Any]) -> str:
    """The text from which :func:`from_text` creates this object: its name and the settings that differ from defaults.

    Raises:
        SettingError: the object's class is not in ``table``.
    """
    if isinstance(value, str):
        return value
    name = next((name for name, kind in table.items() if kind is type(value)), None)
    if name is None:
        raise SettingError(
            f"{value!r} cannot be written as text: its class is not one of {', '.join(table)}",
            "to save it, use one of these",
        )
    changed = [f"{f.name}={getattr(value, f.name)!r}" for f in fields(value) if getattr(value, f.name) != _default(f)]
    return f"{name}({', '.join(changed)})" if changed else name


def did_you_mean(name: object, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """The remedy ``did you mean 'adam'?``; "" where no known name is similar or ``name`` is not a string.

    Args:
        name: what was given.
        known: the names that exist.
        cutoff: similarity from 0 to 1 that is required.
    """
    near = nearest(name, known, cutoff=cutoff) if isinstance(name, str) else None
    return f"did you mean {near!r}?" if near else ""


def _first_names(table: Mapping[str, Any]) -> list[str]:
    """The first of several names for the same class."""
    first: dict[int, str] = {}
    for name, made in table.items():
        first.setdefault(id(made), name)
    return list(first.values())


def _arg(name: str) -> Arg:
    """``"FitConfig.optimizer"`` as an argument of its config."""
    config, _, option = name.rpartition(".")
    return Arg(option, of=config)


def _parse(arg: Arg, text: str) -> tuple[str, dict[str, Any]]:
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
        arg + f" must have the form name(setting=value, …), got {text!r}",
        "write each value as a number, a quoted string, True or False",
    )


def _default(field: Any) -> Any:
    if field.default is not MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not MISSING else MISSING
