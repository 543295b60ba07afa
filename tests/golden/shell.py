"""The command line in this process, and what its help says about options."""

from __future__ import annotations

import contextlib
import io
import os
import re
from typing import Any

from gatecast.cli import main

COMMANDS = (
    "forecast",
    "backtest",
    "tune",
    "predict",
    "data",
    "explain-training",
    "epidemic",
    "lab",
    "lab cell",
    "lab gradients",
    "nowcast",
    "power",
    "lab memory",
    "demo",
    "future",
    "build-kernels",
)
# A cell of the help's tables that begins an entry; the lines of a wrapped text are indented further.
ENTRY = re.compile(r"│ (?:\*  | {3})?(?=--|[A-Z])(.*?)│?$")


def shell(*arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(one) for one in arguments])
    return code, out.getvalue(), err.getvalue()


def build() -> dict[str, Any]:
    """The commands, and for each its options with defaults and choices."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "400"
    try:
        listed = re.findall(r"^│ ([a-z-]*[a-z]) ", shell("--help")[1], re.M)
        return {"commands": sorted(listed)} | {name: options(shell(*name.split(), "--help")[1]) for name in COMMANDS}
    finally:
        os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)


def options(text: str) -> dict[str, dict[str, Any]]:
    """Default, choices and need of each entry of a help page, by the names it has."""
    entries: list[str] = []
    for line in text.splitlines():
        if found := ENTRY.match(line):
            entries.append(found[1])
        elif line.startswith("│") and entries:
            entries[-1] += line.strip("│")
    return dict(_option(" ".join(entry.split())) for entry in entries)


def _option(entry: str) -> tuple[str, dict[str, Any]]:
    words = entry.split()
    switches = [word for word in words[:2] if word.startswith("--")]
    facts: dict[str, Any] = {"required": True} if "[required]" in entry else {}
    for fact in ("default", "choices"):
        if found := re.search(rf"\[{fact}: (.*?)\](?= \[|$)", entry):
            facts[fact] = found[1]
    return " ".join(switches) or words[0], facts
