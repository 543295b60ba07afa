"""Write the pages of docs/evidence/benchmarks/ from benchmarks/results/*.json.

    python benchmarks/write_docs.py [--check]

Each script has a page, and each of its result files a section: what the benchmark does (the docstring of the script),
the command, the machine and versions it ran with, the gate, the figures. Nothing is typed in by hand; ``--check`` fails
if a page is stale.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent / "docs"
PAGES = DOCS / "evidence" / "benchmarks"
SCRIPTS = {  # part of the overview → script → title of its page
    "Accuracy": {
        "accuracy": "Accuracy on M4 and ETT",
        "design": "Choice of the defaults",
        "tuning": "Tuned against default settings",
        "time_to_accuracy": "Time to accuracy",
        "outliers": "Losses and outliers",
        "digits": "Sequential digits",
    },
    "Speed and memory": {
        "same_network": "The same network in three libraries",
        "first_forecast": "The first forecast",
        "latency": "Latency",
        "scale": "Memory of a large panel",
        "step": "Parts of a training step",
        "layers": "The LSTM layer and PyTorch's",
        "layers_rivals": "The LSTM layer and other libraries",
        "precision": "Training with products of bfloat16",
    },
    "Epidemics": {
        "epidemic_india": "COVID-19 in India",
        "epidemic_canada": "COVID-19 in Canada",
        "epidemic_china": "SEIR on China's first wave",
        "epidemic_hybrid": "SEIR, LSTM and both in China",
        "epidemic_world": "COVID-19 in ten countries",
        "epidemic_coverage": "Coverage of SEIR's intervals",
    },
    "Rain and wind": {
        "rain": "Rain, an event that was not learned from",
        "wind": "Wind power of GEFCom2012",
    },
}
HEAD = """# Benchmarks

Every table is written by `python benchmarks/write_docs.py` from the JSON that the benchmark itself wrote, and states
its command, machine, versions and threads. Libraries that are compared ran in one session and took turns. Each run is a
separate process, and each library has its own environment with the same PyTorch (`benchmarks/peers/install.sh DIR`
makes them).

- *CPU s* counts user and system time of all threads: the figure to trust where a machine was busy. *wall* is elapsed
  time.
- A value `× ours` above 1 is how many times as much the other library needs.
- Gates come first: a time counts only if the forecast is as good.
"""


def main() -> None:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser(description="Write docs/evidence/benchmarks/ from benchmarks/results/*.json.")
    parser.add_argument("--check", action="store_true", help="fail if a page differs, write nothing")
    check = parser.parse_args().check
    texts = pages()
    stale = [path for path, text in texts.items() if not path.exists() or path.read_text("utf-8") != text]
    stale += [path for path in PAGES.glob("*.md") if path not in texts]
    if check:
        sys.exit(f"stale: {', '.join(path.name for path in stale)}; run {Path(__file__).name}" if stale else 0)
    PAGES.mkdir(parents=True, exist_ok=True)
    for path in stale:
        path.write_text(texts[path], "utf-8") if path in texts else path.unlink()
        print(f"{'written' if path in texts else 'removed'}: {path}")


def pages(folder: Path = HERE / "results") -> dict[Path, str]:
    """The text of each page: one for each script that has results, and the overview."""
    results = [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))]
    by_script: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        by_script.setdefault(script_of(result), []).append(result)
    known = {name: title for part in SCRIPTS.values() for name, title in part.items()}
    if unknown := set(by_script) - set(known):
        raise SystemExit(f"benchmarks without a title in SCRIPTS: {', '.join(sorted(unknown))}")
    found = {path_of(name): page(known[name], of_script) for name, of_script in by_script.items()}
    return {PAGES / "index.md": overview(by_script), **found}


def overview(by_script: dict[str, list[dict[str, Any]]]) -> str:
    """The list of all benchmarks."""
    parts = [HEAD]
    for part, scripts in SCRIPTS.items():
        lines = ["| benchmark | question | measured |", "| --- | --- | --- |"]
        for name, title in scripts.items():
            if name in by_script:
                question = text_of(name).split("\n\n")[0].replace("\n", " ")
                date = max(result["date"] for result in by_script[name])
                lines.append(f"| [{title}]({path_of(name).name}) | {question} | {date} |")
        parts.append(f"## {part}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def page(title: str, results: list[dict[str, Any]]) -> str:
    """The page of one script."""
    parts = [f"# {title}", text_of(script_of(results[0]))]
    for result in results:
        parts += [f"## {result['title']}"] if len(results) > 1 else []
        parts += section(result, "#" * (2 + (len(results) > 1)))
    return "\n\n".join(part for part in parts if part) + "\n"


def section(result: dict[str, Any], level: str) -> list[str]:
    """One result: command, machine, gate, figures."""
    parts = [f"```sh\n{result['command']}\n```", _ran(result)]
    if result.get("gates"):
        parts += ["Gate:", markdown(result["gates"])]
    if result.get("plot") and (DOCS / result["plot"]).exists():
        parts.append(f"![{result['title']}]({os.path.relpath(DOCS / result['plot'], PAGES)})")
    for name, rows in groups(result["rows"]).items():
        parts += [f"{level} {name}"] if name else []
        parts.append(markdown(rows))
    return parts


def script_of(result: dict[str, Any]) -> str:
    """Name of the script that wrote the result, without suffix."""
    return re.findall(r"benchmarks/(\w+)\.py", result["command"])[0]


def path_of(script: str) -> Path:
    """The page of a script."""
    return PAGES / f"{script.replace('_', '-')}.md"


def text_of(script: str) -> str:
    """The docstring of a script, as Markdown."""
    doc = ast.get_docstring(ast.parse((HERE / f"{script}.py").read_text("utf-8"))) or ""
    return "\n\n".join(part for part in doc.split("\n\n") if not part.startswith("    ")).replace("``", "`")


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


if __name__ == "__main__":
    main()
