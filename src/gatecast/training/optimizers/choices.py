"""Which optimiser, as data: frozen dataclasses with the settings that PyTorch (for Ftrl: Keras) names and defaults.

Learning rate and weight decay are not here: they are fields of ``FitConfig`` and mean the same for all. Nothing in this
file needs PyTorch, so that the command line can read it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from gatecast.base.errors import SettingError
from gatecast.base.named import from_text, to_text


@dataclass(frozen=True)
class Optimizer:
    """An optimiser by its settings."""

    decay: ClassVar[float] = 0.0  # weight decay where FitConfig names none


@dataclass(frozen=True)
class SGD(Optimizer):
    """Gradient descent, with momentum (Polyak 1964) or Nesterov's (1983), as in Sutskever et al. 2013.

    Args:
        momentum: share of the last step's direction that is kept.
        nesterov: take the gradient's share ahead of the momentum.
        dampening: share of the gradient that does not enter the momentum.
    """

    momentum: float = 0.0
    nesterov: bool = False
    dampening: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.momentum < 1:
            raise SettingError(f"FitConfig.optimizer: sgd's momentum must be in [0, 1), got {self.momentum}")


@dataclass(frozen=True)
class RMSprop(Optimizer):
    """The gradient over the root of its mean square (Tieleman & Hinton 2012).

    Args:
        alpha: decay of the mean square (Keras's ``rho``, which is 0.9 there).
        eps: added to the root; Keras adds it under the root.
        momentum: share of the last step that is kept.
        centered: take the square of the mean gradient off, which gives the variance (Graves 2013).
    """

    alpha: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0
    centered: bool = False


@dataclass(frozen=True)
class Adam(Optimizer):
    """Averages of the gradient and of its square, corrected for their start (Kingma & Ba 2015).

    Args:
        betas: decay of the two averages.
        eps: added to the root of the second, after its correction; Keras adds it before.
        amsgrad: never let the second average shrink (Reddi et al. 2018).
    """

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    amsgrad: bool = False


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay, 0.01 where ``FitConfig`` names none (Loshchilov & Hutter 2019)."""

    decay: ClassVar[float] = 1e-2


@dataclass(frozen=True)
class Adadelta(Optimizer):
    """Steps in the unit of the weights: the size of past steps over that of past gradients (Zeiler 2012).

    Args:
        rho: decay of both mean squares.
        eps: added under both roots; it sets the size of the first steps.
    """

    rho: float = 0.9
    eps: float = 1e-6


@dataclass(frozen=True)
class Adagrad(Optimizer):
    """The gradient over the root of the sum of all its squares (Duchi, Hazan & Singer 2011).

    Args:
        lr_decay: the rate of step t is divided by ``1 + (t - 1) * lr_decay``.
        initial_accumulator_value: start of the sum (0.1 in Keras).
        eps: added to the root; Keras adds it under the root.
    """

    lr_decay: float = 0.0
    initial_accumulator_value: float = 0.0
    eps: float = 1e-10


@dataclass(frozen=True)
class Adamax(Optimizer):
    """Adam with the infinity norm of past gradients in place of their root mean square (Kingma & Ba 2015, section 7.1).

    Args:
        betas: decay of the average of the gradient, and of its largest magnitude.
        eps: added to each magnitude; Keras adds it to the norm.
    """

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8


@dataclass(frozen=True)
class Adafactor(Optimizer):
    """Second moments by rows and columns alone, steps relative to the weights' size (Shazeer & Stern 2018).

    Args:
        beta2_decay: exponent of the second moments' decay, ``1 - t ** beta2_decay``.
        eps: least root of a second moment (None: the resolution of the number format) and least size of the weights
            that a step is relative to.
        d: largest root mean square of a step before it is scaled.
    """

    beta2_decay: float = -0.8
    eps: tuple[float | None, float] = (None, 1e-3)
    d: float = 1.0


@dataclass(frozen=True)
class Nadam(Optimizer):
    """Adam with Nesterov momentum (Dozat 2016).

    Args:
        betas: decay of the averages of the gradient and of its square.
        eps: added to the root of the second.
        momentum_decay: the momentum of step t is ``beta_1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))``; Keras's is 1.
    """

    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    momentum_decay: float = 4e-3


@dataclass(frozen=True)
class Ftrl(Optimizer):
    """Follow the regularised leader, proximal: weights that l1 sets to exactly 0 (McMahan et al. 2013, Algorithm 1).

    Settings, their names and defaults are Keras's, but for the last; see
    :class:`gatecast.training.optimizers.ftrl.FtrlProximal`.

    Args:
        learning_rate_power: exponent of the rate's decay with the sum of squared gradients, at most 0.
        initial_accumulator_value: start of that sum.
        l1_regularization_strength, l2_regularization_strength: penalties on the weights, solved for exactly.
        l2_shrinkage_regularization_strength: penalty whose gradient is added to the loss's.
        beta: added to the root of the sum of squares.
        keep_initial_weights: start where the network starts. False is Keras's: nearly all of a weight's initial value
            is lost at the first step, which is right for linear models that start at 0 and ruins a network.
    """

    learning_rate_power: float = -0.5
    initial_accumulator_value: float = 0.1
    l1_regularization_strength: float = 0.0
    l2_regularization_strength: float = 0.0
    l2_shrinkage_regularization_strength: float = 0.0
    beta: float = 0.0
    keep_initial_weights: bool = True


@dataclass(frozen=True)
class Own(Optimizer):
    """Stands in a model file for a class or function of one's own, which cannot be in it.

    Args:
        name: module and name of what trained the model.
    """

    name: str = ""


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "adamw": AdamW,
    "adam": Adam,
    "sgd": SGD,
    "rmsprop": RMSprop,
    "adadelta": Adadelta,
    "adagrad": Adagrad,
    "adamax": Adamax,
    "adafactor": Adafactor,
    "nadam": Nadam,
    "ftrl": Ftrl,
}
_READABLE = {**OPTIMIZERS, "own": Own}


def read_optimizer(value: Any) -> Optimizer | Callable[..., Any]:
    """The choice that ``FitConfig.optimizer`` stands for: one of ours, or a class or function to be called.

    Raises:
        SettingError: no such optimiser, or not something that makes one.
    """
    known = _READABLE if isinstance(value, str) and value.startswith("own(") else OPTIMIZERS
    choice = from_text("FitConfig.optimizer", value, known)
    if isinstance(choice, Optimizer) or callable(choice):
        return choice
    raise SettingError(
        f"FitConfig.optimizer must be one of {', '.join(OPTIMIZERS)}, an object of theirs, a subclass of "
        f"torch.optim.Optimizer, or a function of (parameters, lr=…); got {type(value).__name__} {value!r}"
    )


def settled_optimizer(value: Any) -> str | Callable[..., Any]:
    """The text of a choice of ours; a class or function of one's own as it is.

    Raises:
        SettingError: as :func:`read_optimizer`.
    """
    choice = read_optimizer(value)
    return written_optimizer(choice) if isinstance(choice, Optimizer) else choice


def written_optimizer(value: Any) -> str:
    """The text of a choice, for files; a class or function of one's own is told by its name."""
    if isinstance(value, str | Optimizer):
        return to_text(value, _READABLE)
    inner = getattr(value, "func", value)  # functools.partial
    return to_text(Own(f"{inner.__module__}.{inner.__qualname__}"), _READABLE)
