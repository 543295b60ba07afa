"""An option: a field of a frozen dataclass with its help text, which Python, TOML, command line and report read.

A field may declare the range in which ``gatecast tune`` looks for its value: :class:`Int`, :class:`Float` or
:class:`Choice`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from numbers import Integral, Real
from typing import Any

from gatecast.base.errors import SettingError


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


def call_text(made: Any, settings: Mapping[str, Any]) -> str:
    """The call that makes an object, with the settings that are not the defaults.

    Args:
        made: the object.
        settings: the arguments of its constructor by name.

    Example:
        >>> from gatecast import LSTMForecaster, NetConfig
        >>> LSTMForecaster(12, net=NetConfig(hidden_size=64))
        LSTMForecaster(horizon=12, net=NetConfig(hidden_size=64))
    """
    usual = {name: one.default for name, one in inspect.signature(type(made)).parameters.items()}
    own = [f"{name}={_brief(value)}" for name, value in settings.items() if not _same(value, usual.get(name))]
    return f"{type(made).__name__}({', '.join(own)})"


def _brief(value: Any) -> str:
    if not is_dataclass(value) or isinstance(value, type) or any(not one.metadata for one in fields(value)):
        return repr(value)
    return call_text(value, {one.name: getattr(value, one.name) for one in fields(value)})


def _same(value: Any, default: Any) -> bool:
    """Whether it is the default; objects whose equality is no truth value (arrays) are never compared."""
    return value is default or (type(value) is type(default) and bool(value == default))
