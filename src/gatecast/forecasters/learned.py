"""What a model has learned, as facts (JSON) and tensors: its file holds them, and other processes return them."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from gatecast.base.errors import ModelFileError
from gatecast.base.version import VERSION
from gatecast.training.config import FitConfig
from gatecast.training.launch import launch

State = tuple[dict[str, Any], dict[str, Tensor]]

_ELSEWHERE: dict[str, Any] = {  # settings of this machine and this run, which no file holds
    "checkpoint": None,
    "resume": False,
    "log_dir": None,
    "log": "csv",
    "devices": 1,
    "nodes": 1,
}


@runtime_checkable
class Learner(Protocol):
    """A model whose learned attributes are a :data:`State`."""

    def fit(self, *data: Any) -> Self:
        """Learn from the data."""

    def _learned(self) -> State:
        """The learned attributes; the data is not among them."""


def fit_in_processes(model: Learner, config: FitConfig, *data: Any) -> State:
    """Fit a copy of the model in ``config.devices`` processes; returns what the first process learned."""
    threads = config.threads or max(1, torch.get_num_threads() // config.devices)
    state: State = launch(_fitted_state, model, *data, processes=config.devices, threads=threads)
    return state


def _fitted_state(model: Learner, *data: Any) -> State:
    return model.fit(*data)._learned()


# ── parts of a state ──────────────────────────────────────────────────────────────────────────────────────────────────
def portable(config: FitConfig | None) -> FitConfig:
    """The settings of training without paths and processes of this machine."""
    return replace(config or FitConfig(), **_ELSEWHERE)


def portable_from(fields: Mapping[str, Any]) -> FitConfig:
    """The settings of training from a file; paths in it are ignored."""
    return FitConfig(**{**fields, **_ELSEWHERE})


def named_state(value: Any, table: Mapping[str, type]) -> dict[str, Any]:
    """Name and fields of an object whose class is in the table.

    Raises:
        ModelFileError: its class is not in the table.
    """
    name = next((name for name, kind in table.items() if kind is type(value)), None)
    if name is None:
        raise ModelFileError(f"a {type(value).__name__} is not built in and cannot be saved", f"use {', '.join(table)}")
    return {"name": name, **asdict(value)}


def named_from(state: Mapping[str, Any], table: Mapping[str, type]) -> Any:
    """The object that :func:`named_state` described."""
    return table[state["name"]](**{name: value for name, value in tuples(state).items() if name != "name"})


def tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Lists as tuples, which JSON does not have."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with a prefix before each name."""
    return {f"{prefix}.{name}": value.contiguous() for name, value in tensors.items()}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names have this prefix, without it."""
    start = f"{prefix}."
    return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}


def plain(value: Any) -> Any:
    """A setting as JSON holds it; numbers and arrays of NumPy become Python's."""
    if isinstance(value, np.generic):
        return value.item()
    return [int(one) for one in value] if isinstance(value, tuple | list | np.ndarray) else value


def versions() -> dict[str, str]:
    """Versions of what a model was trained with."""
    return {"gatecast": VERSION, "torch": torch.__version__, "python": platform.python_version()}
