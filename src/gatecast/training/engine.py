"""Where a step runs: Lightning Fabric on accelerators and over processes, and its part for one CPU process without it.

Fabric's first import costs more than a CPU second, nearly as much as PyTorch itself; a first forecast on a CPU is
spared it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from gatecast.training.config import FitConfig
from gatecast.training.launch import ProcessLost, World

TIMEOUT = timedelta(minutes=5)  # after which a process that does not answer counts as lost


@runtime_checkable
class Engine(Protocol):
    """What the loop asks of the machine. ``rank`` and ``size`` are this process's number and that of all."""

    rank: int
    size: int

    @property
    def device(self) -> torch.device:
        """Where batches go."""

    def setup(self, module: Any, *optimizers: Any) -> Any:
        """Module and optimisers as they are to be used."""

    def backward(self, tensor: Tensor) -> None:
        """Gradients of a loss, averaged over the processes."""

    def alone(self, module: Any, wanted: bool) -> AbstractContextManager[Any]:
        """In which gradients stay in this process, for the sum over several batches."""

    def total(self, value: float) -> float:
        """Sum over the processes."""

    def largest(self, value: int) -> int:
        """Largest value of the processes."""

    def seed(self, seed: int, step: int) -> None:
        """Make the random numbers of a step those of this process alone."""


class OneCpu:
    """One process on the CPU: nothing to move, nothing to reduce."""

    device = torch.device("cpu")
    rank, size = 0, 1

    def setup(self, module: nn.Module, *optimizers: Any) -> tuple[Any, ...]:
        """Both as they are."""
        return module, *optimizers

    def backward(self, tensor: Tensor) -> None:
        """Gradients of a loss."""
        tensor.backward()

    def alone(self, module: Any, wanted: bool) -> AbstractContextManager[Any]:
        """They always do."""
        return nullcontext()

    def total(self, value: float) -> float:
        """The value."""
        return value

    def largest(self, value: int) -> int:
        """The value."""
        return value

    def seed(self, seed: int, step: int) -> None:
        """The process's random numbers go on."""


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
        world: this process's place among them.
    """

    def __init__(self, config: FitConfig, world: World) -> None:
        from lightning_fabric import Fabric
        from lightning_fabric.plugins.environments import TorchElasticEnvironment
        from lightning_fabric.strategies import DDPStrategy

        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it tells of every process otherwise
        unused = config.strategy == "ddp_find_unused_parameters_true"
        self.rank, self.size = world.rank, world.size
        self.fabric = Fabric(
            accelerator=config.accelerator,
            devices=world.local_size,
            num_nodes=world.size // world.local_size,
            strategy=DDPStrategy(timeout=TIMEOUT, find_unused_parameters=unused),
            plugins=[TorchElasticEnvironment()],
        )
        with self.together():
            self.fabric.launch()
        self.device = self.fabric.device

    def setup(self, module: nn.Module, *optimizers: Any) -> tuple[Any, ...]:
        """The module as DDP wraps it; optimisers see the same gradients in every process and stay as they are."""
        return self.fabric.setup_module(module), *optimizers

    def backward(self, tensor: Tensor) -> None:
        """Gradients of a loss, averaged over the processes."""
        with self.together():
            self.fabric.backward(tensor)

    def alone(self, module: Any, wanted: bool) -> AbstractContextManager[Any]:
        """In which gradients stay in this process."""
        return self.fabric.no_backward_sync(module, enabled=wanted)

    def total(self, value: float) -> float:
        """Sum over the processes."""
        return self._reduced(value, "sum")

    def largest(self, value: int) -> int:
        """Largest value of the processes."""
        return int(self._reduced(value, "max"))

    def _reduced(self, value: float, by: str) -> float:
        one = torch.tensor(value, dtype=torch.float64, device=self.device)
        with self.together():
            reduced: Any = self.fabric.all_reduce(one, reduce_op=by)
        return float(reduced)

    def seed(self, seed: int, step: int) -> None:
        """A function of seed, process and step, so that a resumed run draws what the unbroken one drew."""
        torch.manual_seed((seed * 1_000_003 + step * self.size + self.rank) % 2**63)

    @contextmanager
    def together(self) -> Iterator[None]:
        """A connection that breaks or stays silent means that another process has ended."""
        try:
            yield
        except RuntimeError as error:
            if not _of_connection(error):
                raise
            raise ProcessLost(f"process {self.rank} of {self.size} lost another one") from error


def _of_connection(error: RuntimeError) -> bool:
    """Whether an error is of the connection between processes, and not of what they compute."""
    if isinstance(error, torch.distributed.DistError):
        return True
    return any(word in str(error) for word in ("gloo", "NCCL", "Connection", "TCPStore"))


def engine_of(config: FitConfig) -> Engine:
    """The engine of the settings, for this process.

    Raises:
        ProcessLost: the other processes do not answer.
    """
    world = World.here()
    if world.size > 1:
        return Processes(config, world)
    return OneCpu() if config.accelerator == "cpu" else OneDevice(config.accelerator)
