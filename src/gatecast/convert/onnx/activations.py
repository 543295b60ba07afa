"""Activations of ONNX's recurrent operators: by our name if we have one, else as functions.

https://onnx.ai/onnx/operators/onnx__LSTM.html has the names and says which read ``alpha`` and ``beta``; defaults are
those of the operators of the same name. ``clip`` bounds the *argument* of the activations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from gatecast.base.errors import SettingError
from gatecast.ops.activations import Activation

# Name: defaults of its parameters, and the function. None: ONNX has no default.
FUNCTIONS: dict[str, tuple[tuple[float | None, ...], Callable[..., Tensor]]] = {
    "Relu": ((), torch.relu),
    "Tanh": ((), torch.tanh),
    "Sigmoid": ((), torch.sigmoid),
    "Softsign": ((), functional.softsign),
    "Softplus": ((), functional.softplus),
    "Affine": ((None, None), lambda x, alpha, beta: alpha * x + beta),
    "LeakyRelu": ((0.01,), lambda x, alpha: torch.where(x < 0, alpha * x, x)),
    "ThresholdedRelu": ((None,), lambda x, alpha: torch.where(x > alpha, x, 0.0)),
    "ScaledTanh": ((None, None), lambda x, alpha, beta: alpha * torch.tanh(beta * x)),
    "HardSigmoid": ((0.2, 0.5), lambda x, alpha, beta: (alpha * x + beta).clamp(0.0, 1.0)),
    "Elu": ((1.0,), lambda x, alpha: torch.where(x < 0, alpha * torch.expm1(x), x)),
}
SATURATING = ("Tanh", "Sigmoid")
NO_CLIP = 20.0  # sigmoid and tanh are within 3e-9 of their limits
# Our name: name and parameters in ONNX.
NAMES: dict[str, tuple[str, tuple[float, ...]]] = {
    "tanh": ("Tanh", ()),
    "sigmoid": ("Sigmoid", ()),
    "relu": ("Relu", ()),
    "softsign": ("Softsign", ()),
    "softplus": ("Softplus", ()),
    "linear": ("Affine", (1.0, 0.0)),
    "hard_sigmoid": ("HardSigmoid", (1 / 6, 0.5)),
    "elu": ("Elu", (1.0,)),
}


@dataclass(frozen=True)
class OnnxActivation:
    """An activation of ONNX without a name here: ``OnnxActivation("HardSigmoid", (0.2, 0.5))``.

    Args:
        name: of the function in ONNX.
        parameters: alpha and beta, if it reads them.
        clip: bound on the argument; None: unbounded.
    """

    name: str
    parameters: tuple[float, ...] = ()
    clip: float | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """Apply the activation elementwise."""
        x = x if self.clip is None else x.clamp(-self.clip, self.clip)
        return FUNCTIONS[self.name][1](x, *self.parameters)


def read_activations(
    names: Iterable[str], alphas: Iterable[float], betas: Iterable[float], clip: float | None, label: str
) -> list[Activation]:
    """The activations of a node; each takes its parameters from the two lists, in order.

    Raises:
        SettingError: an activation that ONNX's recurrent operators lack.
    """
    sources = iter(alphas), iter(betas)
    found = []
    for name in names:
        known = {key.lower(): key for key in FUNCTIONS}.get(name.lower())
        if known is None:
            raise SettingError(f"activations must be of {', '.join(FUNCTIONS)}, got {name!r}", place=label)
        parameters = [next(s, d) for s, d in zip(sources, FUNCTIONS[known][0], strict=False)]
        if None in parameters:
            raise SettingError(f"{known} needs activation_alpha and, where it reads it, activation_beta", place=label)
        found.append(_ours(known, tuple(p for p in parameters if p is not None), clip))
    return found


def write_activation(activation: Activation, label: str) -> OnnxActivation:
    """The ONNX form of an activation.

    Raises:
        SettingError: ONNX's recurrent operators lack it.
    """
    if isinstance(activation, OnnxActivation):
        return activation
    if isinstance(activation, str) and activation in NAMES:
        return OnnxActivation(*NAMES[activation])
    raise SettingError(
        f"ONNX has no counterpart of the activation {activation!r}",
        f"use {', '.join(NAMES)}, or an OnnxActivation of {', '.join(FUNCTIONS)}",
        place=label,
    )


def check_symmetric(activation: Activation, label: str) -> None:
    """Raise SettingError unless ``1 - gate(x) == gate(-x)``, which converting coupled gates needs."""
    known = write_activation(activation, label)
    if known.name != "Sigmoid" and not (known.name == "HardSigmoid" and known.parameters[1] == 0.5):
        raise SettingError(
            f"coupled gates convert to and from ONNX with sigmoid or hard_sigmoid only, got {activation!r}", place=label
        )


def _ours(name: str, parameters: tuple[float, ...], clip: float | None) -> Activation:
    if clip is not None and clip >= NO_CLIP and name in SATURATING:
        clip = None
    for ours, (theirs, fixed) in NAMES.items():
        near = len(fixed) == len(parameters) and all(map(_close, fixed, parameters))
        if theirs == name and near and clip is None:
            return ours
    return OnnxActivation(name, parameters, clip)


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-6)
