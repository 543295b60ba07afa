"""Where the library of the CPU kernels lies: in the package, or in the user's cache if the package is read-only.

A library carries a stamp of what it was compiled from. One of other sources, or for another kind of processor, is not
loaded: after an update its operators could read their arguments by other positions.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from gatecast.ops import compile as compiling

LIBRARY = Path(__file__).with_name("kernels.so")
REASON = LIBRARY.with_suffix(".txt")
INSTALLED, CHECKOUT = LIBRARY.with_name("csrc"), Path(__file__).parents[3] / "csrc"
SOURCES = INSTALLED if INSTALLED.is_dir() else CHECKOUT


def places() -> list[Path]:
    """Files that may hold the kernels; new ones are put into the first that can be written."""
    folder = _cache()
    return [LIBRARY, *([folder / f"kernels-{stamp().decode().split()[-1]}.so"] if folder else [])]


def current() -> Path | None:
    """The library that was compiled from the sources that are here."""
    wanted = stamp()
    return next((path for path in places() if _trusted(path) and wanted in path.read_bytes()), None)


def stamp() -> bytes:
    """The stamp of a current library; without sources (a frozen program) the beginning of every stamp."""
    return compiling.stamp(SOURCES) if SOURCES.is_dir() and Path(compiling.__file__).exists() else compiling.STAMP


def why_missing() -> str:
    """Why there is no library, and the command that compiles it."""
    if LIBRARY.exists() and LIBRARY.stat().st_size:
        return f"the CPU kernels were compiled from other sources; compile them again: {command()}"
    lines = REASON.read_text("utf-8").strip().splitlines() if REASON.exists() else []
    more = f" … {lines[-1][:200]}" if len(lines) > 1 else ""
    why = f" ({lines[0][:200]}{more})" if lines else ""
    return f"the CPU kernels were not compiled at installation{why}; with a C++ compiler, compile them: {command()}"


def command() -> str:
    """What to type in a shell to compile the kernels for the Python that runs now."""
    return shlex.join([sys.executable or "python", "-m", "gatecast", "build-kernels"])


def _cache() -> Path | None:
    """The user's cache folder, as the XDG specification names it; None if there is no home."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    return folder / "gatecast" if folder.is_absolute() else None


def _trusted(path: Path) -> bool:
    """Whether it is a file which, outside the package, nobody but its owner, this user or root, can have written."""
    try:
        found = path.stat()
    except OSError:
        return False
    return path == LIBRARY or (found.st_uid in (0, os.getuid()) and not found.st_mode & 0o022)
