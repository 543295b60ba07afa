"""Whether a folder can be written to, and has room, asked before any work is done."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg, Text

_SPARE = 20_000_000  # bytes left free for the rest of the machine


def require_writable(folder: Path, name: Arg | Text) -> None:
    """Check that files can be made in a folder, which may not exist yet; nothing is left behind.

    Args:
        folder: to write to.
        name: of the setting that names it, with its value.

    Raises:
        SettingError: the folder cannot be made or written to.
    """
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SettingError(name + f" is not writable ({error.strerror})", "choose another folder") from error
    finally:
        for one in made:
            with suppress(OSError):
                one.rmdir()


def require_space(folder: Path, size: int, name: Arg | Text) -> None:
    """Check that the disk of a folder has room, roughly.

    Args:
        folder: to write to; it may not exist yet.
        size: bytes that will be written, about.
        name: of the setting that names it, with its value.

    Raises:
        SettingError: the disk has less than that free.
    """
    there = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    free = shutil.disk_usage(there).free
    if free < size + _SPARE:
        problem = name + f": about {_megabytes(size + _SPARE)} are needed, and the disk has {_megabytes(free)} free"
        raise SettingError(problem, "free some space, or name a folder on another disk")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
