"""Kernels that are compiled on request: where they go, when they are refused, and what is said where it fails."""

from __future__ import annotations

import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures.refused import refused

from gatecast.base.errors import BuildError
from gatecast.ops import build, kernel_files
from gatecast.ops import compile as compiling
from gatecast.ops.library import Library, find, library

KERNEL = pytest.mark.skipif(not library().isa, reason="no kernels")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package without kernels in ``package``, an empty cache in ``cache``, and sources."""
    for name in ("package", "csrc"):
        (tmp_path / name).mkdir()
    (tmp_path / "csrc" / "lstm.h").write_text("// the LSTM\n")
    monkeypatch.setattr(kernel_files, "LIBRARY", tmp_path / "package" / "kernels.so")
    monkeypatch.setattr(kernel_files, "REASON", tmp_path / "package" / "kernels.txt")
    monkeypatch.setattr(kernel_files, "SOURCES", tmp_path / "csrc")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def compiled(empty: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The libraries that were compiled, by a compiler that writes their stamp alone; each of them runs."""
    done: list[Path] = []

    def compile_library(file: Path, folder: Path, sources: Path) -> None:
        file.write_bytes(compiling.stamp(sources))
        done.append(file)

    monkeypatch.setattr(build, "compile_library", compile_library)
    monkeypatch.setattr(build, "_tried", lambda file: "avx2")
    monkeypatch.setattr(build, "find", lambda wanted: _found())
    return done


def _found() -> Library:
    file = kernel_files.current()
    return Library("avx2", 8, file=file) if file else Library(reason=kernel_files.why_missing())


def read_only(folder: Path) -> None:
    """A file instead of the folder: nobody can write into it, not even root."""
    shutil.rmtree(folder)
    folder.write_text("")


def test_kernels_go_into_the_package_once(empty: Path, compiled: list[Path]) -> None:
    target = empty / "package" / "kernels.so"
    assert build.build_kernels() == (target, "avx2", True)
    assert build.build_kernels() == (target, "avx2", False)
    assert len(compiled) == 1
    assert build.build_kernels(force=True).built
    assert [path.name for path in (empty / "package").iterdir()] == ["kernels.so"]
    assert not (empty / "cache").exists()
    assert not compiled[0].exists()


def test_kernels_of_a_read_only_package_go_into_the_users_cache(empty: Path, compiled: list[Path]) -> None:
    read_only(empty / "package")
    file = build.build_kernels().file
    assert file.parent == empty / "cache" / "gatecast"
    assert kernel_files.current() == file
    assert not build.build_kernels().built
    file.chmod(0o666)  # others could have written it
    assert kernel_files.current() is None


def test_kernels_that_can_be_written_nowhere_are_refused(empty: Path, compiled: list[Path]) -> None:
    read_only(empty / "package")
    (empty / "cache").write_text("")
    with refused(BuildError, problem=str(empty / "cache"), remedy="XDG_CACHE_HOME=FOLDER"):
        build.build_kernels()


def test_without_a_home_there_is_no_cache(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert kernel_files.places() == [empty / "package" / "kernels.so"]


@pytest.mark.usefixtures("compiled")
def test_kernels_of_other_sources_are_refused(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = build.build_kernels().file
    (empty / "csrc" / "lstm.h").write_text("// another LSTM\n")
    assert kernel_files.current() is None
    assert "compiled from other sources; compile them again: " in kernel_files.why_missing()
    assert build.build_kernels() == (file, "avx2", True)
    assert kernel_files.current() == file
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert kernel_files.current() is None


def test_a_program_without_sources_takes_the_kernels_that_it_was_packed_with(empty: Path) -> None:
    kernel_files.LIBRARY.write_bytes(compiling.stamp(empty / "csrc"))
    shutil.rmtree(empty / "csrc")
    assert kernel_files.current() == kernel_files.LIBRARY
    kernel_files.LIBRARY.write_bytes(b"")  # what setup.py leaves where it could not compile
    assert kernel_files.current() is None
    with refused(BuildError, problem="sources of the kernels are not in", remedy="install gatecast again"):
        build.build_kernels()


def test_the_reason_of_the_installation_is_shown_with_the_command(empty: Path) -> None:
    kernel_files.LIBRARY.write_bytes(b"")
    kernel_files.REASON.write_text("no C++ compiler was found (c++)\n")
    command = shlex.join([sys.executable, "-m", "gatecast", "build-kernels"])
    assert find("").reason == (
        "the CPU kernels were not compiled at installation (no C++ compiler was found (c++)); "
        f"with a C++ compiler, compile them: {command}"
    )


@pytest.mark.parametrize(
    ("variable", "value", "problem", "remedy"),
    [
        ("PATH", "", "no C++ compiler was found (c++, g++, clang++)", "apt-get install g++"),
        ("CXX", "nowhere++", "CXX names a C++ compiler that is not there: nowhere++", "unset CXX"),
        ("CXX", "false", "false -std=c++17", "name another one by the environment variable CXX"),
    ],
)
def test_what_fails_is_refused_with_what_to_do(
    empty: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, problem: str, remedy: str
) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv(variable, value)
    with refused(BuildError, problem=problem, remedy=(remedy, f"then run {kernel_files.command()}")):
        build.build_kernels()
    assert list((empty / "package").iterdir()) == []


def test_an_unknown_processor_has_no_kernels(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with refused(BuildError, problem="no kernels for processors of type riscv64"):
        build.build_kernels()


def test_a_library_that_does_not_load_is_not_put_anywhere(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "compile_library", lambda file, *_: file.write_text("no library"))
    with refused(BuildError, problem=("compiled and do not run", "cannot be loaded")):
        build.build_kernels()
    assert list((empty / "package").iterdir()) == []


@KERNEL
def test_the_command_leaves_current_kernels_as_they_are(run: Run) -> None:
    code, out, _ = run("build-kernels")
    assert (code, out) == (0, f"The CPU kernels are there already: {library().isa}, {library().file}\n")
    document = json.loads(run("build-kernels", "--json")[1])
    assert document == {
        "command": "build-kernels",
        "file": str(library().file),
        "isa": library().isa,
        "built": False,
    }


def test_python_m_gatecast_is_the_command(run: Run, tmp_path: Path) -> None:
    def module(*arguments: str) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "gatecast", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=os.environ)
        return done.returncode, done.stdout, done.stderr

    assert module("--version") == run("--version")
    assert module("data", "nowhere.csv") == run("data", "nowhere.csv")
    assert module("data", "nowhere.csv")[0] == 2


@KERNEL
def test_the_build_does_not_ask_for_the_instruction_set_that_it_may_give(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "neon" if library().isa != "neon" else "avx2"
    monkeypatch.setenv("GATECAST_ISA", other)
    monkeypatch.setattr("gatecast.ops.library._FOUND", find(other))
    assert run("data", "nowhere.csv")[0] == 2
    assert run("build-kernels")[0] == 0
