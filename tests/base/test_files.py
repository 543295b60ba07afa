"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gatecast.base.files import staging_folder, whole

WRITER = """
import os, sys
from pathlib import Path
from gatecast.base.files import whole
path, letter = Path(sys.argv[1]), sys.argv[2].encode()
for _ in range(int(sys.argv[3])):
    with whole(path) as draft:
        draft.write_bytes(letter * 300_000)
"""
KILLED = """
import os, signal, sys
from pathlib import Path
from gatecast.base.files import whole
with whole(Path(sys.argv[1])) as draft:
    draft.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_file_takes_the_place_of_the_old_one_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with whole(path) as draft:
        draft.write_text("new")
        assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "new"


def test_a_failing_block_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with pytest.raises(OSError, match="4"), whole(path) as draft:
        raise OSError(draft.write_text("half"))
    assert list(tmp_path.iterdir()) == []


def test_two_processes_that_write_one_file_300_times(tmp_path: Path) -> None:
    path = tmp_path / "model.gatecast"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), letter, "150"]) for letter in "ab"]
    read = 0
    while any(one.poll() is None for one in writers):
        if path.exists():
            text = path.read_bytes()
            assert len(text) == 300_000
            assert text[:1] == text[-1:]
            read += 1
    assert [one.returncode for one in writers] == [0, 0]
    assert read > 10
    assert [one.name for one in tmp_path.iterdir()] == ["model.gatecast"]


def test_a_partial_file_of_the_user_stays(tmp_path: Path) -> None:
    mine = tmp_path / "a.txt.partial"
    mine.write_text("mine")
    with whole(tmp_path / "a.txt") as draft:
        assert draft != mine
        draft.write_text("new")
    assert mine.read_text() == "mine"


def test_what_a_killed_process_left_goes_with_the_next_write(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 1
    with whole(path) as draft:
        draft.write_text("new")
    assert [one.name for one in tmp_path.iterdir()] == ["a.txt"]


def test_the_draft_of_a_living_writer_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with whole(path) as first:
        first.write_text("first")
        with whole(path) as second:
            second.write_text("second")
        assert first.read_text() == "first"
    assert path.read_text() == "first"


def test_a_full_disk_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with pytest.raises(OSError, match=r"a\.txt") as caught, whole(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, calls = tmp_path / "a.txt", []
    original = {name: getattr(os, name) for name in ("fsync", "replace")}

    def noted(name: str) -> Any:
        def call(*args: Any) -> Any:
            calls.append((name, path.exists()))
            return original[name](*args)

        return call

    for name in original:
        monkeypatch.setattr(os, name, noted(name))
    with whole(path) as draft:
        draft.write_text("new")
    assert calls == [("fsync", False), ("replace", False), ("fsync", True)]  # the file, its name, the folder


def test_permissions_of_the_old_file_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(0o600)
    with whole(path) as draft:
        draft.write_text("new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_long_name(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 120 + ".csv")
    with whole(path) as draft:
        draft.write_text("new")
    assert path.read_text() == "new"


def test_a_staging_folder_is_gone_at_the_end(tmp_path: Path) -> None:
    with staging_folder(tmp_path, "gatecast") as first, staging_folder(tmp_path, "gatecast") as second:
        (first / "a.txt").write_text("a")
        assert first != second
        assert first.is_dir()
    assert list(tmp_path.iterdir()) == []
