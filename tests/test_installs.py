"""Installed as the README says, the kernels are there; where they cannot be, the command that the warning names works.

Each test installs a copy of the checkout into a new environment. PyTorch and the other packages are links to those of
the environment that runs the tests; nothing but setuptools is downloaded, where pip isolates the build.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
REAL = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
EXPLAIN = "import torch; from gatecast import nn, ops; print(ops.explain(nn.LSTM(3, 4), torch.ones(5, 2, 3)))"
BACKEND = "import sys; from setuptools import build_meta; print(build_meta.build_sdist(sys.argv[1]))"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(REAL is None, reason="no C++ compiler"),
    pytest.mark.skipif(not (ROOT / "setup.py").exists(), reason="no checkout"),
]


class Environment:
    """A virtual environment, and a copy of the checkout beside it.

    Args:
        folder: empty.
        objects: folder of the object files that all tests share.
        without: packages that are left out.
    """

    def __init__(self, folder: Path, objects: Path, without: tuple[str, ...] = ()) -> None:
        self.folder, self.tree, self.objects = folder, folder / "checkout", objects
        venv.create(folder / "venv", with_pip=False, symlinks=True)
        self.python = folder / "venv" / "bin" / "python"
        variables = {"base": str(folder / "venv"), "platbase": str(folder / "venv")}
        self.packages = Path(sysconfig.get_path("purelib", vars=variables))
        self.link(lambda name: not name.startswith(("gatecast", "__", *without)) and not name.endswith(".pth"))
        (folder / "compiler").mkdir()
        program = folder / "compiler" / "c++"
        stand_in = Path(__file__).parent / "fixtures" / "compiler.py"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{stand_in}" "{REAL}" "{objects}" "$@"\n')
        program.chmod(0o755)
        for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
            self.tree.mkdir(exist_ok=True)
            shutil.copy2(ROOT / name, self.tree)
        left_out = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.so", "kernels.txt")
        for name in ("csrc", "src"):
            shutil.copytree(ROOT / name, self.tree / name, ignore=left_out)

    def link(self, chosen: Callable[[str], bool]) -> None:
        """Links to packages of the environment that runs the tests."""
        for path in Path(sysconfig.get_path("purelib")).iterdir():
            if chosen(path.name):
                (self.packages / path.name).symlink_to(path)

    def call(self, *command: object, compiler: bool = True, checks: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command outside of the checkout; a single word is for the shell."""
        mine = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GATECAST", "COV_"))
        }
        mine = {name: value for name, value in mine.items() if name not in ("CXX", "CXXFLAGS", "LDFLAGS")}
        mine |= {"PATH": str(self.folder / "compiler") if compiler else "", "PYTHONDONTWRITEBYTECODE": "1"}
        mine |= {"XDG_CACHE_HOME": str(self.folder / "cache"), "PIP_RETRIES": "0", "PIP_NO_CACHE_DIR": "1"}
        words: Any = str(command[0]) if len(command) == 1 else [str(one) for one in command]
        done = subprocess.run(
            words, shell=len(command) == 1, env=mine, cwd=self.folder, capture_output=True, text=True, timeout=600
        )
        assert not checks or done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        return done

    def install(self, *words: object, compiler: bool = True) -> None:
        """``pip install`` without dependencies; skipped where setuptools cannot be had for an isolated build."""
        pip = (self.python, "-m", "pip", "install", "--no-deps", "--disable-pip-version-check")
        done = self.call(*pip, *words, compiler=compiler, checks=False)
        said = done.stdout + done.stderr
        if done.returncode and re.search("No matching distribution found for setuptools", said):
            pytest.skip("no package index: setuptools cannot be installed for an isolated build")
        assert done.returncode == 0, said[-3000:]

    def explained(self) -> str:
        """What runs inside an LSTM."""
        return self.call(self.python, "-c", EXPLAIN).stdout.strip()

    def command(self) -> str:
        """The command that the message for missing kernels names."""
        found = re.fullmatch(r"reference: .*: (\S.* -m gatecast build-kernels)", self.explained())
        assert found, self.explained()
        return found[1]


@pytest.fixture
def environment(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Environment]:
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base  # one folder for all processes
    objects = shared / "objects"
    objects.mkdir(exist_ok=True)
    return lambda **more: Environment(tmp_path, objects, **more)


def test_the_command_of_the_readme_gives_the_kernels(environment: Callable[..., Environment]) -> None:
    """With pip's build isolation, which hides PyTorch from the build."""
    assert 'pip install ".[stats,plot]"' in (ROOT / "README.md").read_text("utf-8")
    here = environment()
    here.install(f"{here.tree}[stats,plot]")
    assert here.explained().startswith("cpu-")
    version = here.call(here.python, "-m", "gatecast", "--version").stdout
    assert version == here.call(here.folder / "venv" / "bin" / "gatecast", "--version").stdout


def test_an_sdist_makes_a_wheel_with_kernels_and_their_sources(environment: Callable[..., Environment]) -> None:
    here = environment()
    sdist = f"cd {here.tree} && {here.python} -c '{BACKEND}' {here.folder}"
    archive = here.folder / here.call(sdist).stdout.splitlines()[-1]
    with tarfile.open(archive) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    sources = {path.name for path in (ROOT / "csrc").glob("*") if path.suffix in (".h", ".cpp")}
    assert names >= {f"csrc/{name}" for name in sources}
    pip = (here.python, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", here.folder)
    here.call(*pip, archive)
    (wheel,) = here.folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed_wheel:
        held = set(packed_wheel.namelist())
    assert held >= {"gatecast/ops/kernels.so", *(f"gatecast/ops/csrc/{name}" for name in sources)}
    here.install(wheel)
    assert here.explained().startswith("cpu-")


def test_an_editable_installation_has_the_kernels_of_its_checkout(environment: Callable[..., Environment]) -> None:
    here = environment()
    here.install("--no-build-isolation", "--editable", here.tree)
    assert here.explained().startswith("cpu-")
    header = here.tree / "csrc" / "lstm.h"
    header.write_text(header.read_text() + "// another text\n")
    assert here.explained().startswith("reference: the CPU kernels were compiled from other sources")


def test_without_a_compiler_the_message_names_what_works_later(environment: Callable[..., Environment]) -> None:
    here = environment()
    here.install("--no-build-isolation", here.tree, compiler=False)
    assert "not compiled at installation (no C++ compiler was found" in here.explained()
    command = here.command()
    still = here.call(command, compiler=False, checks=False)
    assert still.returncode == 2
    assert "no C++ compiler was found" in still.stderr
    assert f"then run {command}" in still.stderr
    here.call(command)
    assert here.explained().startswith("cpu-")
    assert "there already" in here.call(command, compiler=False).stdout
    here.call(here.python, "-m", "pip", "uninstall", "--yes", "gatecast")
    assert not list(here.packages.glob("gatecast*/**/*.so"))


def test_without_pytorch_the_message_names_what_works_later(environment: Callable[..., Environment]) -> None:
    """As in the environments that uv and build make for a build."""
    here = environment(without=("torch", "functorch"))
    here.install("--no-build-isolation", here.tree)
    here.link(lambda name: name.startswith(("torch", "functorch")))
    assert "not compiled at installation (PyTorch was not there)" in here.explained()
    built = json.loads(here.call(f"{here.command()} --json").stdout)
    assert built["built"] is True
    assert Path(built["file"]).is_relative_to(here.packages)
    assert here.explained().startswith("cpu-")
