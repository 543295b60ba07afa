"""The errors users meet: each names the place, what was expected, what came, and the next step."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType


class GatecastError(Exception):
    """Base of all errors raised on purpose by gatecast."""


class DataError(GatecastError, ValueError):
    """The data cannot be read or used as it is; the message names file, column and row and the remedy."""


class SettingError(GatecastError, ValueError):
    """An argument does not fit; the message names it, what was expected and what came."""


class NotFittedError(GatecastError, RuntimeError):
    """A forecaster was asked for a forecast before ``fit``."""


class ModelFileError(GatecastError, ValueError):
    """A model file is truncated, altered, foreign or from a newer version."""


class MissingExtraError(GatecastError, ImportError):
    """An optional package is not installed; the message gives the command that installs it."""


class TrainingError(GatecastError, RuntimeError):
    """Training cannot go on; the message names step and series and what to try."""


class Stopped(KeyboardInterrupt):
    """Ctrl-C during training, after a checkpoint was written to ``file``."""

    def __init__(self, file: Path) -> None:
        super().__init__(f"stopped; {file} holds the state")
        self.file = file


class Terminated(SystemExit):
    """SIGTERM during training, after a checkpoint was written to ``file``: the process ends with 128 + 15."""

    def __init__(self, file: Path) -> None:
        super().__init__(128 + 15)
        self.file = file


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import an optional package, or say which extra brings it.

    Raises:
        MissingExtraError: ``statsforecast is needed for AutoETS: pip install "gatecast[stats]"``.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingExtraError(f'{package} is needed for {purpose}: pip install "gatecast[{extra}]"') from error
