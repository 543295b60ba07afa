"""Find expressions that are not plain technical English: ``python docs/check_words.py [PATH …]``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("src", "csrc", "docs", "examples", "benchmarks", "tests", ".github")
SUFFIXES = {".py", ".md", ".cpp", ".h", ".j2", ".js", ".yml"}
WORDS = {
    r"(is|are|was|were) none": "say what is missing: there is no …, … is not a …, … are excluded",
    r"(that|what|which) (is|are) no(?! longer)": "that is not a …; or its name: invalid, missing, unsupported",
    r"(is )?no number": "not a number, not numeric, not finite",
    r"so many": "this many, that number of, n; times as much",
    r"told": "given, passed, set, stated, reported",
    r"tells? of": "describes, lists, documents",
    r"in the place of": "instead of, in place of, replaces",
    r"asked for": "requested, given, selected",
    r"hang(s|ing)? together": "are correlated, depend on each other",
    r"(gone|going|goes|go) on (with|where|as if)": "resumed, continued",
    r"stands? in for": "replaces, is used for",
    r"one'?s own": "custom, user-defined",
    r"process(es)? of (its|their) own": "separate process",
}


def findings(text: str) -> Iterator[tuple[int, str, str]]:
    """Line, expression and better words; an expression may run over the end of a line, or be part of a name."""
    for words, better in WORDS.items():
        pattern = words.replace(" ", r"(?:_|\s+(?:(?:#|//)\s+)?)")
        for found in re.finditer(rf"(?<![A-Za-z]){pattern}(?![A-Za-z])", text):
            yield text.count("\n", 0, found.start()) + 1, re.sub(r"\s+", " ", found[0]), better


def main(paths: list[Path]) -> int:
    """Print each finding; the exit code is 1 if there are any."""
    files = paths or [*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))]
    count = 0
    for path in sorted(path.resolve() for path in files if path.suffix in SUFFIXES):
        if path.name in ("check_words.py", "test_check_words.py"):
            continue
        for line, words, better in sorted(findings(path.read_text("utf-8"))):
            print(f'{path.relative_to(ROOT)}:{line}: "{words}"; write: {better}')
            count += 1
    print(f"{count} expressions to replace" if count else "words: none to replace", file=sys.stderr)
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main([Path(name) for name in sys.argv[1:]]))
