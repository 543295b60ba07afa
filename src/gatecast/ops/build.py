"""Compiles the CPU kernels of an installed gatecast, once and on request: ``gatecast build-kernels``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from gatecast.base.errors import BuildError
from gatecast.ops import kernel_files
from gatecast.ops.compile import CannotCompile, compile_library
from gatecast.ops.library import find

TRY = """
import sys
from pathlib import Path
from gatecast.ops.library import load
found = load(Path(sys.argv[1]))
print(found.isa or found.reason)
sys.exit(not found.isa)
"""


class Kernels(NamedTuple):
    """The kernels after a build.

    Args:
        file: the library.
        isa: the instruction set that runs.
        built: compiled now; False where current ones were there.
    """

    file: Path
    isa: str
    built: bool


def build_kernels(*, force: bool = False) -> Kernels:
    """Compile the kernels, unless current ones are there.

    They go into the package, or into the user's cache if the package is read-only. A new library is loaded in another
    process before it takes its place, whole or not at all. Processes that run already keep what they have loaded.

    Args:
        force: compile them though they are there, e.g. with a newer compiler.

    Raises:
        BuildError: something that the compiler needs is missing, or it failed; with what to do.
    """
    found = find("")
    if found.isa and found.file and not force:
        return Kernels(found.file, found.isa, built=False)
    if not kernel_files.SOURCES.is_dir():
        raise BuildError(f"the sources of the kernels are not in {kernel_files.INSTALLED}", "install gatecast again")
    with tempfile.TemporaryDirectory(prefix="gatecast-") as folder:
        library = Path(folder) / kernel_files.LIBRARY.name
        try:
            compile_library(library, Path(folder) / "objects", kernel_files.SOURCES)
        except CannotCompile as error:
            again = f"; then run {kernel_files.command()}" if error.remedy else ""
            raise BuildError(f"the kernels were not compiled: {error}", error.remedy + again) from error
        return _put(library)


def _tried(library: Path) -> str:
    """The instruction set that runs from the library, loaded in a process that has loaded no other."""
    env = {**os.environ, "GATECAST_ISA": "reference"}
    done = subprocess.run(
        [sys.executable, "-c", TRY, str(library)], env=env, capture_output=True, text=True, check=False
    )
    said = (done.stdout + done.stderr).strip()
    if done.returncode:
        raise BuildError(f"the kernels were compiled and do not run: {said[-1500:]}")
    return said.splitlines()[-1]


def _put(library: Path) -> Kernels:
    """Copy the library into the first place that can be written, and load it there before it gets its name."""
    refused = []
    for place in kernel_files.places():
        draft = place.with_name(f"{place.name}.{os.getpid()}.partial")  # another process may be building too
        try:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copyfile(library, draft)
            draft.chmod(0o644)
            isa = _tried(draft)
            os.replace(draft, place)
        except OSError as error:
            refused.append(f"{place.parent}: {error.strerror}")
        else:
            return Kernels(place, isa, built=True)
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
    raise BuildError(
        f"the kernels were compiled and cannot be written: {', '.join(refused)}",
        f"name a folder that you can write: XDG_CACHE_HOME=FOLDER {kernel_files.command()}, and set it in later runs",
    )
