"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
