"""Files that appear whole or not at all, and whether a file to read exists."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gatecast.base.errors import DataError
from gatecast.base.text import nearest


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A draft beside the file, which takes the file's place at the end of the block; a block that fails leaves nothing.

    Args:
        path: of the file; its folder is there.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from gatecast.base.files import whole
        >>> path = Path(tempfile.mkdtemp()) / "words.txt"
        >>> with whole(path) as draft:
        ...     _ = draft.write_text("all of them")
        >>> path.read_text()
        'all of them'
    """
    draft = path.with_name(path.name + ".partial")
    try:
        yield draft
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def require_file(path: Path) -> None:
    """Check that the path is that of a file; asked before anything heavy is loaded to read it.

    Raises:
        DataError: it is an address, a folder or missing; with the name that may have been meant.
    """
    name = path.name or str(path)
    if "://" in str(path) or str(path).startswith(("http:/", "https:/")):
        raise DataError("addresses on the network are not read", "download the file first", place=name)
    _require_possible(path)
    if path.is_dir():
        inside = ", ".join(sorted(child.name for child in path.iterdir())[:8])
        raise DataError("this is a folder", f"name one of its files: {inside}", place=name)
    if not path.exists():
        near = _near(path)
        remedy = f"did you mean {near!r}?" if near else "check the path"
        raise DataError(f"no such file in {path.parent}", remedy, place=name)


def _require_possible(path: Path) -> None:
    """Check that the system can look for such a name."""
    try:
        path.stat()
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        shown = path.name if len(path.name) < 60 else path.name[:57] + "…"
        raise DataError(f"the file cannot be opened ({reason})", "check the path", place=shown) from error


def _near(path: Path) -> str | None:
    """A file in the same folder whose name is much alike."""
    beside = {child.stem: child.name for child in path.parent.iterdir()} if path.parent.is_dir() else {}
    stem = nearest(path.stem, beside, cutoff=0.75)
    return beside[stem] if stem else None
