"""Fields of JSON that comes from a file: each is checked for its kind and bounds before anything is built from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from gatecast.base.errors import SettingError
from gatecast.base.options import Bounds

ANY = Bounds()
FINITE = Bounds(above=-math.inf, below=math.inf)
COUNT = Bounds(least=0)

_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "int": (Integral, "a whole number"),
    "float": (Real, "a number"),
    "bool": (bool, "true or false"),
    "str": (str, "text"),
    "list": ((list, tuple), "a list"),
    "dict": (dict, "a table of fields"),
    "any": (object, "anything"),
}
_LONGEST = 60  # characters of a value that a message shows


def field(
    facts: Any, name: str, kind: str, bounds: Bounds = ANY, *, optional: bool = False, size: int | None = None
) -> Any:
    """A field of nested JSON.

    Args:
        facts: the outermost table.
        name: of the field, with those of the tables around it: ``"history.stale"``.
        kind: ``"int"``, ``"float"``, ``"bool"``, ``"str"``, ``"list"``, ``"dict"`` or ``"any"``.
        bounds: of a number.
        optional: whether null is accepted.
        size: number of entries of a list; None for any.

    Raises:
        SettingError: ``history.stale must be a whole number, got 'x'``.

    Example:
        >>> from gatecast.base.fields import field
        >>> field({"history": {"stale": 2}}, "history.stale", "int")
        2
    """
    value = facts
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise SettingError(f"the field {name} is missing")
        value = value[part]
    check_field(name, value, kind, bounds, optional=optional)
    if size is not None and len(value) != size:
        raise SettingError(f"{name} must have {size} entries, got {len(value)}")
    return value


def entries(facts: Any, name: str, kind: str, bounds: Bounds = ANY, *, optional: bool = False) -> list[Any]:
    """A field that is a list, with all entries of one kind.

    Args:
        facts, name: see :func:`field`.
        kind, bounds, optional: of each entry.
    """
    values = list(field(facts, name, "list"))
    for place, value in enumerate(values):
        check_field(f"{name}[{place}]", value, kind, bounds, optional=optional)
    return values


def check_field(name: str, value: Any, kind: str, bounds: Bounds = ANY, *, optional: bool = False) -> None:
    """Check one value (see :func:`field`)."""
    if value is None and optional:
        return
    expected, words = _KINDS[kind]
    if not isinstance(value, expected) or (isinstance(value, bool) and kind not in ("bool", "any")):
        raise SettingError(f"{name} must be {words}, got {shown(value)}")
    if kind == "float" and isinstance(value, int) and abs(value) >= 2**63:  # arrays would hold it as an object
        raise SettingError(f"{name} must be a number of 64 bits, got {shown(value)}")
    if bounds != ANY and not bounds.allow(value):
        raise SettingError(f"{name} must be {bounds}, got {shown(value)}")


def shown(value: Any) -> str:
    """The value as a message shows it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
