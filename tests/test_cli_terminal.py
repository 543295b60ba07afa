"""Names from files do not control the terminal, and a terminal of few characters stops no run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROWS = "date,y\x1b[31m[bold]\n" + "".join(f"2024-01-{day:02d},{day}\n" for day in range(1, 29))


@pytest.mark.parametrize("encoding", ["ascii", "cp949", "utf-8"])
def test_a_backtest_prints_on_any_terminal(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "e.csv").write_text(ROWS)
    words = ["forecast", "e.csv", "--horizon", "2", "--model", "naive", "--windows", "2", "--out", "o"]
    code = "import sys; from gatecast.cli.app import main; sys.exit(main())"
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=tmp_path, env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert b"\x1b" not in done.stdout + done.stderr
    assert rb"\x1b[31m[bold]" in done.stdout
    assert (tmp_path / "o" / "forecast.csv").exists()


def test_names_with_line_breaks_and_c1_signs(run: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    rows = "".join(f'2024-01-{k:02},"{one}",{k}\n' for one in ("a\nb", "c\x9b31m\u202ed") for k in range(1, 21))
    (tmp_path / "in.csv").write_text("day,shop,y\n" + rows)
    options = ["--horizon", 2, "--model", "naive", "--windows", 0, "--out", "out"]
    code, out, _ = run("forecast", "in.csv", *options)
    assert code == 0
    assert "  a\\nb " in out
    assert "  c\\x9b31m\\u202ed " in out
    code, out, _ = run("forecast", "in.csv", *options, "--json")
    assert "\x9b" not in out
    assert {row["shop"] for row in json.loads(out)["forecast"]} == {"a\nb", "c\x9b31m\u202ed"}
