"""Names of a package that load their module on first use."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy(package: str, home: Mapping[str, str]) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package.

    Args:
        package: its ``__name__``.
        home: for each name the module that defines it, relative to the package; "" for a module of that name itself.

    Example:
        >>> from gatecast.base.lazy import lazy
        >>> get = lazy("gatecast.base", {"plural": "text"})
        >>> get("plural")(2, "row")
        '2 rows'
    """

    def get(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if home[name]:
            value = getattr(import_module(f"{package}.{home[name]}"), name)
        else:
            value = import_module(f"{package}.{name}")
        setattr(sys.modules[package], name, value)
        return value

    return get
