"""An option: a field of a frozen dataclass with its help text, which Python, TOML, command line and report read.

A field may declare the range in which ``gatecast tune`` looks for its value: :class:`Int`, :class:`Float` or
:class:`Choice`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import Any

from gatecast.errors import SettingError


@dataclass(frozen=True)
class Int:
    """Whole numbers from ``low`` to ``high``, both included.

    Args:
        low: the least.
        high: the largest.
        log: as many trials between 8 and 16 as between 16 and 32.
    """

    low: int
    high: int
    log: bool = False


@dataclass(frozen=True)
class Float:
    """Numbers from ``low`` to ``high``.

    Args:
        low: the least.
        high: the largest.
        log: as many trials between 0.001 and 0.01 as between 0.01 and 0.1.
    """

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Choice:
    """One of several values: ``Choice("tanh", "relu")``."""

    values: tuple[Any, ...]

    def __init__(self, *values: Any) -> None:
        object.__setattr__(self, "values", values)


Search = Int | Float | Choice


def option(default: Any, help: str, *, search: Search | None = None) -> Any:
    """A dataclass field with its help text.

    Args:
        default: its value.
        help: what it does, with its unit.
        search: the range in which a search looks for its value; None: it is never searched.
    """
    return field(default=default, metadata={"help": help, "search": search})


_KINDS: dict[str, tuple[type, str]] = {
    "int": (Integral, "a whole number"),
    "float": (Real, "a number"),
    "bool": (bool, "True or False"),
}


def require_types(config: Any) -> None:
    """Refuse what is no number, or neither True nor False, in a field that is declared so.

    Raises:
        SettingError: ``NetConfig.hidden_size must be a whole number, got '64'``.
    """
    for one in fields(config):
        declared, value = str(one.type), getattr(config, one.name)
        name = declared.removesuffix(" | None")
        if name not in _KINDS or (value is None and name != declared):
            continue
        kind, words = _KINDS[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise SettingError(f"{type(config).__name__}.{one.name} must be {words}, got {value!r}")
