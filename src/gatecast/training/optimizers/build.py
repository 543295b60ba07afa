"""From ``FitConfig.optimizer`` to an optimizer of a network's weights."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.training.optimizers.specs import OWN, OptimizerSpec, optimizer_class, optimizer_spec

if TYPE_CHECKING:
    from torch import nn

    from gatecast.training.config import FitConfig

_DECAY = {"adamw": 1e-2}  # weight decay where FitConfig has none


def optimizer_of(model: nn.Module, config: FitConfig) -> Any:
    """The optimizer of a training run.

    ``FitConfig.weight_decay`` is decoupled for every optimizer by name: a step first multiplies the weights by
    ``1 - lr * weight_decay``, and the moments of the gradient do not include it (Loshchilov & Hutter 2019). A class or
    function that the user gives gets it as its argument ``weight_decay``, with the meaning it has there.

    Raises:
        SettingError: settings that the optimizer does not accept.
    """
    spec, weights = optimizer_spec(config.optimizer), list(model.parameters())
    if not isinstance(spec, OptimizerSpec):
        return _from_user(spec, weights, config)
    if spec.name == OWN:
        made = str(spec.settings["name"])
        raise SettingError(
            f"the model was trained with {made}, which a model file cannot hold",
            f"give it again to train: FitConfig(optimizer={made.rpartition('.')[2]})",
        )
    decay = _DECAY.get(spec.name, 0.0) if config.weight_decay is None else config.weight_decay
    if spec.name == "ftrl" and decay:
        raise SettingError(
            Arg("weight_decay", decay, of="FitConfig") + " cannot be combined with ftrl, which solves for the weights "
            "at each step",
            "leave it out and take " + Arg("optimizer", f"ftrl(l2_regularization_strength={decay / 2:g})"),
        )
    try:
        return _by_name(spec, weights, decay, config)
    except SettingError:
        raise
    except (TypeError, ValueError) as error:  # PyTorch checks the bounds of the settings
        raise SettingError(Arg("optimizer", str(spec), of="FitConfig") + f": {error}") from error


def _by_name(spec: OptimizerSpec, weights: list[nn.Parameter], decay: float, config: FitConfig) -> Any:
    settings = {"lr": config.learning_rate, **spec.settings}
    if spec.name not in ("adam", "adamw"):
        return _decoupled(optimizer_class(spec.name)(weights, **settings), decay)
    if config.accelerator == "cpu":
        from gatecast.training.optimizers.fused_adamw import FusedAdamW

        return FusedAdamW(weights, weight_decay=decay, **settings)
    return optimizer_class("adamw")(weights, weight_decay=decay, **settings)


def _decoupled(optimizer: Any, decay: float) -> Any:
    """Add decoupled weight decay to each step of an optimizer."""

    def shrink(optimizer: Any, args: Any, kwargs: Any) -> None:
        import torch

        with torch.no_grad():
            for group in optimizer.param_groups:
                used = [weight for weight in group["params"] if weight.grad is not None]
                torch._foreach_mul_(used, 1 - group["lr"] * decay)

    if decay:
        optimizer.register_step_pre_hook(shrink)
    return optimizer


def _from_user(make: Any, weights: list[nn.Parameter], config: FitConfig) -> Any:
    """The optimizer that a class or function of the user makes."""
    settings: dict[str, Any] = {"lr": config.learning_rate}
    if config.weight_decay is not None:
        arguments = inspect.signature(make).parameters.values()
        if not any(one.name == "weight_decay" or one.kind is one.VAR_KEYWORD for one in arguments):
            raise SettingError(
                Arg("weight_decay", config.weight_decay, of="FitConfig")
                + f" cannot be passed on: {getattr(make, '__name__', repr(make))} takes no argument weight_decay",
                "leave it out, or add the argument",
            )
        settings["weight_decay"] = config.weight_decay
    optimizer = make(weights, **settings)
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise SettingError(
            Arg("optimizer", of="FitConfig") + f"={type(optimizer).__name__} evaluates the loss several times in a "
            "step (closure), and the training loop gives it one gradient",
            "take an optimizer whose step needs no closure, such as " + Arg("optimizer", "adamw"),
        )
    return optimizer
