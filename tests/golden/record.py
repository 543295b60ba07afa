"""Today's behaviour as data: ``python tests/golden/record.py`` writes ``golden.json``, test_golden.py compares.

A change of behaviour that is meant is recorded anew, and the diff of ``golden.json`` belongs to its commit.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # as in tests/conftest.py; read when PyTorch loads
if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])  # as pytest has it

from golden import development, numeric, reading, refusals, shell, signatures

FILE = Path(__file__).with_name("golden.json")
DATA = Path(os.environ.get("GATECAST_DATA", Path(__file__).parents[3] / "shared" / "data"))

SECTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "reading": reading.build,
    "development data": lambda: development.build(DATA),
    "command line": shell.build,
    "signatures": signatures.build,
    "refusals": refusals.build,
    "model file": numeric.model_file,
    "operators": numeric.operators,
    "forecasts": numeric.forecasts,
}


def plain(value: Any) -> Any:
    """The value as it comes back from a JSON file."""
    return json.loads(json.dumps(value, allow_nan=False))


def main() -> None:
    """Write the golden file; without the development data its section stays as it is."""
    warnings.simplefilter("error")
    before = json.loads(FILE.read_text()) if FILE.exists() else {}
    kept = {} if DATA.is_dir() else {"development data": before.get("development data", {})}
    found = {name: kept.get(name) or plain(build()) for name, build in SECTIONS.items()}
    FILE.write_text(_text(found) + "\n")


def _text(found: dict[str, Any]) -> str:
    """One line for each entry of a section: small enough, and a diff names what changed."""
    sections = []
    for name, entries in found.items():
        lines = (f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in entries.items())
        sections.append(f" {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(sections) + "\n}"


if __name__ == "__main__":
    main()
