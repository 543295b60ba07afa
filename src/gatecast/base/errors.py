"""The errors users meet. Each holds a :class:`Finding`: the place, what was expected and what came, the next step."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

from gatecast.base.findings import Finding, Words


class GatecastError(Exception):
    """Base of all errors raised on purpose by gatecast.

    Args:
        problem: what was expected and what came.
        remedy: what to do next.
        place: file, column and line, or series; "" where the problem names it.

    Example:
        >>> from gatecast.base.findings import Arg
        >>> error = DataError("2 rows have the same time", Arg("duplicates", "first"), place="sales.csv, line 3")
        >>> print(error)
        sales.csv, line 3: 2 rows have the same time; duplicates="first"
        >>> error.finding.remedy
        Arg(name='duplicates', value='first', of='')
    """

    finding: Finding

    def __init__(self, problem: Words, remedy: Words = "", *, place: str = "") -> None:
        self.finding = Finding(place, problem, remedy)

    def __str__(self) -> str:
        return str(self.finding)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.finding)


def _rebuild(kind: type[GatecastError], finding: Finding) -> GatecastError:
    """The error in another process."""
    return kind(finding.problem, finding.remedy, place=finding.place)


class DataError(GatecastError, ValueError):
    """The data cannot be read or used as it is."""


class SettingError(GatecastError, ValueError):
    """An argument does not fit."""


class UnknownNameError(GatecastError, KeyError):
    """There is no series, column or level of this name."""


class NotFittedError(GatecastError, RuntimeError):
    """A forecaster was used before ``fit``."""


class ModelFileError(GatecastError, ValueError):
    """A model file is truncated, altered, foreign or from a newer version."""


class MissingExtraError(GatecastError, ImportError):
    """An optional package is not installed; the remedy is the command that installs it."""


class TrainingError(GatecastError, RuntimeError):
    """Training cannot continue; the problem names step and series."""


class BuildError(GatecastError, RuntimeError):
    """The CPU kernels cannot be compiled; the problem has the compiler's message."""


class ForecastError(GatecastError, RuntimeError):
    """A forecast that is not finite."""


class Stopped(KeyboardInterrupt):
    """Ctrl-C during training, after a checkpoint was written to ``file``."""

    def __init__(self, file: Path) -> None:
        super().__init__(f"stopped; {file} holds the state")
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.file,)


class Terminated(SystemExit):
    """SIGTERM during training, after a checkpoint was written to ``file``: the process ends with 128 + 15."""

    def __init__(self, file: Path) -> None:
        super().__init__(128 + 15)
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.file,)


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import an optional package.

    Raises:
        MissingExtraError: ``statsforecast is needed for AutoETS; pip install "gatecast[stats]"``.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingExtraError(f"{package} is needed for {purpose}", f'pip install "gatecast[{extra}]"') from error
