"""Constructors that answer an unknown argument with the one that was meant."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from gatecast.base.errors import SettingError
from gatecast.base.text import nearest

T = TypeVar("T", bound=type)

ALIASES = {  # names in Keras and other libraries → ours
    "lr": "learning_rate",
    "units": "hidden_size",
    "hidden_dim": "hidden_size",
    "layers": "num_layers",
    "n_layers": "num_layers",
    "max_steps": "steps",
    "max_epochs": "epochs",
    "n_epochs": "epochs",
    "optim": "optimizer",
    "input_chunk_length": "context",
    "lookback": "context",
    "h": "horizon",
    "random_state": "seed",
}


def suggests(**configs: type) -> Callable[[T], T]:
    """A class whose constructor refuses unknown arguments with a remedy.

    Args:
        **configs: argument → config class whose fields may be meant: ``net=NetConfig``.

    Example:
        >>> from gatecast import FitConfig
        >>> FitConfig(lr=0.01)
        Traceback (most recent call last):
        gatecast.base.errors.SettingError: FitConfig has no argument 'lr'; did you mean learning_rate?
    """

    def decorate(made: T) -> T:
        construct = vars(made)["__init__"]
        known = [name for name in inspect.signature(construct).parameters if name != "self"]

        @wraps(construct)
        def __init__(self: Any, *args: Any, **given: Any) -> None:
            unknown = [name for name in given if name not in known]
            if unknown:
                remedy = _meant(unknown[0], given[unknown[0]], known, configs)
                raise SettingError(f"{made.__name__} has no argument {unknown[0]!r}", remedy)
            construct(self, *args, **given)

        type.__setattr__(made, "__init__", __init__)
        return made

    return decorate


def _meant(name: str, value: Any, known: list[str], configs: Mapping[str, type]) -> str:
    """The argument that was probably meant, or all of them."""
    for wanted in (name, ALIASES.get(name)):
        if wanted in known:
            return f"did you mean {wanted}?"
        for argument, config in configs.items():
            if wanted in inspect.signature(config).parameters:
                return f"it is a field of {config.__name__}: {argument}={config.__name__}({wanted}={value!r})"
    near = nearest(name, known)
    return f"did you mean {near}?" if near else f"its arguments are {', '.join(known)}"
