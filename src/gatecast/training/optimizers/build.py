"""From a choice to an optimiser of a network's weights. ``torch.optim`` loads here, when it is needed first."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from gatecast.base.errors import SettingError
from gatecast.training.optimizers.choices import Adam, Ftrl, Nadam, Optimizer, Own, read_optimizer, written_optimizer

if TYPE_CHECKING:
    from torch import nn

    from gatecast.training.config import FitConfig


def optimizer_of(model: nn.Module, config: FitConfig) -> Any:
    """The optimiser of a training run.

    ``FitConfig.weight_decay`` is decoupled for every optimiser by name: a step first takes the learning rate times
    ``weight_decay`` off each weight, and the averages of the gradient never see it (Loshchilov & Hutter 2019). A class
    or function of one's own gets it as its argument ``weight_decay``, with the meaning it has there.

    Raises:
        SettingError: settings that the optimiser does not take.
    """
    choice, weights = read_optimizer(config.optimizer), list(model.parameters())
    if not isinstance(choice, Optimizer):
        return _own(choice, weights, config)
    try:
        return _named(choice, weights, config)
    except (TypeError, ValueError) as error:
        if isinstance(error, SettingError):
            raise
        raise SettingError(f"FitConfig.optimizer={written_optimizer(choice)!r}: {error}") from error


def _named(choice: Optimizer, weights: list[nn.Parameter], config: FitConfig) -> Any:
    """One of ours, by its settings."""
    decay = choice.decay if config.weight_decay is None else config.weight_decay
    settings = {"lr": config.learning_rate, **asdict(choice)}
    if isinstance(choice, Own):
        raise SettingError(
            f"the model was trained with {choice.name}, which its file cannot hold; "
            f"give it again to train: FitConfig(optimizer={choice.name.rpartition('.')[2]})"
        )
    if isinstance(choice, Ftrl):
        return _ftrl(weights, decay, settings)
    if isinstance(choice, Adam) and config.accelerator == "cpu":
        from gatecast.training.optimizers.fused_adamw import LeanAdamW

        return LeanAdamW(weights, weight_decay=decay, **settings)
    import torch.optim

    if isinstance(choice, Adam):
        return torch.optim.AdamW(weights, weight_decay=decay, **settings)
    name = "NAdam" if isinstance(choice, Nadam) else type(choice).__name__
    return _decoupled(getattr(torch.optim, name)(weights, **settings), decay)


def _ftrl(weights: list[nn.Parameter], decay: float, settings: dict[str, Any]) -> Any:
    if decay:
        raise SettingError(
            f"FitConfig.weight_decay={decay:g} does not go with ftrl, which solves for its weights anew at each step; "
            f"take optimizer='ftrl(l2_regularization_strength={decay / 2:g})' and leave weight_decay out"
        )
    from gatecast.training.optimizers.ftrl import FtrlProximal

    return FtrlProximal(weights, **settings)


def _decoupled(optimizer: Any, decay: float) -> Any:
    """The optimiser, whose steps first shrink the weights."""

    def shrink(optimizer: Any, args: Any, kwargs: Any) -> None:
        import torch

        with torch.no_grad():
            for group in optimizer.param_groups:
                used = [weight for weight in group["params"] if weight.grad is not None]
                torch._foreach_mul_(used, 1 - group["lr"] * decay)

    if decay:
        optimizer.register_step_pre_hook(shrink)
    return optimizer


def _own(make: Callable[..., Any], weights: list[nn.Parameter], config: FitConfig) -> Any:
    """What a class or function of the user's makes."""
    if config.weight_decay is None:
        return _stepping(make(weights, lr=config.learning_rate))
    taken = inspect.signature(make).parameters.values()
    if not any(one.name == "weight_decay" or one.kind is one.VAR_KEYWORD for one in taken):
        name = getattr(make, "__name__", repr(make))
        raise SettingError(
            f"FitConfig.weight_decay={config.weight_decay:g} cannot be handed on: {name} takes no argument "
            "weight_decay; leave it out, or add the argument"
        )
    return _stepping(make(weights, lr=config.learning_rate, weight_decay=config.weight_decay))


def _stepping(optimizer: Any) -> Any:
    """The optimiser, when its step needs nothing but the gradients."""
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise SettingError(
            f"FitConfig.optimizer={type(optimizer).__name__} computes the loss several times in a step (closure), and "
            "the training loop gives it one gradient; take an optimiser whose step goes without, such as 'adamw'"
        )
    return optimizer
