"""Activations by name: as Keras 3 defines them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.named import did_you_mean

Activation = str | Callable[[Tensor], Tensor]


def hard_sigmoid(x: Tensor) -> Tensor:
    """``clip(x / 6 + 1/2, 0, 1)``; its derivative at the corners -3 and 3 is 0."""
    return functional.hardsigmoid(x)


def linear(x: Tensor) -> Tensor:
    """Identity."""
    return x


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "hard_sigmoid": hard_sigmoid,
    "softsign": functional.softsign,
    "linear": linear,
    "hard_tanh": functional.hardtanh,
    "elu": functional.elu,
    "selu": torch.selu,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "softplus": functional.softplus,
    "exponential": torch.exp,
}


_OTHER_NAMES = {"swish": "silu", "exp": "exponential", "identity": "linear", "hardtanh": "hard_tanh"}


def activation_of(activation: Activation, name: str = "activation") -> Callable[[Tensor], Tensor]:
    """The activation function with this name; a function is returned unchanged.

    Args:
        activation: a name or a function of a tensor.
        name: of the argument, for the message.

    Raises:
        SettingError: there is no such activation, or the value is not callable.
    """
    if isinstance(activation, str) and activation in ACTIVATIONS:
        return ACTIVATIONS[activation]
    if isinstance(activation, str | type) or not callable(activation):
        raise SettingError(
            Arg(name) + f" must be one of {', '.join(ACTIVATIONS)}, or a function of a tensor, got {activation!r}",
            did_you_mean(_OTHER_NAMES.get(str(activation), activation), ACTIVATIONS),
        )
    return activation
