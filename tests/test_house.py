"""``benchmarks/house.py`` counts what it says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("grimp")


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    for name in ("house", "common"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import house

    return house


def test_circles_are_the_sets_of_modules_that_reach_each_other(house: Any) -> None:
    imports = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": set()}
    assert house.circles(imports) == {frozenset("abc")}
    assert house.circles({**imports, "c": {"d"}}) == set()


def test_a_repeated_run_is_counted_once_whatever_its_spaces_strings_and_comments(house: Any) -> None:
    body = [f"    total += value_{k}['x'] * {k}" for k in range(house.RUN + 2)]
    one = "\n".join(["def one():", "    total = 0", *body, ""])
    other = "\n\n".join(["def other():", "    'A docstring.'", *(f"{line}0  # why" for line in body), ""])
    repeated = list(house.repetitions({Path("one"): one, Path("other"): other}))
    assert repeated == [((Path("one"), 3), (Path("other"), 5))]
    short = "\n".join(body[: house.RUN - 1]).replace("    ", "")  # one line less than a run
    assert list(house.repetitions({Path("one"): short, Path("other"): short})) == []


def test_the_figures_of_a_small_package(house: Any, tmp_path: Path) -> None:
    package = tmp_path / "src" / "small"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('__all__ = ["f", "g"]\nfrom small import left\n')
    (package / "left.py").write_text("from small import right\n")
    long = "\n".join(f"    x = {k}\n    y = x ** {k}" for k in range(16))
    (package / "right.py").write_text(f"from small import left\n\n\ndef f(self, a, *, b):\n    'Doc.'\n{long}\n")
    found = house.figures(tmp_path / "src")
    assert (found["files of Python"], found["names in __all__"]) == (3, 2)
    assert (found["circles of modules"], found["circles of subpackages"]) == (1, 1)
    assert (found["functions"], found["bodies over 30 lines"], found["arguments, most"]) == (1, 1, 2)
