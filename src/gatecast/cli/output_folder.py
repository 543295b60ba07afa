"""The output folder: the only place gatecast writes to; files it did not write are never overwritten."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatecast.base.errors import SettingError
from gatecast.base.files import move_all, staging_folder, whole
from gatecast.base.findings import Arg
from gatecast.base.version import VERSION
from gatecast.base.writable import require_space, require_writable

if TYPE_CHECKING:
    import pandas as pd

RECORD = "run.json"
UNFINISHED = "unfinished"  # folder for what a failed run had written, where there are earlier results
_STAGING = "gatecast"  # part of the name of the hidden folder


class Folder:
    """A folder for the files of a run. ``run.json`` lists them, so that the next run knows which gatecast wrote.

    Args:
        path: the folder; created with the first file.
        names: files that this run may write.
        overwrite: replace files of these names that gatecast did not write.

    Raises:
        SettingError: the folder holds a file of such a name that gatecast did not write, or is not writable.
    """

    def __init__(self, path: Path, names: Sequence[str], *, overwrite: bool = False) -> None:
        if os.environ.get("RANK", "0") != "0":  # under torchrun only rank 0 writes to --out
            self._aside = tempfile.TemporaryDirectory(prefix="gatecast-")
            path = Path(self._aside.name)
        self.path, self.names = path, names
        self.written: list[str] = []
        self._overwrite = overwrite
        self._staging: Path | None = None
        if path.exists() and not path.is_dir():
            raise SettingError(f"--out {path} is a file", "name a folder")
        self._require_own()
        require_writable(path, Arg("out", str(path)))

    def require_other_than(self, *inputs: Path | None) -> None:
        """Refuse to write over a file that the run reads.

        Args:
            inputs: files to read; None for none.

        Raises:
            SettingError: a file of this run has the path of an input.
        """
        ours = {(self.path / name).resolve() for name in [*self.names, RECORD]}
        for one in inputs:
            if one is not None and one.resolve() in ours:
                raise SettingError(f"{one} is read, and would be written as a result", "name another folder with --out")

    @contextmanager
    def writing(self, command: str) -> Iterator[None]:
        """A block that computes and writes the results; :meth:`close` ends it.

        All files are written into a hidden folder first: until they are complete, the results of an earlier run stay as
        they are. Where the block fails, the files that were complete by then are kept: in the folder if it holds no
        results yet, else in the folder ``unfinished`` in it.
        """
        with ExitStack() as self._stack:
            try:
                yield
            except BaseException as error:
                with suppress(OSError):  # what failed may have been the disk
                    self._keep(command, error)
                raise
            finally:
                self._staging = None

    def _keep(self, command: str, error: BaseException) -> None:
        """Move the complete files where the user finds them, with a record, so that the next run may replace them."""
        staging = self._staging
        staged = [name for name in self.written if staging is not None and (staging / name).exists()]
        if staging is None or not staged:
            return
        earlier = [name for name in _files_of(self.path) if (self.path / name).exists()]
        target = self.path / UNFINISHED if earlier else self.path
        if earlier and target.exists() and not _by_gatecast(target):
            return
        target.mkdir(exist_ok=True)
        record = {"written_by": f"gatecast {VERSION}", "command": command, "files": staged, "failed": str(error)}
        _write_record(target / RECORD, record)
        move_all({staging / name: target / name for name in staged})
        print(f"Kept: {', '.join(str(target / name) for name in staged)}", file=sys.stderr)

    def require_space(self, size: int) -> None:
        """Check that the disk has room for about this number of bytes."""
        require_space(self.path, size, Arg("out", str(self.path)))

    def file(self, name: str) -> Path:
        """The path to write a file of this name to, in a block of :meth:`writing`."""
        if self._staging is None:
            self.path.mkdir(parents=True, exist_ok=True)
            self._staging = self._stack.enter_context(staging_folder(self.path, _STAGING))
        self.written.append(name)
        return self._staging / name

    def write_text(self, name: str, text: str) -> Path:
        """Write a file atomically: a reader never sees half of it."""
        path = self.file(name)
        with whole(path) as draft:
            draft.write_text(text, encoding="utf-8")
        return path

    def write_frame(self, name: str, frame: pd.DataFrame) -> Path:
        """Write a frame as CSV."""
        return self.write_text(name, frame.to_csv(index=False, float_format="%.10g"))

    def close(self, command: str, run: Mapping[str, Any]) -> list[str]:
        """Move the files to their places with ``run.json``; remove what an earlier run left under this run's names.

        While files are moved, ``run.json`` lists old and new ones as those of a run that is not done: the same command
        may replace them all if it is killed here. Files of other commands stay and remain listed: a forecast by a saved
        model does not touch the model.

        Returns:
            Paths of the files written.
        """
        staging = self._staging
        assert staging is not None
        ours = self._require_own()
        names = [name for name in self.names if name in self.written]
        others = sorted(ours - {*self.names, RECORD})
        files = [*names, *(name for name in others if (self.path / name).exists())]
        record = {"written_by": f"gatecast {VERSION}", "command": command, "status": "done", "files": files, "run": run}
        _write_record(staging / RECORD, record)
        claim = {**record, "status": "running", "files": sorted({*files, *self.names}), "run": {}}
        _write_record(self.path / RECORD, claim)
        move_all({staging / name: self.path / name for name in names})
        for stale in ours & {*self.names} - {*names}:
            (self.path / stale).unlink(missing_ok=True)
        move_all({staging / RECORD: self.path / RECORD})
        if _by_gatecast(self.path / UNFINISHED):
            shutil.rmtree(self.path / UNFINISHED, ignore_errors=True)
        return [str(self.path / name) for name in [*names, RECORD]]

    def _require_own(self) -> set[str]:
        """Names of gatecast's files; refuses to replace others, unless `overwrite` is set, and folders always."""
        ours = _files_of(self.path)
        there = [name for name in [*self.names, RECORD] if (self.path / name).exists()]
        folders = [name for name in there if (self.path / name).is_dir()]
        if folders:
            raise SettingError(f"{self.path / folders[0]} is a folder", "name another folder with --out")
        foreign = [name for name in there if name not in ours]
        if foreign and not self._overwrite:
            raise SettingError(
                f"{self.path / foreign[0]} exists and was not written by gatecast",
                "name another folder with --out, or give --overwrite",
            )
        return ours


def _write_record(path: Path, record: Mapping[str, Any]) -> None:
    with whole(path) as draft:
        draft.write_text(json.dumps(record, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")


def _by_gatecast(folder: Path) -> bool:
    """Whether the folder holds the record of a run, and nothing but its files."""
    names = _files_of(folder)
    return bool(names) and {one.name for one in folder.iterdir()} <= names


def _files_of(folder: Path) -> set[str]:
    """Names of the files that gatecast wrote into the folder, by its record."""
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
        names = {name for name in map(str, record["files"]) if Path(name).name == name}  # never out of the folder
        return {RECORD, *names} if str(record["written_by"]).startswith("gatecast") else set()
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()
