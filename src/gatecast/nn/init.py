"""Initializers of weights: by name, or as objects with settings.

A matrix of a recurrent layer stacks one block of ``hidden`` rows for each gate. Glorot's fans are counted on the whole
matrix, as Keras counts them; ``orthogonal`` and ``identity`` fill each gate's block separately.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import MISSING, dataclass

import torch
from torch import Tensor, nn

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.named import did_you_mean
from gatecast.base.options import check_options, option


class GateInitializer(ABC):
    """An initializer that depends on which rows belong to which gate."""

    @abstractmethod
    def fill(self, weight: Tensor, gates: str) -> None:
        """Fill ``(gates * hidden, ...)`` in place; ``gates`` names the blocks of rows: ``"ifgo"``, ``"rzn"``."""


Initializer = str | Callable[[Tensor], object] | GateInitializer


@dataclass(frozen=True)
class Chrono(GateInitializer):
    """Biases for memories of up to ``max_steps`` steps (Tallec & Ollivier 2018)::

        b_f = log(U(1, max_steps - 1)),  b_i = -b_f,  others 0

    In a GRU this applies to the update gate z.

    Args:
        max_steps: the longest dependency expected, in steps; above 2.
    """

    max_steps: float = option(MISSING, "the longest dependency expected, in steps", above=2, below=math.inf)

    def __post_init__(self) -> None:
        check_options(self)

    def fill(self, weight: Tensor, gates: str) -> None:
        parts = _biases("Chrono", weight, gates)
        parts["keeps"].uniform_(1.0, self.max_steps - 1.0).log_()
        if "i" in parts:
            parts["i"].copy_(-parts["keeps"])


@dataclass(frozen=True)
class Spread(GateInitializer):
    """Biases for memories of many lengths: forget gates begin spread from sigmoid(low) to sigmoid(high), others at 0.

    In a GRU this applies to the update gate z.

    Args:
        low: bias of the first unit.
        high: bias of the last.
    """

    low: float = option(3.0, "bias of the first unit", above=-math.inf, below=math.inf)
    high: float = option(6.0, "bias of the last unit", above=-math.inf, below=math.inf)

    def __post_init__(self) -> None:
        check_options(self)

    def fill(self, weight: Tensor, gates: str) -> None:
        keeps = _biases("Spread", weight, gates)["keeps"]
        keeps.copy_(torch.linspace(self.low, self.high, len(keeps)))


@dataclass(frozen=True)
class _EachBlock(GateInitializer):
    """Fills each gate's block alike."""

    gain: float = option(1.0, "factor on each block", above=-math.inf, below=math.inf)

    def __post_init__(self) -> None:
        check_options(self)

    def fill(self, weight: Tensor, gates: str) -> None:
        for block in weight.chunk(len(gates)):
            self._fill_block(block)

    @abstractmethod
    def _fill_block(self, block: Tensor) -> None:
        """Fill the rows of one gate in place."""


@dataclass(frozen=True)
class Orthogonal(_EachBlock):
    """Each gate's block orthogonal (Saxe, McClelland & Ganguli 2014).

    Args:
        gain: factor on each block.
    """

    def _fill_block(self, block: Tensor) -> None:
        dtype = torch.promote_types(block.dtype, torch.float32)  # the decomposition has no bfloat16
        wide = torch.empty(block.shape, dtype=dtype)
        block.copy_(nn.init.orthogonal_(wide, self.gain))


@dataclass(frozen=True)
class Identity(_EachBlock):
    """Each gate's block the identity (Le, Jaitly & Hinton 2015: a ReLU network that remembers); so for convolutions.

    Args:
        gain: factor on each block.
    """

    def _fill_block(self, block: Tensor) -> None:
        (nn.init.eye_ if block.dim() == 2 else nn.init.dirac_)(block).mul_(self.gain)


