"""Renders docs/benchmarks.md from benchmarks/results/*.json.

    python benchmarks/write_docs.py [--check]

Each result file becomes a section: what the benchmark does (the docstring of its script), the command, the machine and
versions it ran with, the gate, the figures. Nothing is typed in by hand; ``--check`` fails where the page is stale.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
ORDER = [
    *(
        "accuracy",
        "precision",
        "design",
        "tuning",
        "time_to_accuracy",
        "same_network",
        "step",
        "layers",
        "layers_rivals",
    ),
    *("first_forecast", "latency", "scale", "digits", "outliers"),
    *("epidemic_india_ours", "epidemic_india", "epidemic_canada"),
    *("epidemic_china", "epidemic_hybrid", "epidemic_world", "epidemic_coverage"),
]
HEAD = """# Benchmarks

Every table is written by `python benchmarks/write_docs.py` from the JSON that the benchmark itself wrote; each names
its command, machine, versions and threads. Libraries that are compared ran in one session, in turns, each run in a
process of its own and each library in an environment of its own with the same PyTorch
(`benchmarks/peers/install.sh DIR` makes them). *CPU s* counts user and system time of all threads and is the figure to
trust where a machine was busy; *wall* is what passed on the clock. A number `× ours` above 1 says that the other
library needs so many times as much. Gates come first: a time counts only where the forecast is as good.
"""


def main() -> None:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(description="Render docs/benchmarks.md from benchmarks/results/*.json.")
    parser.add_argument("--check", action="store_true", help="fail where the page differs, write nothing")
    text = page()
    if parser.parse_args().check:
        sys.exit(0 if PAGE.exists() and PAGE.read_text() == text else f"{PAGE} is stale; run {Path(__file__).name}")
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text)
    print(f"written: {PAGE}")


def page(folder: Path = HERE / "results") -> str:
    """The whole page."""
    results = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    results.sort(key=lambda one: (_rank(one["name"]), one["name"]))
    told = [about(one)[1] for one in results]
    again = [text in told[:k] for k, text in enumerate(told)]
    return "\n".join([HEAD, *[section(one, told=before) for one, before in zip(results, again, strict=True)]])


def section(result: dict[str, Any], *, told: bool = False) -> str:
    """One benchmark: words (unless a section before has told them), command, machine, gate, figures."""
    title, body = about(result)
    body = "" if told else body
    parts = [f"## {title}", body, f"```sh\n{result['command']}\n```", _ran(result)]
    if result.get("gates"):
        parts += ["Gate:", markdown(result["gates"])]
    if result.get("plot") and (PAGE.parent / result["plot"]).exists():
        parts.append(f"![{title}]({result['plot']})")
    for name, rows in groups(result["rows"]).items():
        parts += [f"### {name}"] if name else []
        parts.append(markdown(rows))
    return "\n\n".join(part for part in parts if part) + "\n"


def about(result: dict[str, Any]) -> tuple[str, str]:
    """Title and text: given in the result, else from the docstring of the script in its command."""
    title, text = result.get("title") or result["name"].replace("_", " ").capitalize(), result.get("text", "")
    found = re.search(r"benchmarks/(\w+\.py)", result["command"])
    if not text and found and (HERE / found[1]).exists():
        doc = ast.get_docstring(ast.parse((HERE / found[1]).read_text())) or ""
        text = "\n\n".join(part for part in doc.split("\n\n") if not part.startswith("    "))
        text = text.replace("``", "`")
    return title, text


def groups(rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Rows by their ``task``, where they have one; the column is left out then."""
    if not all("task" in row for row in rows) or len({row["task"] for row in rows}) == 1:
        return {"": rows}
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["task"], []).append({k: v for k, v in row.items() if k != "task"})
    return found


def markdown(rows: list[dict[str, Any]]) -> str:
    """A table with the union of the rows' columns, in order of appearance."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    names = [name for name in names if any(row.get(name) is not None for row in rows)]
    lines = [
        "| " + " | ".join(names) + " |",
        "|" + "|".join(" --- " if _words(rows, n) else " ---: " for n in names) + "|",
    ]
    lines += ["| " + " | ".join(cell(row.get(name)) for name in names) + " |" for row in rows]
    return "\n".join(lines)


def cell(value: Any) -> str:
    """Three significant digits for floats (whole numbers from 100 on), a dash for nothing."""
    if value is None or value != value:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _words(rows: list[dict[str, Any]], name: str) -> bool:
    return any(isinstance(row.get(name), str | bool) for row in rows)


def _ran(result: dict[str, Any]) -> str:
    where = result["machine"]
    if isinstance(where, dict):
        load = f", load {where['load']} at the end" if where.get("load") else ""
        where = f"{where.get('processor')}, {where.get('cores')} cores, {where.get('system')}{load}"
    versions = ", ".join(f"{name} {number}" for name, number in sorted(result["versions"].items()))
    threads = f"{result['threads']} thread" + ("s" if result["threads"] != 1 else "")
    return f"*{result['date']}; {where}; {threads} a process; {versions}.*"


def _rank(name: str) -> int:
    return next((k for k, known in enumerate(ORDER) if name.startswith(known)), len(ORDER))


if __name__ == "__main__":
    main()
