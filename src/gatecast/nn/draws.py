"""Random numbers from a generator per thread, so that fits in threads neither disturb each other nor the caller.

PyTorch draws weights, dropout masks and samples from one generator for the whole process. Under :func:`drawing` a
thread has its own: the same numbers as after ``torch.manual_seed(seed)``, while the global generator is left alone.
Dropout asks for it on each call; under :func:`injected` every random operator gets it (slower, since each operator
passes through Python: for building networks and for sampling).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

_aten = torch.ops.aten
_WITH_GENERATOR = {
    _aten.rand.default: _aten.rand.generator,
    _aten.randn.default: _aten.randn.generator,
    _aten.randint.default: _aten.randint.generator,
    _aten.randint.low: _aten.randint.low_generator,
    _aten.randperm.default: _aten.randperm.generator,
}
_LIKE = {_aten.rand_like.default: Tensor.uniform_, _aten.randn_like.default: Tensor.normal_}


class _Generators:
    """One generator a device, all seeded alike."""

    def __init__(self, seed: int) -> None:
        self.seed(seed)

    def seed(self, seed: int) -> None:
        self._seed = int(seed)  # NumPy's integers are refused by PyTorch
        self._on: dict[torch.device, Generator] = {}

    def on(self, device: torch.device) -> Generator:
        if device not in self._on:
            self._on[device] = Generator(device).manual_seed(self._seed)
        return self._on[device]


class _Local(threading.local):
    generators: _Generators | None = None


_LOCAL = _Local()


@contextmanager
def drawing(seed: int) -> Iterator[None]:
    """Draw from a generator of this thread, seeded anew; the one of before is back afterwards."""
    before, _LOCAL.generators = _LOCAL.generators, _Generators(seed)
    try:
        yield
    finally:
        _LOCAL.generators = before


def reseed(seed: int) -> None:
    """Seed this thread's generator anew; outside of :func:`drawing`, PyTorch's."""
    if _LOCAL.generators is None:
        torch.manual_seed(seed)
    else:
        _LOCAL.generators.seed(seed)


def generator(device: torch.device) -> Generator | None:
    """This thread's generator; None outside of :func:`drawing`, which means PyTorch's."""
    return None if _LOCAL.generators is None else _LOCAL.generators.on(device)


class injected(TorchDispatchMode):
    """Hand this thread's generator to every random operator of PyTorch."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # the other way imports the compiler, for seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded not in func.tags or _LOCAL.generators is None:
            return func(*args, **kwargs)
        if func in _LIKE:
            like = torch.empty_like(args[0], **kwargs)
            return _LIKE[func](like, generator=generator(like.device))
        func = _WITH_GENERATOR.get(func, func)
        if any(one.name == "generator" for one in func._schema.arguments) and kwargs.get("generator") is None:
            device = next((one.device for one in args if isinstance(one, Tensor)), kwargs.get("device"))
            kwargs["generator"] = generator(torch.device(device or torch.get_default_device()))
        return func(*args, **kwargs)


def dropout(x: Tensor, p: float, training: bool = True) -> Tensor:
    """:func:`torch.nn.functional.dropout`, from this thread's generator."""
    own = generator(x.device)
    if own is None or not training or p in (0, 1):
        return functional.dropout(x, p, training)
    return x * torch.empty_like(x).bernoulli_(1 - p, generator=own).div_(1 - p)


class Dropout(nn.Dropout):
    """:class:`torch.nn.Dropout`, from this thread's generator."""

    def forward(self, input: Tensor) -> Tensor:
        return dropout(input, self.p, self.training)
