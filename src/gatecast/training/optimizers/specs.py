"""Optimizers by name, with the arguments of their PyTorch classes (of ``ftrl``: Keras's): ``"sgd(momentum=0.9)"``.

Learning rate and weight decay are fields of ``FitConfig`` and mean the same for every optimizer. PyTorch is loaded only
where a text has settings, so that the command line can check a name without it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.named import from_text
from gatecast.base.options import Bounds, check_value
from gatecast.base.text import nearest

_CLASSES = {
    "adamw": "AdamW",
    "adam": "Adam",
    "sgd": "SGD",
    "rmsprop": "RMSprop",
    "adadelta": "Adadelta",
    "adagrad": "Adagrad",
    "adamax": "Adamax",
    "adafactor": "Adafactor",
    "nadam": "NAdam",
    "ftrl": "FtrlProximal",
}
OPTIMIZERS = tuple(_CLASSES)
OWN = "own"  # stands in a model file for a class or function of the user's, which the file cannot hold
_BY_FIT_CONFIG = {"params", "lr", "weight_decay"}
_IMPLEMENTATION = {"foreach", "fused", "maximize", "capturable", "differentiable", "decoupled_weight_decay"}
_BOUNDS = {"momentum": Bounds(least=0, below=1)}  # PyTorch accepts 1 and more, where SGD diverges
_OPTION = Arg("optimizer", of="FitConfig")


@dataclass(frozen=True)
class OptimizerSpec:
    """An optimizer by name, with the settings that are not the defaults.

    Args:
        name: one of ``OPTIMIZERS``.
        settings: arguments of its class.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """The text that :func:`optimizer_spec` reads."""
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"{self.name}({settings})" if settings else self.name


def optimizer_spec(value: Any) -> OptimizerSpec | Callable[..., Any]:
    """What ``FitConfig.optimizer`` stands for: an optimizer by name, or the class or function that was given.

    Raises:
        SettingError: unknown name or setting, or a value that makes no optimizer.

    Example:
        >>> from gatecast.training.optimizers import optimizer_spec
        >>> str(optimizer_spec("sgd(nesterov=True, momentum=0.9, dampening=0)"))
        'sgd(momentum=0.9, nesterov=True)'
    """
    names = (OWN,) if isinstance(value, str) and value.startswith(f"{OWN}(") else OPTIMIZERS
    spec = from_text(str(_OPTION), value, {name: partial(_spec, name) for name in names})
    if isinstance(spec, OptimizerSpec) or callable(spec):
        return spec
    raise SettingError(
        _OPTION + f" must be one of {', '.join(OPTIMIZERS)}, a subclass of torch.optim.Optimizer, or a function of "
        f"(parameters, lr=…); got {type(value).__name__} {value!r}"
    )


def optimizer_setting(value: Any) -> str | Callable[..., Any]:
    """The text of an optimizer by name, in one spelling; a class or function as it is."""
    spec = optimizer_spec(value)
    return str(spec) if isinstance(spec, OptimizerSpec) else spec


def optimizer_text(value: Any) -> str:
    """The text for files; a class or function is recorded by its module and name."""
    spec = optimizer_spec(value)
    if isinstance(spec, OptimizerSpec):
        return str(spec)
    made = getattr(spec, "func", spec)  # functools.partial
    return str(OptimizerSpec(OWN, {"name": f"{made.__module__}.{made.__qualname__}"}))


def optimizer_class(name: str) -> Any:
    """The class of an optimizer."""
    if name == "ftrl":
        from gatecast.training.optimizers.ftrl import FtrlProximal

        return FtrlProximal
    import torch.optim

    return getattr(torch.optim, _CLASSES[name])


def _spec(name: str, /, **settings: Any) -> OptimizerSpec:
    if name == OWN or not settings:
        return OptimizerSpec(name, settings)
    arguments = inspect.signature(optimizer_class(name)).parameters
    defaults = {key: a.default for key, a in arguments.items() if key not in _BY_FIT_CONFIG | _IMPLEMENTATION}
    for key, value in settings.items():
        if key not in defaults:
            near = nearest(key, defaults)
            problem = _OPTION + f": {name} takes the settings {', '.join(defaults)}; got {key!r}"
            raise SettingError(problem, f"did you mean {near!r}?" if near else "")
        kind = {bool: "bool", int: "float", float: "float"}.get(type(defaults[key]), "")
        check_value(_OPTION + f": {name}'s {key}", value, kind, _BOUNDS.get(key, Bounds()))
    return OptimizerSpec(name, {k: settings[k] for k in defaults if k in settings and settings[k] != defaults[k]})
