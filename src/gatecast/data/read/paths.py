"""Whether a file is there at all; asked before anything heavy is loaded to read it."""

from __future__ import annotations

import difflib
from pathlib import Path

from gatecast.base.errors import DataError

_ALIKE = 0.75  # how alike two names must be for one to be a slip of the other


def require_file(path: Path) -> None:
    """The path is that of a file.

    Raises:
        DataError: for an address, a folder or nothing; with the name that may have been meant.
    """
    name = path.name or str(path)
    if "://" in str(path) or str(path).startswith(("http:/", "https:/")):
        raise DataError(f"{name}: addresses on the network are not read; download the file first")
    if path.is_dir():
        inside = ", ".join(sorted(child.name for child in path.iterdir())[:8])
        raise DataError(f"{name}: this is a folder; name one of its files: {inside}")
    if not path.exists():
        near = _near(path)
        raise DataError(
            f"{name}: no such file in {path.parent}; {f'did you mean {near!r}?' if near else 'check the path'}"
        )


def _near(path: Path) -> str | None:
    """A file beside it of nearly the same name."""
    beside = {child.stem: child.name for child in path.parent.iterdir()} if path.parent.is_dir() else {}
    near = difflib.get_close_matches(path.stem, beside, 1, _ALIKE)
    return beside[near[0]] if near else None
