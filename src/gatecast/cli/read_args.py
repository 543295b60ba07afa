"""From a file name and flags to a panel."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatecast.base.errors import SettingError
from gatecast.base.files import require_file
from gatecast.base.findings import Arg

if TYPE_CHECKING:
    from gatecast.cli.flags import DataFlags
    from gatecast.data import Panel, Schema


def read(file: Path, flags: DataFlags, schema: Schema | None = None) -> Panel:
    """The file as a panel, read by the schema of a model where there is one; flags override it."""
    require_file(file)  # before pandas is loaded
    from gatecast.data.read import read, refine
    from gatecast.data.schema import Schema

    return read(file, refine(schema.portable() if schema is not None else Schema(), **given(flags)))


def given(flags: DataFlags) -> dict[str, Any]:
    """Arguments of ``read_panel``: options that were not given are left to be found."""
    values = {field.name: getattr(flags, field.name) for field in fields(flags)}
    found = {field.name: values[field.name] for field in fields(flags) if values[field.name] != field.default}
    if found.pop("no_time", False):
        if "time" in found:
            raise SettingError(Arg("time") + " and " + Arg("time", False) + " were both given", "use one of the two")
        found["time"] = False
    return found
