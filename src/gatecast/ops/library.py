"""The compiled CPU kernels: where they are, which instruction set they use, and why they may be missing."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch

from gatecast.errors import SettingError

LIBRARY = Path(__file__).with_name("kernels.so")
REASON = LIBRARY.with_suffix(".txt")
INSTRUCTION_SETS = ("avx512", "avx2", "neon")


class Library(NamedTuple):
    """The kernels in use.

    Args:
        isa: instruction set, or "" where no kernel runs.
        lanes: floats in a vector; the kept gates are laid out in blocks of so many units.
        reason: why no kernel runs; "" where one does.
        asked: the reference was asked for by ``GATECAST_ISA=reference``.
    """

    isa: str = ""
    lanes: int = 1
    reason: str = ""
    asked: bool = False


@cache
def library() -> Library:
    """Load the kernels once; ``GATECAST_ISA`` names an instruction set, or ``reference``.

    Raises:
        SettingError: ``GATECAST_ISA`` asks for what this processor or this installation does not have.
    """
    wanted = os.environ.get("GATECAST_ISA", "")
    if wanted == "reference":
        return Library(reason="GATECAST_ISA=reference asks for the reference", asked=True)
    if wanted and wanted not in INSTRUCTION_SETS:
        raise SettingError(f"GATECAST_ISA must be one of {', '.join(INSTRUCTION_SETS)} or reference, got {wanted!r}")
    found = _load(wanted)
    if wanted and not found.isa:
        raise SettingError(f"GATECAST_ISA={wanted} cannot be used: {found.reason}; unset it to let gatecast choose")
    return found


def _load(wanted: str) -> Library:
    if not LIBRARY.exists():
        return Library(reason=_why_missing())
    try:
        torch.ops.load_library(str(LIBRARY))
    except OSError as error:
        return Library(reason=f"the compiled kernels cannot be loaded ({error}); install gatecast again")
    shared = ctypes.CDLL(str(LIBRARY))
    shared.gatecast_choose.restype = ctypes.c_int64
    shared.gatecast_chosen.restype = ctypes.c_char_p
    lanes = shared.gatecast_choose(wanted.encode() if wanted else None)
    if not lanes:
        return Library(reason=f"this processor does not run {wanted or 'any of the compiled kernels'}")
    return Library(shared.gatecast_chosen().decode(), lanes)


def _why_missing() -> str:
    lines = REASON.read_text().strip().splitlines() if REASON.exists() else []
    why = f" ({lines[0][:200]} … {lines[-1][:200]})" if lines else ""
    return f"the CPU kernels were not compiled at installation{why}; with a C++ compiler, install gatecast again"
