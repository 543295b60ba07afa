"""Renew what the commands print in README.md and README.ko.md: ``python docs/make_readme.py``.

The text between ``<!-- forecast … -->`` and ``<!-- end -->`` is what ``gatecast forecast`` prints;
between ``<!-- demo -->`` and ``<!-- end -->`` stands the verdict of ``gatecast demo``.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import tempfile
from pathlib import Path

from gatecast import datasets
from gatecast.cli import main

ROOT = Path(__file__).parents[1]


def printed(*arguments: str) -> str:
    """What a command prints."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        code = main(arguments)
    if code:
        raise SystemExit(f"gatecast {' '.join(arguments)} ended with {code}")
    return text.getvalue().rstrip()


def fill(page: str, mark: str, text: str) -> str:
    """The page with new text behind the mark."""
    return re.sub(rf"(<!-- {mark}[^>]*-->\n).*?(<!-- end -->)", lambda m: m[1] + text + "\n" + m[2], page, flags=re.S)


def renew() -> None:
    """Run both commands and write both pages."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("air_passengers.csv").write_bytes(datasets.path("air_passengers").read_bytes())
        forecast = printed("forecast", "air_passengers.csv", "--horizon", "12").replace(
            ", gatecast-out/report", ",\ngatecast-out/report"
        )
        verdict = json.loads(printed("demo", "--json"))["verdict"]["text"]
    for name in ("README.md", "README.ko.md"):
        page = fill((ROOT / name).read_text("utf-8"), "forecast", f"```text\n{forecast}\n```")
        (ROOT / name).write_text(fill(page, "demo", f"> {verdict}"), "utf-8")


if __name__ == "__main__":
    renew()