def _biases(name: str, weight: Tensor, gates: str) -> dict[str, Tensor]:
    """Set all biases to 0 and return them by gate; ``keeps``: those of the forget or the update gate."""
    keeps = next((letter for letter in "fz" if letter in gates), None)
    if keeps is None or weight.dim() != 1:
        raise SettingError(
            f"{name} sets the biases of a layer with a forget or an update gate, got a weight of shape "
            f"{tuple(weight.shape)} and gates {gates!r}",
            "use it as " + Arg("bias_initializer") + " of LSTM or GRU",
        )
    nn.init.zeros_(weight)
    parts = dict(zip(gates, weight.chunk(len(gates)), strict=True))
    return {**parts, "keeps": parts[keeps]}


def _lecun_uniform(weight: Tensor) -> None:
    bound = math.sqrt(3 / weight[0].numel())
    nn.init.uniform_(weight, -bound, bound)


def _lecun_normal(weight: Tensor) -> None:
    nn.init.normal_(weight, std=math.sqrt(1 / weight[0].numel()))


def _he_uniform(weight: Tensor) -> None:
    nn.init.kaiming_uniform_(weight, nonlinearity="relu")


def _he_normal(weight: Tensor) -> None:
    nn.init.kaiming_normal_(weight, nonlinearity="relu")


def _normal(weight: Tensor) -> None:
    nn.init.normal_(weight, std=0.05)


INITIALIZERS: dict[str, Callable[[Tensor], object] | GateInitializer | None] = {
    "uniform": None,  # U(±bound), by default 1/√hidden, whatever the shape: PyTorch's, drawn in PyTorch's order
    "glorot_uniform": nn.init.xavier_uniform_,
    "glorot_normal": nn.init.xavier_normal_,
    "he_uniform": _he_uniform,
    "he_normal": _he_normal,
    "lecun_uniform": _lecun_uniform,
    "lecun_normal": _lecun_normal,
    "orthogonal": Orthogonal(),
    "identity": Identity(),
    "random_normal": _normal,
    "zeros": nn.init.zeros_,
    "ones": nn.init.ones_,
}
_FOR_VECTORS = ("uniform", "random_normal", "zeros", "ones")


def initializer_of(
    initializer: Initializer, name: str = "an initializer"
) -> Callable[[Tensor], object] | GateInitializer | None:
    """The initializer with this name; an object or a function is returned unchanged.

    Args:
        initializer: a name, an object or a function.
        name: of the argument, for the message.

    Raises:
        SettingError: there is no such initializer, or the value cannot fill a tensor.
    """
    if isinstance(initializer, str) and initializer in INITIALIZERS:
        return INITIALIZERS[initializer]
    if isinstance(initializer, GateInitializer):
        return initializer
    if isinstance(initializer, str | type) or not callable(initializer):
        raise SettingError(
            Arg(name) + f" must be one of {', '.join(INITIALIZERS)}, an object such as Chrono(96), or a function "
            f"that fills a tensor, got {initializer!r}",
            did_you_mean(initializer, INITIALIZERS),
        )
    return initializer


@torch.no_grad()
def fill(weight: Tensor, initializer: Initializer, *, gates: str, bound: float) -> None:
    """Fill a weight in place.

    Args:
        weight: ``(gates * hidden, fan_in)``, the kernels of a convolution, or a vector.
        initializer: a name, an object or a function.
        gates: letters of the blocks of rows.
        bound: of ``"uniform"``.
    """
    function = initializer_of(initializer)
    if weight.dim() == 1 and isinstance(initializer, str) and initializer not in _FOR_VECTORS:
        raise SettingError(
            f"the initializer {initializer!r} needs a matrix",
            f"a bias takes {', '.join(_FOR_VECTORS)}, Chrono(...) or a function",
        )
    if function is None:
        nn.init.uniform_(weight, -bound, bound)
    elif isinstance(function, GateInitializer):
        function.fill(weight, gates)
    else:
        function(weight)
