"""Follow the regularised leader, proximal (FTRL-Proximal), as a ``torch.optim.Optimizer``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gatecast.base.findings import Text
from gatecast.base.options import Bounds, check_value


class FtrlProximal(Optimizer):
    """FTRL-Proximal with l1, l2 and rates for each weight (McMahan et al. 2013, Algorithm 1).

    With the gradient ``g`` and the sum ``n`` of its squares, a step of each weight ``w`` is::

        n = n + g²
        1/η = (n^-p + β) / lr                       # p: learning_rate_power, -1/2
        z = z + g + 2 s w - (1/η - 1/η_before) w    # s: shrinkage
        w = -(z - clip(z, -l1, l1)) / (1/η + 2 l2)

    McMahan et al. write λ₁ for l1 and λ₂ for 2 l2. Without penalties this is Adagrad's step ``w - η g``.

    The paper's weights start at 0 and its rate is constant. Networks and schedules need two choices beyond it:

    - *Initial weights.* ``z = 0`` means "all weights are 0": the first step then discards the initialisation of the
      network. Here ``z`` starts as the value whose solution is the initial weights;
      ``keep_initial_weights=False`` starts at 0, as Keras does.
    - *Changing rates.* ``1/η_before`` uses the rate of the previous step. Keras uses that of the current step, which
      multiplies all weights by the change of the rate; a schedule that ends near 0 would end with weights near 0.

    With ``keep_initial_weights=False`` and a constant rate, the steps are Keras's.

    Args:
        params: weights, or groups of them.
        lr: learning rate.
        learning_rate_power: ``p``, at most 0.
        initial_accumulator_value: start of ``n``, at least 0.
        l1_regularization_strength: ``l1`` of the penalty ``l1 |w|``, solved exactly: weights become exactly 0.
        l2_regularization_strength: ``l2`` of the penalty ``l2 w²``, solved exactly.
        l2_shrinkage_regularization_strength: ``s``, a penalty whose gradient is added to the loss's.
        beta: ``β``.
        keep_initial_weights: start from the initial weights.

    Raises:
        SettingError: a setting is out of its range.

    Example:
        >>> import torch
        >>> from gatecast.training.optimizers.ftrl import FtrlProximal
        >>> weight = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        >>> settings = {"l1_regularization_strength": 10.0, "keep_initial_weights": False}
        >>> ftrl = FtrlProximal([weight], lr=0.5, **settings)
        >>> for _ in range(20):
        ...     ((weight - torch.tensor([0.1, 4.0])) ** 2).sum().backward()
        ...     ftrl.step()
        ...     ftrl.zero_grad()
        >>> weight[0].item()
        0.0
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        *,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        keep_initial_weights: bool = True,
    ) -> None:
        settings = {
            "lr": lr,
            "learning_rate_power": learning_rate_power,
            "initial_accumulator_value": initial_accumulator_value,
            "l1_regularization_strength": l1_regularization_strength,
            "l2_regularization_strength": l2_regularization_strength,
            "l2_shrinkage_regularization_strength": l2_shrinkage_regularization_strength,
            "beta": beta,
            "keep_initial_weights": keep_initial_weights,
        }
        for name, value in settings.items():
            bounds = Bounds(most=0) if name == "learning_rate_power" else Bounds(least=0)
            check_value(Text(f"ftrl's {name}"), value, "bool" if name == "keep_initial_weights" else "float", bounds)
        super().__init__(params, settings)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update the weights that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    slot = self.state[weight] or self._start(weight, group)
                    self._update(weight, weight.grad, slot, group)
        return loss

    def _start(self, w: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        """``n``, ``1/η`` and ``z`` before the first step."""
        n = torch.full_like(w, group["initial_accumulator_value"])
        slot = {"accumulator": n, "inverse_rate": _inverse_rate(n, group), "linear": torch.zeros_like(w)}
        if group["keep_initial_weights"]:
            quadratic = slot["inverse_rate"] + 2 * group["l2_regularization_strength"]
            slot["linear"] = -quadratic * w - group["l1_regularization_strength"] * w.sign()
        self.state[w] = slot
        return slot

    def _update(self, w: Tensor, g: Tensor, slot: dict[str, Tensor], group: dict[str, Any]) -> None:
        n, z, l1 = slot["accumulator"], slot["linear"], group["l1_regularization_strength"]
        n.addcmul_(g, g)
        inverse_rate = _inverse_rate(n, group)
        z.add_(g + 2 * group["l2_shrinkage_regularization_strength"] * w - (inverse_rate - slot["inverse_rate"]) * w)
        slot["inverse_rate"] = inverse_rate
        quadratic = inverse_rate + 2 * group["l2_regularization_strength"]
        w.copy_(torch.where(quadratic > 0, (z.clamp(-l1, l1) - z) / quadratic, w))  # 0 before the first gradient


def _inverse_rate(n: Tensor, group: dict[str, Any]) -> Tensor:
    """``1/η``."""
    return (n.pow(-group["learning_rate_power"]) + group["beta"]) / group["lr"]
