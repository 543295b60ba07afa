"""The compiled CPU kernels: where they are, which instruction set they use, and why they may be missing."""

from __future__ import annotations

import ctypes
import functools
import os
from pathlib import Path
from typing import Any, NamedTuple

import torch

from gatecast.base.errors import SettingError
from gatecast.ops import kernel_files

INSTRUCTION_SETS = ("avx512", "avx2", "neon")
TILES = "amx"  # for products of bfloat16; those of float32 run on avx512 beside it


class Library(NamedTuple):
    """The kernels in use.

    Args:
        isa: instruction set, or "" where no kernel runs.
        lanes: floats in a vector; the kept gates are laid out in blocks of this many units.
        tiles: there are kernels for products of bfloat16.
        reason: why no kernel runs; "" where one does.
        asked: ``GATECAST_ISA=reference`` requests the reference.
        refused: ``GATECAST_ISA`` asks for what is not there.
        file: the library that was loaded.
    """

    isa: str = ""
    lanes: int = 1
    tiles: bool = False
    reason: str = ""
    asked: bool = False
    refused: bool = False
    file: Path | None = None


def library() -> Library:
    """The kernels in use, loaded when this module was.

    Raises:
        SettingError: ``GATECAST_ISA`` asks for what this processor or this installation does not have.
    """
    if _FOUND.refused:
        raise SettingError(_FOUND.reason)
    return _FOUND


def find(wanted: str) -> Library:
    """Load the kernels of an instruction set; "": the best; "reference": none."""
    if wanted == "reference":
        return Library(reason="GATECAST_ISA=reference asks for the reference", asked=True)
    if wanted and wanted not in (TILES, *INSTRUCTION_SETS):
        known = ", ".join((TILES, *INSTRUCTION_SETS))
        return Library(reason=f"GATECAST_ISA must be one of {known} or reference, got {wanted!r}", refused=True)
    file = kernel_files.current()
    found = load(file, wanted) if file else Library(reason=kernel_files.why_missing())
    if wanted and not found.isa:
        why = f"GATECAST_ISA={wanted} cannot be used: {found.reason}; unset it to let gatecast choose"
        return Library(reason=why, refused=True)
    return found


def load(file: Path, wanted: str = "") -> Library:
    """Load the kernels of an instruction set from a file; "": the best."""
    try:
        torch.ops.load_library(str(file))
    except OSError as error:
        again = kernel_files.command()
        return Library(reason=f"the compiled kernels cannot be loaded ({error}); compile them again: {again}")
    shared = ctypes.CDLL(str(file))
    shared.gatecast_isa.restype = ctypes.c_char_p
    shared.gatecast_lanes.restype = ctypes.c_int64
    tiles = wanted in ("", TILES) and shared.gatecast_isa(TILES.encode()) is not None
    if wanted == TILES and not tiles:
        return Library(reason="this processor or its system has no amx, or the compiler of the kernels did not know it")
    name = wanted.encode() if wanted not in ("", TILES) else None
    isa = shared.gatecast_isa(name)
    if isa is None:
        return Library(reason=f"this processor does not run {wanted or 'any of the compiled kernels'}")
    return Library(isa.decode(), shared.gatecast_lanes(name), tiles, file=file)


def takes_tiles(time: int, batch: int, hidden: int) -> bool:
    """Whether a call of this size computes products of bfloat16 where it may: the system grants tiles, and they pay."""
    return bool(_ask_for_tiles()(time, batch, hidden))


@functools.cache
def _ask_for_tiles() -> Any:
    function = ctypes.CDLL(str(_FOUND.file)).gatecast_takes_bf16
    function.restype, function.argtypes = ctypes.c_bool, [ctypes.c_int64] * 3
    return function


_FOUND = find(os.environ.get("GATECAST_ISA", ""))  # now, not when first used: a graph being traced loads nothing
if _FOUND.isa:
    ctypes.CDLL(str(_FOUND.file)).gatecast_choose(_FOUND.isa.encode(), TILES.encode() if _FOUND.tiles else None)
