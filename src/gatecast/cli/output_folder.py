"""The output folder: the only place gatecast writes to; files it did not write are never overwritten."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatecast.base.errors import SettingError
from gatecast.base.files import whole
from gatecast.base.findings import Arg
from gatecast.base.version import VERSION
from gatecast.base.writable import require_space, require_writable

if TYPE_CHECKING:
    import pandas as pd

RECORD = "run.json"


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
        self._ours = self._listed()
        if path.exists() and not path.is_dir():
            raise SettingError(f"--out {path} is a file", "name a folder")
        foreign = [name for name in [*names, RECORD] if (path / name).exists() and name not in self._ours]
        if foreign and not overwrite:
            raise SettingError(
                f"{path / foreign[0]} exists and was not written by gatecast",
                "name another folder with --out, or give --overwrite",
            )
        require_writable(path, Arg("out", str(path)))

    def _listed(self) -> set[str]:
        try:
            record = json.loads((self.path / RECORD).read_text("utf-8"))
            names = {name for name in map(str, record["files"]) if Path(name).name == name}  # never out of the folder
            return {RECORD, *names} if str(record["written_by"]).startswith("gatecast") else set()
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return set()

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
    def kept_on_failure(self, command: str) -> Iterator[None]:
        """Where the block fails, list what was written before, so that it stays and the next run may replace it."""
        try:
            yield
        except BaseException as error:
            if self.written:
                files = sorted({*self.written, *self._ours} - {RECORD})
                record = {"written_by": f"gatecast {VERSION}", "command": command, "files": files, "failed": str(error)}
                with suppress(OSError):
                    self._write_record(record)
                    print(f"Kept: {', '.join(str(self.path / name) for name in self.written)}", file=sys.stderr)
            raise

    def _write_record(self, record: Mapping[str, Any]) -> None:
        with whole(self.path / RECORD) as draft:
            draft.write_text(json.dumps(record, indent=2, ensure_ascii=False, default=str) + "\n", encoding="utf-8")

    def require_space(self, size: int) -> None:
        """Check that the disk has room for about this number of bytes."""
        require_space(self.path, size, Arg("out", str(self.path)))

    def file(self, name: str) -> Path:
        """The path to write a file of this name to."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.written.append(name)
        return self.path / name

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
        """Write ``run.json``, remove what an earlier run left under this run's names; paths of the files written.

        Files of other commands stay and remain listed: a forecast by a saved model does not touch the model.
        """
        for stale in self._ours & {*self.names} - {*self.written}:
            (self.path / stale).unlink(missing_ok=True)
        others = sorted(self._ours - {*self.names, *self.written, RECORD})
        files = [*self.written, *(name for name in others if (self.path / name).exists())]
        record = {"written_by": f"gatecast {VERSION}", "command": command, "files": files, "run": run}
        self.written.append(RECORD)
        self._write_record(record)
        return [str(self.path / name) for name in self.written]
