"""The check of the prose finds what it lists, and nothing else."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

SCRIPT = runpy.run_path(str(Path(__file__).parents[1] / "docs" / "check_words.py"))


def found(text: str) -> list[tuple[int, str]]:
    return [(line, words) for line, words, _ in SCRIPT["findings"](text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A bool is none.\n", [(1, "is none")]),
        ("first\n# repeat it so\n# many times\n", [(2, "so # many")]),
        ("def test_a_text_that_is_no_number(): ...\n", [(1, "that_is_no"), (1, "is_no_number")]),
        ("a run goes on\n    where it stopped\n", [(1, "goes on where")]),
        ("def test_a_loss_of_ones_own(): ...\n", [(1, "ones_own")]),
        ("if value is None: return\n", []),
        ("a branch that is no longer there, retold, none\n", []),
    ],
)
def test_expressions_are_found_over_lines_and_in_names(text: str, expected: list[tuple[int, str]]) -> None:
    assert found(text) == expected


def test_a_finding_names_file_line_and_better_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "page.md"
    bad.write_text("One.\n\nThe layer is in the place of another.\n")
    SCRIPT["main"].__globals__["ROOT"] = tmp_path
    assert SCRIPT["main"]([bad]) == 1
    assert capsys.readouterr().out == 'page.md:3: "in the place of"; write: instead of, in place of, replaces\n'
    bad.write_text("One.\n")
    assert SCRIPT["main"]([bad]) == 0
