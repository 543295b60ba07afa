"""Size, import circles, repeated code and width of interfaces of a source tree.

    python benchmarks/house.py [SRC …]     SRC: a folder that holds one package; default: src

One column a tree, so that two checkouts can be compared. Lines are physical lines. A circle is a set of modules (or of
subpackages) that import each other; imports for type checking do not count. A repeated run is a pair of places with at
least six equal lines; blank lines, comments, docstrings, imports and lone brackets do not count, and the values of
strings and numbers are ignored. A body ends with its last line and begins with the first statement after the docstring.
"""

from __future__ import annotations

import argparse
import ast
import io
import math
import re
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import common
import grimp

RUN = 6  # lines of a repetition
LONG = 30  # lines of a body


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("trees", nargs="*", type=Path, default=[Path("src")], metavar="SRC")
    trees = parser.parse_args().trees
    columns = {str(tree): figures(tree.resolve()) for tree in trees}
    names = next(iter(columns.values()))
    print(common.table([{"figure": name, **{tree: found[name] for tree, found in columns.items()}} for name in names]))


def figures(tree: Path) -> dict[str, float]:
    """All figures of one tree, by name."""
    package = next(path.parent.name for path in tree.glob("*/__init__.py"))
    texts = {path: path.read_text("utf-8") for path in sorted((tree / package).rglob("*.py"))}
    native = [path for path in (tree.parent / "csrc").rglob("*") if path.suffix in (".cpp", ".h")]
    parsed = [ast.parse(text) for text in texts.values()]
    functions = [node for module in parsed for node in ast.walk(module) if isinstance(node, ast.FunctionDef)]
    bodies, arguments = [body_lines(one) for one in functions], [argument_count(one) for one in functions]
    lines = [text.count("\n") for text in texts.values()]
    imports = import_graph(tree, package)
    return {
        "lines of Python": sum(lines),
        "files of Python": len(texts),
        "lines of the longest file": max(lines),
        "lines of C++": sum(path.read_text("utf-8").count("\n") for path in native),
        "files of C++": len(native),
        "circles of modules": len(circles(imports)),
        "circles of subpackages": len(circles(squashed(imports))),
        f"repeated runs of {RUN} lines or more": len(list(repetitions(texts))),
        "functions": len(functions),
        f"bodies over {LONG} lines": sum(size > LONG for size in bodies),
        "lines of a body, 90 %": percentile(bodies),
        "arguments, 90 %": percentile(arguments),
        "arguments, most": max(arguments),
        "names in __all__": sum(public_names(module) for module in parsed),
    }


def percentile(values: list[int]) -> int:
    """The 90th percentile (nearest rank)."""
    return sorted(values)[math.ceil(0.9 * len(values)) - 1]


def body_lines(function: ast.FunctionDef) -> int:
    """Lines of the body without the docstring."""
    body = function.body[ast.get_docstring(function, clean=False) is not None :]
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def argument_count(function: ast.FunctionDef) -> int:
    """Named arguments, ``self`` and ``cls`` left out."""
    given = function.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


def public_names(module: ast.Module) -> int:
    """Strings in the list that is assigned to ``__all__``."""
    for node in module.body:
        if isinstance(node, ast.Assign) and "__all__" in [one.id for one in node.targets if isinstance(one, ast.Name)]:
            return sum(isinstance(one, ast.Constant) for one in ast.walk(node.value))
    return 0


def import_graph(tree: Path, package: str) -> dict[str, set[str]]:
    """Modules that each module imports at any place, but not for type checking only."""
    sys.path.insert(0, str(tree))
    try:
        graph = grimp.build_graph(package, exclude_type_checking_imports=True, cache_dir=None)
    finally:
        sys.path.pop(0)
    return {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}


def squashed(imports: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """The same between subpackages: the parts of the package on the first level."""
    found: dict[str, set[str]] = defaultdict(set)
    for module, others in imports.items():
        if "." in module:
            home = ".".join(module.split(".")[:2])
            found[home] |= {".".join(one.split(".")[:2]) for one in others if "." in one} - {home}
    return found


def circles(imports: Mapping[str, set[str]]) -> set[frozenset[str]]:
    """Sets of more than one module in which each reaches each other (strongly connected components)."""
    reached = {module: reachable(module, imports) for module in imports}
    found = {frozenset(other for other in reached[m] if m in reached.get(other, ())) | {m} for m in imports}
    return {circle for circle in found if len(circle) > 1}


def reachable(start: str, imports: Mapping[str, set[str]]) -> set[str]:
    """Modules that a module imports, directly or through others."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        new = imports.get(waiting.pop(), set()) - seen
        seen |= new
        waiting += new
    return seen


def repetitions(texts: Mapping[Path, str]) -> Iterator[tuple[tuple[Path, int], tuple[Path, int]]]:
    """Pairs of places where the same run of at least ``RUN`` lines begins."""
    lines = {path: list(normalized(text)) for path, text in texts.items()}
    places: dict[tuple[str, ...], list[tuple[Path, int]]] = defaultdict(list)
    for path, kept in lines.items():
        for k in range(len(kept) - RUN + 1):
            places[tuple(text for _, text in kept[k : k + RUN])].append((path, k))
    pairs = {(a, b) for same in places.values() for i, a in enumerate(same) for b in same[i + 1 :]}
    for (one, i), (other, j) in sorted(pairs):
        overlap = one == other and j - i < RUN
        if not overlap and ((one, i - 1), (other, j - 1)) not in pairs:  # the run begins here
            yield (one, lines[one][i][0]), (other, lines[other][j][0])


def normalized(text: str) -> Iterator[tuple[int, str]]:
    """Number and content of each line that counts."""
    skipped = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str))
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    rows: dict[int, list[str]] = defaultdict(list)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.NAME, tokenize.OP):
            rows[token.start[0]].append(token.string)
        elif token.type in (tokenize.NUMBER, tokenize.STRING):
            rows[token.start[0]].append("0" if token.type == tokenize.NUMBER else '""')
    return _counting(rows, skipped)


def _counting(rows: Mapping[int, list[str]], skipped: Iterable[int]) -> Iterator[tuple[int, str]]:
    left_out = set(skipped)
    for number in sorted(rows):
        text = " ".join(rows[number])
        if number not in left_out and re.search(r"\w", text):
            yield number, text


if __name__ == "__main__":
    main()
