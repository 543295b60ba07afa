"""Options: fields of frozen dataclasses with default, help text and bounds. Python, TOML, command line and report read
them; :func:`check_options` validates them, and ``gatecast tune`` searches within the range that a field declares.

    >>> @dataclass(frozen=True)
    ... class Config:
    ...     dropout: float = option(0.1, "probability of dropping an input", least=0, below=1)
    ...     def __post_init__(self) -> None:
    ...         check_options(self)
    >>> Config(dropout=1.5)
    Traceback (most recent call last):
    gatecast.base.errors.SettingError: Config.dropout must be at least 0 and below 1, got 1.5
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from numbers import Integral, Real
from typing import Any, Generic, TypeVar

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg, Text
from gatecast.base.text import nearest

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Range(Generic[Number]):
    """Numbers to search among.

    Args:
        low: the least.
        high: the largest, included.
        log: as many trials between 8 and 16 as between 16 and 32.
    """

    low: Number
    high: Number
    log: bool = False


class Int(Range[int]):
    """A range of whole numbers."""


class Float(Range[float]):
    """A range of real numbers."""


@dataclass(frozen=True)
class OneOf:
    """One of several values: ``OneOf("tanh", "relu")``."""

    values: tuple[Any, ...]

    def __init__(self, *values: Any) -> None:
        object.__setattr__(self, "values", values)


Search = Int | Float | OneOf


@dataclass(frozen=True)
class Bounds:
    """Values that an option accepts.

    Args:
        above, least: lower bound, excluded and included.
        below, most: upper bound, excluded and included.
        one_of: all values allowed.
        limit: the largest value that can be worked with; named only where it is exceeded.
    """

    above: float | None = None
    least: float | None = None
    below: float | None = None
    most: float | None = None
    one_of: tuple[Any, ...] = ()
    limit: float | None = None

    def allow(self, value: Any) -> bool:
        """Whether the value lies within; NaN never does."""
        if self.one_of:
            return value in self.one_of
        return (
            (self.above is None or value > self.above)
            and (self.least is None or value >= self.least)
            and (self.below is None or value < self.below)
            and (self.most is None or value <= self.most)
        )

    def __str__(self) -> str:
        """The bounds in words: ``at least 0 and below 1``; "" without bounds."""
        if self.one_of:
            return f"one of {', '.join(map(str, self.one_of))}"
        words = {"above": self.above, "at least": self.least, "below": self.below, "at most": self.most}
        finite = {bound for bound in words.values() if bound is not None and math.isinf(bound)}
        shown = [f"{word} {bound}" for word, bound in words.items() if bound is not None and bound not in finite]
        return " and ".join([*shown, *["finite"] * bool(finite)])


_ANY = Bounds()
HORIZON = Bounds(least=1, limit=100_000)  # rows ahead
CONTEXT = Bounds(least=2, limit=100_000)  # rows that a network reads
WINDOWS = Bounds(least=1, limit=10_000)  # origins of a backtest
MEMBERS = Bounds(least=1, limit=1_000)
SEED = Bounds(least=0, limit=2**53)  # numbers that JSON and every generator hold exactly


def option(
    default: Any,
    help: str,
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
    one_of: Sequence[Any] = (),
    limit: float | None = None,
    search: Search | None = None,
) -> Any:
    """A dataclass field with its help text and bounds.

    Args:
        default: its value.
        help: what it does, with its unit.
        above, least: lower bound, excluded and included.
        below, most: upper bound, excluded and included.
        one_of: all values allowed.
        limit: the largest value that can be worked with, far above what is useful.
        search: the range in which a search looks for its value; None: it is never searched.
    """
    bounds = Bounds(above, least, below, most, tuple(one_of), limit)
    return field(default=default, metadata={"help": help, "bounds": bounds, "search": search})


_TYPES: dict[str, tuple[type, str]] = {
    "int": (Integral, "a whole number"),
    "float": (Real, "a number"),
    "bool": (bool, "True or False"),
    "str": (str, "text"),
}


def is_number(value: Any) -> bool:
    """Whether `value` is a real number (bools excluded)."""
    return isinstance(value, Real) and not isinstance(value, bool)


def check_options(config: Any, *, of: str | None = None) -> None:
    """Validate the fields of a config against their declared types and bounds.

    ``None`` passes where the type says ``| None``; fields of other types than int, float, bool and str are checked
    against their bounds only. Defaults are not checked.

    Args:
        config: an instance of a dataclass.
        of: name of the config in messages; None: its class, "": none, for fields that are arguments of a call.

    Raises:
        SettingError: ``NetConfig.hidden_size must be a whole number, got '64'``.
    """
    config_class: type = type(config)
    for name, default, optional, kind, bounds in _declared(config_class):
        value = getattr(config, name)
        if value is default or (value is None and optional):
            continue
        check_value(Arg(name, of=config_class.__name__ if of is None else of), value, kind, bounds)


@cache
def _declared(config_class: type) -> list[tuple[str, Any, bool, str, Bounds]]:
    """Name, default, whether None passes, type and bounds of each field."""
    found = []
    for one in fields(config_class):
        kind = str(one.type).removesuffix(" | None")
        found.append((one.name, one.default, kind != str(one.type), kind, one.metadata.get("bounds", _ANY)))
    return found


def check_value(name: Arg | Text, value: Any, kind: str, bounds: Bounds = _ANY) -> None:
    """Validate one value against its type and bounds.

    Args:
        name: the argument, or words that name it.
        value: what was given.
        kind: "int", "float", "bool" or "str"; other names are not checked.
        bounds: what is accepted.

    Raises:
        SettingError: ``horizon must be at least 1, got 0``.
    """
    if bounds.one_of:
        if not bounds.allow(value):
            near = nearest(str(value), map(str, bounds.one_of))
            raise SettingError(name + f" must be {bounds}, got {value!r}", f"did you mean {near!r}?" if near else "")
        return
    if kind in _TYPES:
        expected, words = _TYPES[kind]
        if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
            raise SettingError(name + f" must be {words}, got {value!r}")
    if bounds != _ANY and not bounds.allow(value):
        raise SettingError(name + f" must be {bounds}, got {value!r}")
    if bounds.limit is not None and value > bounds.limit:
        raise SettingError(name + f" must be at most {bounds.limit:,}, got {_large(value)}")


def _large(value: Any) -> str:
    """A number that is too large, in few characters."""
    return f"{value:,}" if value < 10**15 else f"about 1e{len(str(int(value))) - 1}"


def require_configs(**given: tuple[Any, type]) -> None:
    """Check that arguments are objects of their config classes, or None.

    Args:
        **given: argument → what was given, and the class.

    Raises:
        SettingError: ``fit must be a FitConfig, got {'steps': 3}; give fit=FitConfig(steps=3)``.
    """
    for name, (value, kind) in given.items():
        if value is None or isinstance(value, kind):
            continue
        fields = ", ".join(f"{key}={one!r}" for key, one in value.items()) if isinstance(value, Mapping) else "…"
        problem = Arg(name) + f" must be a {kind.__name__}, got {value!r}"
        raise SettingError(problem, f"give {name}={kind.__name__}({fields})")


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
