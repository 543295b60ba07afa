"""Compiles the CPU kernels (``csrc/``) into one library: what ``setup.py`` and ``gatecast build-kernels`` share.

The library uses the stable ABI of PyTorch and nothing of Python, so it works with every version of both.

Standard library only: ``setup.py`` loads this file by its path, where neither PyTorch nor gatecast can be imported.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

COMPILERS = ("c++", "g++", "clang++")
INSTALL = "install one (Debian and Ubuntu: apt-get install g++; Fedora: dnf install gcc-c++; conda: conda install "
INSTALL += "cxx-compiler), or name yours by the environment variable CXX"
X86 = ["-DGATECAST_ISA=avx2", "-DGATECAST_LANES=8", "-mavx2", "-mfma"]
X86_WIDE = ["-DGATECAST_ISA=avx512", "-DGATECAST_LANES=16", "-mprefer-vector-width=512"]
X86_WIDE += ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma"]
X86_TILES = ["-DGATECAST_ISA=amx", *X86_WIDE[1:], "-mavx512bf16", "-mamx-tile", "-mamx-bf16"]
ARM = ["-DGATECAST_ISA=neon", "-DGATECAST_LANES=4"]
INSTRUCTION_SETS = {"x86_64": [X86, X86_WIDE], "amd64": [X86, X86_WIDE], "aarch64": [ARM], "arm64": [ARM]}
TILES = "#include <immintrin.h>\nint main() { _tile_dpbf16ps(0, 1, 2); }\n"  # older compilers reject it
FLAGS = ["-std=c++17", "-O3", "-fPIC", "-fvisibility=hidden", "-ffp-contract=fast", "-fno-math-errno"]
FLAGS += ["-fno-trapping-math", "-Wall", "-Wextra", "-Wno-unknown-pragmas", "-Wno-psabi"]
STAMP = b"gatecast kernels "
OLDEST_TORCH = "0x020a000000000000"  # 2.10: the oldest version that the library must work with


class CannotCompile(RuntimeError):
    """There is no compiler, no PyTorch or no kernel for this processor, or the compiler failed, with its message.

    Args:
        problem: what is missing or failed.
        remedy: what to do; "" where nothing can be done.
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem)
        self.problem, self.remedy = problem, remedy


def source_files(sources: Path) -> list[Path]:
    """What the library is compiled from, in a fixed order."""
    return sorted(path for path in sources.glob("*") if path.suffix in (".cpp", ".h"))


def stamp(sources: Path) -> bytes:
    """The mark of a library that was compiled from these sources, by this file, for this kind of processor."""
    digest = hashlib.sha256(platform.machine().lower().encode())
    for path in (Path(__file__), *source_files(sources)):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return STAMP + digest.hexdigest()[:32].encode()


def compile_library(library: Path, folder: Path, sources: Path) -> None:
    """Compile all sources in parallel, once for each instruction set, and link them.

    Args:
        library: the file to write.
        folder: for the object files.
        sources: the folder ``csrc``.

    Raises:
        CannotCompile: the compiler failed, or something that it needs is missing.
    """
    machine = platform.machine().lower()
    if machine not in INSTRUCTION_SETS:
        raise CannotCompile(f"there are no kernels for processors of type {machine}")
    compiler, torch = find_compiler(), torch_folder()
    folder.mkdir(parents=True, exist_ok=True)
    sets, known = list(INSTRUCTION_SETS[machine]), [f'-DGATECAST_STAMP="{stamp(sources).decode()}"']
    if X86 in sets and knows_tiles(compiler, folder):
        sets, known = [*sets, X86_TILES], [*known, "-DGATECAST_AMX"]
    headers = [f"-isystem{torch / 'include'}", f"-DTORCH_TARGET_VERSION={OLDEST_TORCH}", "-DTORCH_STABLE_ONLY"]
    jobs = [("bind", "bind", headers), ("dispatch", "dispatch", known), ("workspace", "workspace", [])]
    for flags in sets:
        isa = flags[0].rpartition("=")[2]
        jobs += [(source, f"{source}_{isa}", flags) for source in ("lstm_forward", "lstm_backward", "function_table")]

    def compile_one(job: tuple[str, str, list[str]]) -> str:
        source, name, flags = job
        target = str(folder / f"{name}.o")
        more = shlex.split(os.environ.get("CXXFLAGS", ""))
        call([*compiler, *FLAGS, *flags, *more, "-c", str(sources / f"{source}.cpp"), "-o", target])
        return target

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compile_one, jobs))
    more = shlex.split(os.environ.get("LDFLAGS", ""))
    # libtorch_cpu is loaded before this library: its name is enough, and its folder is not recorded.
    call([*compiler, "-shared", *objects, "-o", str(library), f"-L{torch / 'lib'}", "-ltorch_cpu", *more])


def find_compiler() -> list[str]:
    """The command of the C++ compiler: ``CXX``, or the first that is on the path."""
    named = shlex.split(os.environ.get("CXX", ""))
    if named and shutil.which(named[0]) is None:
        raise CannotCompile(
            f"CXX names a C++ compiler that is not there: {named[0]}", "unset CXX, or name one that is on the path"
        )
    found = named or next(([name] for name in COMPILERS if shutil.which(name)), [])
    if not found:
        raise CannotCompile(f"no C++ compiler was found ({', '.join(COMPILERS)})", INSTALL)
    return found


def knows_tiles(compiler: list[str], folder: Path) -> bool:
    """Whether the compiler supports AMX."""
    source = folder / "tiles.cpp"
    source.write_text(TILES)
    try:
        call([*compiler, *X86_TILES, "-c", str(source), "-o", str(source.with_suffix(".o"))])
    except CannotCompile:
        return False
    return True


def torch_folder() -> Path:
    """Where PyTorch is installed; its headers are read, and it is not imported.

    pip hides the environment that it installs into from a build, but runs its interpreter: started without pip's
    settings, the interpreter finds the PyTorch that the library will run with.
    """
    code = "from importlib.util import find_spec; found = find_spec('torch'); print(found and found.origin or '')"
    here = importlib.util.find_spec("torch")
    origin = here.origin if here else None
    if origin is None:
        command = [sys.executable, "-E", "-P", "-c", code]
        origin = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    if not origin:
        raise CannotCompile("PyTorch was not there", "install PyTorch first")
    return Path(origin).parent


def call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotCompile(
            f"{shlex.join(command)}\n{done.stderr[-1500:].strip()}",
            "correct what the compiler reports, or name another one by the environment variable CXX",
        )
