"""The kernels without PyTorch: csrc/tests/driver.cpp under the sanitizers, and as NEON code under an emulator."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "csrc"
FILES = ["tests/driver.cpp", "lstm_forward.cpp", "lstm_backward.cpp", "kernels.cpp", "workspace.cpp"]
COMMON = ["-std=c++17", "-ffp-contract=fast", "-pthread"]
AVX2 = ["-mavx2", "-mfma", "-DGATECAST_ISA=avx2", "-DGATECAST_LANES=8"]
AVX512 = [
    "-mavx512f",
    "-mavx512bw",
    "-mavx512dq",
    "-mavx512vl",
    "-mfma",
    "-DGATECAST_ISA=avx512",
    "-DGATECAST_LANES=16",
]
NEON = ["-DGATECAST_ISA=neon", "-DGATECAST_LANES=4"]
ADDRESS = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
ADDRESS += ["-fno-sanitize=null,object-size,alignment,pointer-overflow"]  # these four cost most of the compile time
THREAD = ["-O1", "-fsanitize=thread"]

HERE = {"x86_64": AVX2, "aarch64": NEON}.get(platform.machine())
pytestmark = pytest.mark.skipif(HERE is None or shutil.which("g++") is None, reason="no g++ for this processor")


def build(compiler: str, flags: list[str], program: Path) -> Path:
    command = [compiler, *COMMON, *flags, *(str(SOURCES / name) for name in FILES), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return program


def passes(command: list[str]) -> None:
    env = {**os.environ, "GATECAST_POISON": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=env)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert " 0 wrong" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("sanitizer", [ADDRESS, THREAD], ids=["address and undefined", "thread"])
def test_the_sanitizers_find_nothing(sanitizer: list[str], tmp_path: Path) -> None:
    passes([str(build("g++", [*(HERE or []), *sanitizer], tmp_path / "driver"))])


@pytest.mark.slow
def test_the_neon_kernels_under_an_emulator(tmp_path: Path) -> None:
    if not (shutil.which("aarch64-linux-gnu-g++") and shutil.which("qemu-aarch64")):
        pytest.skip("needs aarch64-linux-gnu-g++ and qemu-aarch64")
    program = build("aarch64-linux-gnu-g++", [*NEON, "-O2", "-static"], tmp_path / "driver")
    passes(["qemu-aarch64", str(program), "5000011"])


@pytest.mark.skipif(platform.machine() != "x86_64", reason="not an x86-64 processor")
def test_every_object_keeps_to_its_namespace(tmp_path: Path) -> None:
    """A template compiled for AVX-512 outside of its namespace could be the copy that every processor runs."""
    for name in ("lstm_forward", "lstm_backward"):
        target = tmp_path / f"{name}.o"
        command = ["g++", *COMMON, *AVX512, "-O1", "-w", "-c", str(SOURCES / f"{name}.cpp"), "-o", str(target)]
        subprocess.run(command, check=True, timeout=600)
        symbols = subprocess.run(["nm", "-C", "--defined-only", target], capture_output=True, text=True, check=True)
        weak = [line for line in symbols.stdout.splitlines() if " W " in line and "gatecast::avx512::" not in line]
        assert not weak, weak
