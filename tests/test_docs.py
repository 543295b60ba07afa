"""Every example in the documentation and the README runs."""

from __future__ import annotations

import doctest
import importlib
import re
import runpy
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from sybil import Document, Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from gatecast import FitConfig
from gatecast.cli import main

ROOT = Path(__file__).parents[1]
RUN = [*sorted(ROOT.glob("docs/**/*.md")), ROOT / "README.md"]
PAGES = [*RUN, *ROOT.glob("*.md"), *ROOT.glob("[be]*/README.md")]  # README.ko.md has the examples of README.md
WITH_EXAMPLES = [
    ".".join(file.relative_to(ROOT / "src" / "gatecast").with_suffix("").parts).removesuffix(".__init__")
    for file in sorted((ROOT / "src" / "gatecast").rglob("*.py"))
    if ">>> " in file.read_text("utf-8")
]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL


class ConsoleParser(CodeBlockParser):
    """``console`` blocks: each ``$ gatecast …`` runs in this process; what follows it must be what it prints."""

    language = "console"

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        super().__init__()
        self.capture = capture

    def evaluate(self, example: Example) -> str | None:
        """Run the commands; a message where one fails or prints something else."""
        for part in re.split(r"^\$ ", str(example.parsed), flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            words = shlex.split(command, comments=True)
            self.capture.readouterr()
            code = main(words[1:])
            said = self.capture.readouterr()
            if words[0] != "gatecast" or code != 0:
                return f"$ {command}\nended with {code}: {said.err}"
            if expected.strip() and not doctest.OutputChecker().check_output(expected, said.out, OPTIONS):
                return f"$ {command}\nexpected\n{expected}\ngot\n{said.out}"
        return None


def examples(page: Path, capture: pytest.CaptureFixture[str]) -> Iterable[Example]:
    """The examples of one page, in order, in one namespace."""
    parsers = [PythonCodeBlockParser(doctest_optionflags=OPTIONS), ConsoleParser(capture)]
    document: Document = Sybil(parsers=parsers, path=str(page.parent)).parse(page)
    return document.examples()


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with the file that the pages speak of; a training of no given length is a short one."""
    from gatecast import datasets
    from gatecast.forecasters import members

    usual = members.steps_of

    def short(config: FitConfig, windows: int) -> int:
        return min(40, usual(config, windows)) if config.steps is None else config.steps

    (tmp_path / "air_passengers.csv").write_bytes(datasets.path("air_passengers").read_bytes())
    monkeypatch.setattr(members, "steps_of", short)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in RUN])
def test_the_examples_of_a_page_run(page: Path, workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for example in examples(page, capsys):
        example.evaluate()


def test_a_wrong_example_would_be_noticed(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(text: str) -> None:
        page = workplace / "page.md"
        page.write_text(text)
        for example in examples(page, capsys):
            example.evaluate()

    run("```python\n>>> 1 + 1\n2\n\n```\n")
    run("```console\n$ gatecast --version\n...\n```\n")
    with pytest.raises(Exception, match="Expected"):
        run("```python\n>>> 1 + 1\n3\n\n```\n")
    with pytest.raises(ZeroDivisionError):
        run("```python\n1 / 0\n```\n")
    with pytest.raises(Exception, match="ended with 2"):
        run("```console\n$ gatecast data nowhere.csv\n```\n")
    with pytest.raises(Exception, match="expected"):
        run("```console\n$ gatecast --version\n99.0\n```\n")


def _code(page: Path) -> list[str]:
    fences = re.findall(r"^```(?:python|console|bash|toml)\n(.*?)^```", page.read_text("utf-8"), re.S | re.M)
    return [re.sub(r"#.*", "", fence).strip() for fence in fences]


def test_the_korean_readme_keeps_in_step() -> None:
    """The same examples, the same number of sections, the same links to pages."""
    english, korean = ROOT / "README.md", ROOT / "README.ko.md"
    assert _code(english) == _code(korean)
    headings = [len(re.findall(r"^## ", page.read_text("utf-8"), re.M)) for page in (english, korean)]
    assert headings[0] == headings[1]
    links = [
        set(re.findall(r"\]\((docs/[^)#]+|[A-Z]+(?:\.md)?)\)", page.read_text("utf-8"))) for page in (english, korean)
    ]
    assert links[0] == links[1] - {"README.md"}


def test_links_between_pages_and_pictures_exist() -> None:
    """mkdocs checks those under docs/ as well, with their anchors; it does not see the pages outside."""
    missing: list[Any] = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                missing.append((page.name, target))
    assert missing == []


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8")
    pages = [str(page.relative_to(ROOT / "docs")) for page in ROOT.glob("docs/**/*.md")]
    assert [page for page in pages if f": {page}\n" not in navigation] == []


def test_the_pages_of_the_benchmarks_are_those_of_their_results() -> None:
    writer = runpy.run_path(str(ROOT / "benchmarks" / "write_docs.py"))
    pages = writer["pages"]()
    assert {page for page, text in pages.items() if page.read_text("utf-8") != text} == set()
    assert set(pages) == set((ROOT / "docs" / "evidence" / "benchmarks").glob("*.md"))


def test_equations_become_mathml() -> None:
    hooks = runpy.run_path(str(ROOT / "docs" / "hooks.py"))
    page = hooks["on_page_content"](r'costs $5, <span class="arithmatex">\(a &lt; b_t\)</span>')
    assert page.startswith("costs $5, <math ")
    assert "arithmatex" not in page
    assert "&lt;" in page or "&#x0003C;" in page


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_the_examples_of_a_docstring_run(module: str) -> None:
    done = doctest.testmod(importlib.import_module(f"gatecast.{module}"), optionflags=OPTIONS)
    assert done.attempted > 0
    assert done.failed == 0
