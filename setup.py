"""Compiles the CPU kernels (csrc/) into one library in gatecast/ops; everything else is in pyproject.toml.

Without a compiler or PyTorch, or when the compiler fails, the installation continues: ``kernels.txt`` then holds the
reason, which ``gatecast.ops.explain`` shows. The sources are installed too, so that ``gatecast build-kernels`` can
compile them later.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
SOURCES = ROOT / "csrc"
OPS = Path("gatecast") / "ops"
FILES = LIBRARY, REASON = ("kernels.so", "kernels.txt")


def load_compile() -> ModuleType:
    """``gatecast.ops.compile`` by its path: importing gatecast.ops would need PyTorch."""
    spec = importlib.util.spec_from_file_location("gatecast_compile", ROOT / "src" / OPS / "compile.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class BuildKernels(build_ext):
    """Compiles the kernels; a failure is recorded and does not stop the installation."""

    def build_extension(self, ext: Extension) -> None:
        folder = Path(self.build_lib).resolve() / OPS
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
        compiling = load_compile()
        if not self.editable_mode:  # there the checkout's own are used
            self._copy_sources(compiling.source_files(SOURCES))
        try:
            compiling.compile_library(folder / LIBRARY, Path(self.build_temp).resolve(), SOURCES)
        except Exception as error:
            (folder / REASON).write_text(f"{error}"[:2000] + "\n")
            # Empty, so that it is on the list of installed files: an uninstallation removes what takes its place.
            (folder / LIBRARY).write_bytes(b"")
            print(f"gatecast: the CPU kernels were not built, the slower reference will run.\n{error}", file=sys.stderr)

    def _copy_sources(self, files: list[Path]) -> None:
        folder = self._sources().resolve()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for path in files:
            shutil.copy2(path, folder)

    def get_outputs(self) -> list[str]:
        """The files that exist: library and reason are optional."""
        return [str(path) for path in (*self._built(), *sorted(self._sources().glob("*")))]

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

    def _sources(self) -> Path:
        return Path(self.build_lib) / OPS / SOURCES.name


class Wheel(bdist_wheel):
    """One wheel for all Python versions of a platform: the library does not depend on Python."""

    def get_tag(self) -> tuple[str, str, str]:
        return "py3", "none", super().get_tag()[2]


if __name__ == "__main__":
    extension = Extension("gatecast.ops.kernels", [])
    setup(ext_modules=[extension], cmdclass={"build_ext": BuildKernels, "bdist_wheel": Wheel})
