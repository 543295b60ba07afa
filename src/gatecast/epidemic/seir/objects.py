"""Arguments that take an object, its name, or a call as text."""

from __future__ import annotations

from typing import Any

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg, InPython
from gatecast.base.named import from_text


def object_of(name: str, value: Any, table: dict[str, Any], kind: type) -> Any:
    """The object for an argument.

    Args:
        name: of the argument.
        value: an object, a name of the table, or a call such as ``"exponential(floor=0.1)"``.
        table: name → class.
        kind: base class of the table's classes.
    """
    found = from_text(name, value, table)
    if isinstance(found, kind):
        return found
    raise SettingError(
        Arg(name)
        + f" must be one of {', '.join(table)}"
        + InPython(" or an object of these classes")
        + f", got {value!r}"
    )
