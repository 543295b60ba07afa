"""From a file name and flags to a panel."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatecast.base.errors import SettingError
from gatecast.base.files import require_file
from gatecast.base.findings import Arg
from gatecast.base.stdin import STDIN

if TYPE_CHECKING:
    from gatecast.cli.flags import DataFlags
    from gatecast.data import Panel, Schema


def read(file: Path, flags: DataFlags, schema: Schema | None = None) -> Panel:
    """The file as a panel, read by the schema of a model where there is one; flags override it."""
    if str(file) != STDIN:
        require_file(file)  # before pandas is loaded
    from gatecast.data.read import read_new, read_panel

    opened = source(file)
    return read_panel(opened, **given(flags)) if schema is None else read_new(opened, schema, **given(flags))


class Piped:
    """Standard input as an open file that can be read again."""

    name = "standard input"

    def __init__(self, content: bytes) -> None:
        self.content = content

    def read(self) -> bytes:
        """All of it."""
        return self.content

    def seek(self, position: int) -> int:
        """It always is read from its beginning."""
        return position


def source(file: Path) -> Path | Piped:
    """The file, or what stands on standard input for its name."""
    return Piped(sys.stdin.buffer.read()) if str(file) == STDIN else file


def check_inputs(file: Path, future: Path | None) -> None:
    """Check the files to read, before anything heavy is loaded.

    Raises:
        SettingError: both are standard input.
        DataError: one does not exist.
    """
    if str(file) == str(future) == STDIN:
        problem = "the file and " + Arg("future", "-") + " are both standard input, which can be read once"
        raise SettingError(problem, "write one of them to a file and name it")
    for one in (file, future):
        if one is not None and str(one) != STDIN:
            require_file(one)


def given(flags: DataFlags) -> dict[str, Any]:
    """Arguments of ``read_panel``: options that were not given are left to be found."""
    values = {field.name: getattr(flags, field.name) for field in fields(flags)}
    found = {field.name: values[field.name] for field in fields(flags) if values[field.name] != field.default}
    if found.pop("no_time", False):
        if "time" in found:
            raise SettingError(Arg("time") + " and " + Arg("time", False) + " were both given", "use one of the two")
        found["time"] = False
    return found
