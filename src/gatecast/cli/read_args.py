"""From a file name and flags to a panel."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatecast.base.files import require_file

if TYPE_CHECKING:
    from gatecast.cli.flags import DataFlags
    from gatecast.data import Panel, Schema


def read(file: Path, flags: DataFlags, schema: Schema | None = None) -> Panel:
    """The file as a panel, read by the schema of a model where there is one; flags override it."""
    require_file(file)  # before pandas is loaded
    from gatecast.data.read import read_new, read_panel

    return read_panel(file, **given(flags)) if schema is None else read_new(file, schema, **given(flags))


def given(flags: DataFlags) -> dict[str, Any]:
    """Arguments of ``read_panel``: options that were not given are left to be found."""
    values = {field.name: getattr(flags, field.name) for field in fields(flags)}
    return {field.name: values[field.name] for field in fields(flags) if values[field.name] != field.default}
