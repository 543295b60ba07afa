"""Where a step runs: Lightning Fabric on accelerators, and its part for one CPU process without its import.

Fabric's first import costs more than a CPU second, nearly as much as PyTorch itself; a first forecast on a CPU is
spared it.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn


@runtime_checkable
class Engine(Protocol):
    """The three things that the loop asks of Lightning Fabric."""

    @property
    def device(self) -> torch.device:
        """Where batches go."""

    def setup(self, module: Any, *optimizers: Any) -> Any:
        """Module and optimisers as they are to be used."""

    def backward(self, tensor: Tensor) -> None:
        """Gradients of a loss."""


class OneCpu:
    """One process on the CPU: nothing to move, nothing to reduce."""

    device = torch.device("cpu")

    def setup(self, module: nn.Module, *optimizers: Any) -> tuple[Any, ...]:
        """Both as they are."""
        return module, *optimizers

    def backward(self, tensor: Tensor) -> None:
        """Gradients of a loss."""
        tensor.backward()


def engine_of(accelerator: str) -> Engine:
    """The engine of ``FitConfig.accelerator``."""
    if accelerator == "cpu":
        return OneCpu()
    from lightning_fabric import Fabric

    return Fabric(accelerator=accelerator, devices=1)
