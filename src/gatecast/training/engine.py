"""Devices and processes: Lightning Fabric on accelerators and for several processes; one CPU process does without it.

Importing Fabric takes more than a CPU second, nearly as long as PyTorch itself.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from gatecast.nn.draws import reseed
from gatecast.training.config import FitConfig
from gatecast.training.launch import ProcessLost, World

TIMEOUT = timedelta(minutes=5)  # a process that does not respond for this long counts as lost


@runtime_checkable
class Engine(Protocol):
    """What the training loop needs of the hardware. ``rank`` is the number of this process, ``size`` that of all."""

    rank: int
    size: int

    @property
    def device(self) -> torch.device:
        """Device of the batches."""

    def setup(self, module: Any, *optimizers: Any) -> Any:
        """Module and optimizers, wrapped for this engine."""

    def backward(self, tensor: Tensor) -> None:
        """Compute the gradients of a loss, averaged over the processes."""

    def no_sync(self, module: Any, enabled: bool) -> AbstractContextManager[Any]:
        """Context without averaging over the processes, to accumulate gradients over batches."""

    def total(self, value: float) -> float:
        """Sum over the processes."""

    def largest(self, value: int) -> int:
        """Largest value of the processes."""

    def seed(self, seed: int, step: int) -> None:
        """Seed the random numbers of a step differently in each process."""


class OneCpu:
    """One process on the CPU: nothing to move, nothing to reduce."""

    device = torch.device("cpu")
    rank, size = 0, 1

    def setup(self, module: nn.Module, *optimizers: Any) -> tuple[Any, ...]:
        """Both unchanged."""
        return module, *optimizers

    def backward(self, tensor: Tensor) -> None:
        """Compute the gradients of a loss."""
        tensor.backward()

    def no_sync(self, module: Any, enabled: bool) -> AbstractContextManager[Any]:
        """There is nothing to average."""
        return nullcontext()

    def total(self, value: float) -> float:
        """The value."""
        return value

    def largest(self, value: int) -> int:
        """The value."""
        return value

    def seed(self, seed: int, step: int) -> None:
        """One process continues its stream of random numbers."""


class OneDevice(OneCpu):
    """One process on an accelerator, by Lightning Fabric."""

    def __init__(self, accelerator: str) -> None:
        from lightning_fabric import Fabric

        self.fabric = Fabric(accelerator=accelerator, devices=1)
        self.device, self.setup, self.backward = self.fabric.device, self.fabric.setup, self.fabric.backward  # type: ignore[method-assign]


class Processes(OneCpu):
    """One of several processes that train one network: distributed data parallel (DDP) by Lightning Fabric.

    Args:
        config: accelerator and strategy.
        world: the processes, and which of them this one is.
    """

    def __init__(self, config: FitConfig, world: World) -> None:
        from lightning_fabric import Fabric
        from lightning_fabric.plugins.environments import TorchElasticEnvironment
        from lightning_fabric.strategies import DDPStrategy

        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it logs a line for every process
        unused = config.strategy == "ddp_find_unused_parameters_true"
        self.rank, self.size = world.rank, world.size
        self.fabric = Fabric(
            accelerator=config.accelerator,
            devices=world.local_size,
            num_nodes=world.size // world.local_size,
            strategy=DDPStrategy(timeout=TIMEOUT, find_unused_parameters=unused),
            plugins=[TorchElasticEnvironment()],
        )
        with self.detecting_loss():
            self.fabric.launch()
        self.device = self.fabric.device

    def setup(self, module: nn.Module, *optimizers: Any) -> tuple[Any, ...]:
        """The module wrapped by DDP; optimizers stay unchanged, since all processes have the same gradients."""
        return self.fabric.setup_module(module), *optimizers

    def backward(self, tensor: Tensor) -> None:
        """Compute the gradients of a loss, averaged over the processes."""
        with self.detecting_loss():
            self.fabric.backward(tensor)

    def no_sync(self, module: Any, enabled: bool) -> AbstractContextManager[Any]:
        """Context without averaging over the processes."""
        return self.fabric.no_backward_sync(module, enabled=enabled)

    def total(self, value: float) -> float:
        """Sum over the processes."""
        return self._reduced(value, "sum")

    def largest(self, value: int) -> int:
        """Largest value of the processes."""
        return int(self._reduced(value, "max"))

    def _reduced(self, value: float, by: str) -> float:
        one = torch.tensor(value, dtype=torch.float64, device=self.device)
        with self.detecting_loss():
            reduced: Any = self.fabric.all_reduce(one, reduce_op=by)
        return float(reduced)

    def seed(self, seed: int, step: int) -> None:
        """Seed by run, process and step, so that a resumed run draws the same numbers."""
        reseed((seed * 1_000_003 + step * self.size + self.rank) % 2**63)

    @contextmanager
    def detecting_loss(self) -> Iterator[None]:
        """Raise ProcessLost if the connection to another process breaks or times out."""
        try:
            yield
        except RuntimeError as error:
            if not _of_connection(error):
                raise
            raise ProcessLost(f"process {self.rank} of {self.size} lost the connection to another one") from error


def _of_connection(error: RuntimeError) -> bool:
    """Whether an error comes from the connection between processes rather than from the computation."""
    if isinstance(error, torch.distributed.DistError):
        return True
    return any(word in str(error) for word in ("gloo", "NCCL", "Connection", "TCPStore"))


def engine_of(config: FitConfig) -> Engine:
    """The engine for this process.

    Raises:
        ProcessLost: the other processes do not respond.
    """
    world = World.here()
    if world.size > 1:
        return Processes(config, world)
    return OneCpu() if config.accelerator == "cpu" else OneDevice(config.accelerator)
