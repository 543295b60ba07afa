"""The LSTM operator beside ``torch.nn.LSTM``: eight shapes, one and two threads, inference and training.

    python benchmarks/layers.py [--rounds 5] [--most-threads 1] [--quick]

Gate first: in every process, each case of ``gatecast.testing`` must follow the float64 reference (relative error below
1e-5 in outputs, states and all gradients) before a time is taken. Then the rivals take turns in one process: gatecast,
``torch.nn.LSTM`` as installed (oneDNN) and with oneDNN switched off. Ratios are formed within a round; medians over
rounds are shown. With one thread CPU time counts, with two the clock on the wall: on a busy machine PyTorch's barriers
at every step would measure the neighbours (``--most-threads 1`` leaves two threads out). Forward + backward includes
the gradient of x on both sides. *Equal allocator* repeats the comparison with glibc set to keep freed memory
(``MALLOC_MMAP_THRESHOLD_`` and ``MALLOC_TRIM_THRESHOLD_``), which removes the page faults of PyTorch's temporaries. *Of
peak* is the share of what a loop of independent FMA instructions reaches on one core of this machine. *Autocast to
bfloat16*, where the processor has AMX: both layers with float32 weights under ``torch.autocast``, beside our float32;
errors are those of the outputs against it, the norm of the difference over the norm.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import common

from gatecast.ops.library import library

EQUAL = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "8589934592", "MALLOC_TOP_PAD_": "67108864"}
PEAK = """
#include <cstdio>
#include <ctime>
static double now() { timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + 1e-9 * t.tv_nsec; }
typedef float V __attribute__((vector_size(LANES * 4)));
int main() {
  double best = 1e9;
  for (int round = 0; round < 400; round++) {
    V a[12], x = V{} + 0.999f, y = V{} + 1e-3f;
    for (V& one : a) one = x;
    double start = now();
    for (int k = 0; k < 20000; k++) {
      for (V& one : a) one = one * x + y;
      asm volatile("" : "+x"(x));
    }
    double seconds = now() - start;
    for (V& one : a) asm volatile("" : "+x"(one));
    if (seconds < best) best = seconds;
  }
  std::printf("%f", 20000.0 * 12 * 2 * LANES / best);
}
"""


def main() -> None:
    """Measure every setting, print the tables, and write the result."""
    parser = common.arguments(__doc__, rounds=5)
    parser.add_argument("--most-threads", type=int, default=2, help="1: leave out the settings with two threads")
    parser.add_argument("--quick", action="store_true", help="two shapes, one thread")
    args = parser.parse_args()
    peak, rows, runs = peak_of_one_core(), [], []
    for threads in range(1, 1 + (1 if args.quick else args.most_threads)):
        for name, env in {"as installed": {}, "equal allocator": EQUAL}.items():
            job = {"part": "shapes", "peak": peak if threads == 1 else None, "native": name == "as installed"}
            runs.append(worker(job, threads, args, **env))
            heading = f"{threads} thread{'s' * (threads > 1)}, {name}"
            rows += [row | {"task": f"{heading}: {row['task']}"} for row in runs[-1].result["rows"]]
    for part in ("options", "steps"):
        runs.append(worker({"part": part, "peak": peak}, 1, args))
        rows += runs[-1].result["rows"]
    if library().tiles:
        runs.append(worker({"part": "halves"}, 1, args))
        rows += [row | {"task": f"1 thread, autocast to bfloat16: {row['task']}"} for row in runs[-1].result["rows"]]
    print(common.table(rows))
    common.write(
        "layers", rows, args, title="The LSTM layer", versions=common.versions(runs),
        gates=[{"gate": "all cases of gatecast.testing, every process", "relative error": "< 1e-5"},
               {"gate": "FMA peak of one core, GFLOP/s", "relative error": f"{peak / 1e9:.1f}"}] if peak else None,
    )  # fmt: skip


def worker(job: dict[str, Any], threads: int, args: argparse.Namespace, **env: str) -> common.Run:
    """Run layers_worker.py on one part."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        job |= {"threads": threads, "rounds": args.rounds, "shapes": 2 if args.quick else 8, "result": str(result)}
        command = [sys.executable, str(common.HERE / "peers" / "layers_worker.py"), json.dumps(job)]
        run = common.run(command, threads=threads, result=result, **env)
        print(run.output, flush=True)
        return run


def peak_of_one_core() -> float | None:
    """FLOP/s of independent FMA instructions; None without a compiler."""
    compiler = shutil.which("g++")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        program, source = Path(folder) / "peak", Path(folder) / "peak.cpp"
        source.write_text(PEAK)
        wide = "avx512f" in Path("/proc/cpuinfo").read_text()
        flags = ["-O2", "-march=native", "-ffp-contract=fast", f"-DLANES={16 if wide else 8}", "-funroll-loops"]
        subprocess.run([compiler, *flags, str(source), "-o", str(program)], check=True)
        return float(subprocess.run([program], capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    main()
