"""What the benchmarks share: one process per run, measured from outside; medians; one JSON form for results."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
_VENVS = {"neuralforecast": "nf", "darts": "darts", "keras": "keras", "jax": "jax"}
_SHOWN = ("torch", "gatecast", "neuralforecast", "darts", "numpy", "pandas")


@dataclass(frozen=True)
class Run:
    """One process from its start to its end.

    Args:
        wall, cpu: seconds of the whole process; ``cpu`` is user + system of all its threads and children.
        rss_mb: largest resident memory, in MiB.
        result: what the worker wrote: its figures and ``versions``.
        output: what it printed.
    """

    wall: float
    cpu: float
    rss_mb: float
    result: dict[str, Any]
    output: str


def arguments(description: str | None, **defaults: Any) -> argparse.ArgumentParser:
    """Parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(
        description=(description or "").split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=defaults.get("threads", 1), help="threads of every process")
    parser.add_argument("--rounds", type=int, default=defaults.get("rounds", 3), help="interleaved repetitions")
    parser.add_argument(
        "--peers", type=Path, default=os.environ.get("GATECAST_PEERS"), help="folder made by peers/install.sh"
    )
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the JSON result")
    return parser


def python_of(library: str, peers: Path | None) -> str | None:
    """The interpreter of a library; None where the peer is not installed."""
    if library not in _VENVS:
        return sys.executable
    found = peers and Path(peers) / _VENVS[library] / "bin" / "python"
    return str(found) if found and found.exists() else None


def present(libraries: Iterable[str], peers: Path | None) -> list[str]:
    """The libraries that are installed; says which are not."""
    libraries = list(libraries)
    found = [name for name in libraries if python_of(name, peers)]
    for name in libraries:
        if name not in found:
            print(f"left out: {name} (run benchmarks/peers/install.sh DIR, then give --peers DIR)")
    return found


def run(command: Sequence[str], *, threads: int, result: Path | None = None, **env: str) -> Run:
    """Run a command in an empty folder with `threads` threads; raise with its output if it fails."""
    limits = {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "MKL", "OPENBLAS", "NUMBA")}
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as printed:
        begun = time.time()
        environment = {**os.environ, **limits, "BENCHMARK_BEGUN": repr(begun), **env}
        child = subprocess.Popen(command, cwd=folder, env=environment, stdout=printed, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(child.pid, 0)
        wall = time.time() - begun
        child.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        output = printed.read()
    if child.returncode:
        raise RuntimeError(f"{shlex.join(command)} ended with {child.returncode}:\n{output[-3000:]}")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    written = json.loads(result.read_text()) if result else {}
    return Run(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / unit, written, output)


def worker(library: str, job: dict[str, Any], *, peers: Path | None, threads: int) -> Run:
    """Run ``peers/<library>_worker.py`` on a job in the library's own environment."""
    python = python_of(library, peers)
    if python is None:
        raise RuntimeError(f"{library} is not installed")
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        text = json.dumps({**job, "result": str(result)})
        return run([python, str(HERE / "peers" / f"{library}_worker.py"), text], threads=threads, result=result)


def median(values: Iterable[float]) -> float:
    """Median; NaN for nothing."""
    values = list(values)
    return statistics.median(values) if values else float("nan")


def spread(values: Iterable[float], form: str = ".1f") -> str:
    """``median (smallest–largest)``."""
    values = list(values)
    if not values:
        return "-"
    if len(values) == 1:
        return format(values[0], form)
    return f"{median(values):{form}} ({min(values):{form}}–{max(values):{form}})"


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Plain text table with aligned columns: all that occur, in order of appearance."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [list(columns)] + [[shown(row.get(name)) for name in columns] for row in rows]
    widths = [max(len(line[k]) for line in cells) for k in range(len(columns))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)


def shown(value: Any) -> str:
    """A cell: four significant digits for floats, a dash for nothing."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def versions(runs: Iterable[Run] = ()) -> dict[str, str]:
    """Versions that the workers reported, by library; Python's besides."""
    found: dict[str, str] = {"python": platform.python_version()}
    for one in runs:
        found |= one.result.get("versions", {})
    return found


def machine() -> dict[str, Any]:
    """Processor, cores, load and system of this machine."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "load": load and round(load, 1),
    }


def write(name: str, rows: Sequence[dict[str, Any]], args: argparse.Namespace, **more: Any) -> Path:
    """Write the result file that ``write_docs.py`` reads; ``more`` adds fields such as ``versions`` and ``gates``."""
    content = {
        "name": name,
        "command": shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *_public(sys.argv[1:])]),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "machine": machine(),
        "versions": more.pop("versions", versions()),
        "threads": args.threads,
        **more,
        "rows": list(rows),
    }
    args.out.mkdir(parents=True, exist_ok=True)
    path = Path(args.out) / f"{name}.json"
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=1) + "\n")
    os.replace(temporary, path)
    print(f"\nwritten: {path}")
    return path


def _public(words: Sequence[str]) -> list[str]:
    """The command line without folders of this machine."""
    return ["DIR" if word.startswith("/") else word for word in words]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
