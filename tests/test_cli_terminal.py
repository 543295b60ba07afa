"""Names from files do not control the terminal, and a terminal of few characters stops no run."""

from __future__ import annotations

import os
import subprocess
import sys
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
