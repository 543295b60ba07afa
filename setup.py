"""Compiles the CPU kernels (csrc/) into one library in gatecast/ops; everything else is in pyproject.toml.

The library uses the stable ABI of PyTorch and nothing of Python, so it works with every version of both. Without a
compiler, or when it fails, the installation continues; ``kernels.txt`` then holds the reason, which
``gatecast.ops.explain`` shows.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
SOURCES = ROOT / "csrc"
OPS = Path("gatecast") / "ops"
FILES = LIBRARY, REASON = ("kernels.so", "kernels.txt")
X86 = ["-DGATECAST_ISA=avx2", "-DGATECAST_LANES=8", "-mavx2", "-mfma"]
X86_WIDE = ["-DGATECAST_ISA=avx512", "-DGATECAST_LANES=16", "-mprefer-vector-width=512"]
X86_WIDE += ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma"]
X86_TILES = ["-DGATECAST_ISA=amx", *X86_WIDE[1:], "-mavx512bf16", "-mamx-tile", "-mamx-bf16"]
ARM = ["-DGATECAST_ISA=neon", "-DGATECAST_LANES=4"]
INSTRUCTION_SETS = {"x86_64": [X86, X86_WIDE], "amd64": [X86, X86_WIDE], "aarch64": [ARM], "arm64": [ARM]}
TILES = "#include <immintrin.h>\nint main() { _tile_dpbf16ps(0, 1, 2); }\n"  # older compilers reject it
FLAGS = ["-std=c++17", "-O3", "-fPIC", "-fvisibility=hidden", "-ffp-contract=fast", "-fno-math-errno"]
FLAGS += ["-fno-trapping-math", "-Wall", "-Wextra", "-Wno-unknown-pragmas", "-Wno-psabi"]


class BuildKernels(build_ext):
    """Compiles the kernels; a failure is recorded and does not stop the installation."""

    def build_extension(self, ext: Extension) -> None:
        folder = Path(self.build_lib).resolve() / OPS
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
        try:
            compile_library(folder / LIBRARY, Path(self.build_temp).resolve())
        except Exception as error:
            (folder / REASON).write_text(f"{type(error).__name__}: {error}"[:2000] + "\n")
            print(f"gatecast: the CPU kernels were not built, the slower reference will run.\n{error}", file=sys.stderr)

    def get_outputs(self) -> list[str]:
        """The files that exist: the library is optional."""
        return [str(path) for path in self._built()]

    def get_output_mapping(self) -> dict[str, str]:
        return {str(path): str(ROOT / "src" / OPS / path.name) for path in self._built()} if self.inplace else {}

    def copy_extensions_to_source(self) -> None:
        """Editable installation: copy into the source tree, as a new file, because the old one may be in use."""
        for name in FILES:
            (ROOT / "src" / OPS / name).unlink(missing_ok=True)
        for path in self._built():
            shutil.copy2(path, ROOT / "src" / OPS / path.name)

    def _built(self) -> list[Path]:
        folder = Path(self.build_lib) / OPS
        return [folder / name for name in FILES if (folder / name).exists()]


class Wheel(bdist_wheel):
    """One wheel for all Python versions of a platform: the library does not depend on Python."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


def compile_library(library: Path, folder: Path) -> None:
    """Compile all sources in parallel, once for each instruction set, and link them.

    Raises:
        RuntimeError: the compiler failed; with its message.
    """
    machine = platform.machine().lower()
    if machine not in INSTRUCTION_SETS:
        raise RuntimeError(f"no kernels for processors of type {machine}")
    folder.mkdir(parents=True, exist_ok=True)
    compiler = shlex.split(os.environ.get("CXX", "c++"))
    sets, known = list(INSTRUCTION_SETS[machine]), []
    if X86 in sets and knows_tiles(compiler, folder):
        sets, known = [*sets, X86_TILES], ["-DGATECAST_AMX"]
    jobs = [("bind.cpp", "bind", torch_flags()), ("dispatch.cpp", "dispatch", known)]
    jobs.append(("workspace.cpp", "workspace", []))
    for flags in sets:
        name = flags[0].rpartition("=")[2]
        for source in ("lstm_forward", "lstm_backward", "function_table"):
            jobs.append((f"{source}.cpp", f"{source}_{name}", flags))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(lambda job: compile_one(compiler, folder, *job), jobs))
    more = shlex.split(os.environ.get("LDFLAGS", ""))
    # libtorch_cpu is loaded before this library: its name is enough, and its folder is not recorded.
    call([*compiler, "-shared", *objects, "-o", str(library), f"-L{torch_folder() / 'lib'}", "-ltorch_cpu", *more])


def knows_tiles(compiler: list[str], folder: Path) -> bool:
    """Whether the compiler supports AMX."""
    source = folder / "tiles.cpp"
    source.write_text(TILES)
    try:
        call([*compiler, *X86_TILES, "-c", str(source), "-o", str(source.with_suffix(".o"))])
    except (RuntimeError, OSError):
        return False
    return True


def compile_one(compiler: list[str], folder: Path, source: str, name: str, flags: list[str]) -> str:
    """Compile one source; returns the object file."""
    target = str(folder / f"{name}.o")
    more = shlex.split(os.environ.get("CXXFLAGS", ""))
    call([*compiler, *FLAGS, *flags, *more, "-c", str(SOURCES / source), "-o", target])
    return target


def torch_flags() -> list[str]:
    """Compiler flags: PyTorch's headers, and the oldest version of PyTorch that the library must work with."""
    return [f"-isystem{torch_folder() / 'include'}", "-DTORCH_TARGET_VERSION=0x020a000000000000", "-DTORCH_STABLE_ONLY"]


def torch_folder() -> Path:
    """Where PyTorch is installed."""
    try:
        import torch
    except ImportError as error:
        raise RuntimeError("install PyTorch first, then gatecast with --no-build-isolation") from error
    return Path(torch.__file__).parent


def call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{shlex.join(command)}\n{done.stderr[-1500:]}")


if __name__ == "__main__":
    extension = Extension("gatecast.ops.kernels", [])
    setup(ext_modules=[extension], cmdclass={"build_ext": BuildKernels, "bdist_wheel": Wheel})
