"""Files appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatecast.base.files import whole


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
