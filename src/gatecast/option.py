"""An option: a field of a frozen dataclass with its help text, which Python, TOML, command line and report read."""

from __future__ import annotations

from dataclasses import field
from typing import Any


def option(default: Any, help: str) -> Any:
    """A dataclass field with its help text."""
    return field(default=default, metadata={"help": help})
