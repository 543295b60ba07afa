"""Files that appear whole or not at all, and whether a file to read exists."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gatecast.base.errors import DataError
from gatecast.base.text import nearest

_TOKEN = r"[0-9a-f]{16}"


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A draft beside the file, which takes the file's place at the end of the block; a block that fails leaves nothing.

    The draft has a name that no other writer has, and it is on the disk before it takes the file's place: several
    processes may write one file, and after a power failure the old content or the new is there. What a killed process
    left of an earlier draft is removed.

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
    remove_leftovers(path.parent, path.name)
    draft, lock = _new_draft(path)
    try:
        yield draft
        _flush(draft)
        _keep_mode(path, draft)
        os.replace(draft, path)
        _flush(path.parent)
    except OSError as error:
        if error.errno and error.filename is None:  # a full disk: say which file could not be written
            error.filename = str(path)
        raise
    finally:
        draft.unlink(missing_ok=True)
        os.close(lock)


@contextmanager
def staging_folder(folder: Path, name: str) -> Iterator[Path]:
    """A hidden folder inside another one, for files that will be moved there; removed at the end of the block.

    Args:
        folder: is there; the hidden folder is on the same disk.
        name: part of the name of the hidden folder, by which a later call finds and removes what a killed process left.
    """
    remove_leftovers(folder, name)
    while True:
        staging = folder / _draft_name(name)
        staging.mkdir()
        lock = os.open(staging, os.O_RDONLY)
        if _locked(lock) and _same(lock, staging):
            break
        os.close(lock)
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        os.close(lock)


def move_all(staged: dict[Path, Path]) -> None:
    """Move finished files to their places, in order, and wait until the disk has them.

    Args:
        staged: where each is to be, by where it is; all on one disk.
    """
    for source, target in staged.items():
        _keep_mode(target, source)
        os.replace(source, target)
    for folder in {target.parent for target in staged.values()}:
        _flush(folder)


def remove_leftovers(folder: Path, name: str) -> None:
    """Remove drafts of this name whose process has ended: a living one holds a lock on its draft."""
    pattern = re.compile(rf"\.{re.escape(_short(name))}\.{_TOKEN}\.partial")
    with suppress(OSError):
        for left in [one for one in folder.iterdir() if pattern.fullmatch(one.name)]:
            with suppress(OSError):
                lock = os.open(left, os.O_RDONLY | os.O_NOFOLLOW)
                try:
                    if _locked(lock, certain=True):
                        shutil.rmtree(left) if left.is_dir() else left.unlink()
                finally:
                    os.close(lock)


def _new_draft(path: Path) -> tuple[Path, int]:
    """An empty file of a new name beside the path, and a descriptor that holds a lock on it."""
    while True:
        draft = path.with_name(_draft_name(path.name))
        lock = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        if _locked(lock) and _same(lock, draft):
            return draft, lock
        os.close(lock)  # another process took it for a leftover before the lock was held


def _draft_name(name: str) -> str:
    return f".{_short(name)}.{secrets.token_hex(8)}.partial"


def _short(name: str) -> str:
    """The first characters: the name of a draft must not be too long for the disk where that of the file is not."""
    return name.encode()[:200].decode(errors="ignore")


def _locked(descriptor: int, *, certain: bool = False) -> bool:
    """Whether the descriptor now holds the lock; where there are no locks, True unless it must be ``certain``."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return not certain
    return True


def _same(descriptor: int, path: Path) -> bool:
    """Whether the path still names the open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _keep_mode(old: Path, new: Path) -> None:
    """Give the new file the permissions of the one that it replaces."""
    with suppress(OSError):
        new.chmod(old.stat().st_mode & 0o777)


def _flush(path: Path) -> None:
    """Wait until the file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        if not path.is_dir():  # some file systems cannot flush a folder
            raise
    finally:
        os.close(descriptor)


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
