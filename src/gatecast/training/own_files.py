"""Files of a run that exist already: a checkpoint or a log is replaced, any other file is refused. No PyTorch here."""

from __future__ import annotations

import json
from pathlib import Path

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg, Text
from gatecast.training.config import FitConfig

FIRST = "training"  # name of the first run of a fit
FORMATS = "gatecast-checkpoint-"  # first characters of the format of every version
LONGEST_HEADER = 100_000_000  # bytes; the limit of safetensors
LOG_COLUMNS = "step,epoch,progress,train_loss,val_loss,lr,seconds"  # first columns of a log


def require_own_files(config: FitConfig, name: str) -> None:
    """Check that a run replaces only what an earlier run wrote.

    Args:
        config: ``checkpoint`` and ``log_dir``.
        name: of the run; that of its log.

    Raises:
        SettingError: the checkpoint would replace a file of another kind, or the log one.
    """
    if config.checkpoint is not None and not config.resume:  # one to resume from is read, with all its checks
        require_own_checkpoint(config.checkpoint)
    if config.log_dir is not None:
        require_own_log(config.log_dir / f"{name}.csv")


def require_own_checkpoint(path: Path) -> None:
    """Check that the path is free, or that of an empty file or a checkpoint."""
    if path.is_dir():
        raise SettingError("this is a folder, and a checkpoint is a file", _another("checkpoint"), place=str(path))
    if path.exists() and not is_checkpoint(path):
        problem = "the file exists and is not a checkpoint of gatecast, which would replace it"
        raise SettingError(problem, _another("checkpoint"), place=str(path))


def require_own_log(path: Path) -> None:
    """Check that the path is free, or that of an empty file or a log of evaluations."""
    if path.parent.exists() and not path.parent.is_dir():
        raise SettingError("this is a file, and logs need a folder", _another("log_dir"), place=str(path.parent))
    if path.exists() and not _is_log(path):
        problem = "the file exists and is not a log of gatecast, which would replace it"
        raise SettingError(problem, "name another folder with " + Arg("log_dir", ..., of="FitConfig"), place=str(path))


def is_checkpoint(path: Path) -> bool:
    """Whether the file is empty or begins as a checkpoint of any version."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        first, whole = file.read(8), path.stat().st_size
        length = int.from_bytes(first, "little")
        if not whole:
            return True
        if length > min(whole - 8, LONGEST_HEADER):
            return False
        try:
            metadata = json.loads(file.read(length)).get("__metadata__")
        except (ValueError, AttributeError, RecursionError):
            return False
    return isinstance(metadata, dict) and str(metadata.get("format")).startswith(FORMATS)


def _is_log(path: Path) -> bool:
    """Whether the file is empty or has the columns of a log."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        first = file.read(len(LOG_COLUMNS))
    return first in (b"", LOG_COLUMNS.encode())


def _another(option: str) -> Text:
    return "name another one with " + Arg(option, ..., of="FitConfig")
