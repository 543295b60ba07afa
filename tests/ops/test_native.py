"""The kernels without PyTorch: csrc/tests/driver.cpp under the sanitizers, and as NEON code under an emulator."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from gatecast.ops.library import library

LIBRARY = library().file
SOURCES = Path(__file__).parents[2] / "csrc"
FILES = ["tests/driver.cpp", "lstm_forward.cpp", "lstm_backward.cpp", "function_table.cpp", "workspace.cpp"]
COMMON = ["-std=c++17", "-ffp-contract=fast", "-pthread"]
AVX2 = ["-mavx2", "-mfma", "-DGATECAST_ISA=avx2", "-DGATECAST_LANES=8"]
TILES = ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma", "-mavx512bf16", "-mamx-tile", "-mamx-bf16"]
TILES += ["-mprefer-vector-width=512", "-DGATECAST_ISA=amx", "-DGATECAST_LANES=16"]
NEON = ["-DGATECAST_ISA=neon", "-DGATECAST_LANES=4"]
ADDRESS = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
ADDRESS += ["-fno-sanitize=null,object-size,alignment,pointer-overflow"]  # these four cost most of the compile time
# In functions of more accesses than this, checks are calls: they compile in two thirds of the time.
ADDRESS += ["--param", "asan-instrumentation-with-call-threshold=100"]
THREAD = ["-O1", "-fsanitize=thread"]
FEW = "5000011"  # the activations are measured at every 5,000,011th float32 number
CPP_TYPES = {
    "Tensor": "Tensor",
    "OptionalTensor": "Optional[Tensor]",
    "Tensors": "List[Tensor]",
    "Integers": "List[int]",
    "int64_t": "int",
    "double": "float",
    "bool": "bool",
}

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
    passes([str(build("g++", [*(HERE or []), *sanitizer], tmp_path / "driver")), FEW])


@pytest.mark.slow
@pytest.mark.skipif(not library().tiles, reason="this processor has no AMX")
def test_the_address_sanitizer_finds_nothing_on_tiles(tmp_path: Path) -> None:
    passes([str(build("g++", [*TILES, *ADDRESS], tmp_path / "driver")), FEW])


@pytest.mark.slow
def test_the_neon_kernels_under_an_emulator(tmp_path: Path) -> None:
    if not (shutil.which("aarch64-linux-gnu-g++") and shutil.which("qemu-aarch64")):
        pytest.skip("needs aarch64-linux-gnu-g++ and qemu-aarch64")
    program = build("aarch64-linux-gnu-g++", [*NEON, "-O2", "-static"], tmp_path / "driver")
    passes(["qemu-aarch64", str(program), FEW])


@pytest.mark.skipif(shutil.which("objdump") is None, reason="no objdump")
@pytest.mark.skipif(LIBRARY is None or platform.machine() != "x86_64", reason="no kernels for x86-64")
def test_the_library_keeps_each_instruction_set_to_its_namespace() -> None:
    """A template that was compiled for AVX outside of its namespace could be the copy that every processor runs."""
    command = ["objdump", "-d", "-C", "--no-show-raw-insn", str(LIBRARY)]
    listing = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    function, users = "", set[str]()
    for line in listing.splitlines():
        if line.endswith(">:"):
            function = line
        elif re.search(r":\t(v|.*%(k[0-7]|zmm))", line):  # AVX's names begin with v; AVX-512 has masks
            users.add(function)
    assert any("gatecast::avx512::" in name for name in users)
    homes = ("gatecast::avx2::", "gatecast::avx512::", "gatecast::amx::")
    assert not [name for name in users if not any(home in name for home in homes)]


@pytest.mark.skipif(LIBRARY is None, reason="no kernels")
def test_the_arguments_in_c_have_the_order_of_the_schemas() -> None:
    """Names and types of csrc/arguments.h; the operators read their arguments by position."""
    signatures = ctypes.CDLL(str(LIBRARY)).gatecast_signatures
    signatures.restype = ctypes.c_char_p
    found = dict(line.split(":") for line in signatures().decode().splitlines())
    assert set(found) == {"lstm_forward", "lstm_backward", "lstm_layers"}
    for name, signature in found.items():
        schema = getattr(torch.ops.gatecast, name).default._schema
        for values, text in zip((schema.arguments, schema.returns), signature.split("->"), strict=True):
            in_c = [part.split() for part in text.rstrip(",").split(",")]
            assert [(CPP_TYPES[kind], name) for kind, name in in_c] == [(str(v.type), v.name) for v in values]
