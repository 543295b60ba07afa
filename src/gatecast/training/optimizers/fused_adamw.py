"""The default optimizer on the CPU, without loading what ``torch.optim`` loads."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn


class FusedAdamW:
    """Adam with decoupled weight decay (Kingma & Ba 2015; Loshchilov & Hutter 2019, algorithm 2) on the CPU.

    Bit-identical to ``torch.optim.AdamW(fused=True)``, with the same names of the state. It exists because
    ``torch.optim`` loads PyTorch's compiler on first use, which costs a first forecast more than a second.

    Args:
        parameters: updated in place.
        lr: learning rate; each step reads it from ``param_groups[0]["lr"]``.
        weight_decay: each step multiplies the weights by ``1 - lr * weight_decay``.
        betas: decay of the averages of the gradient and of its square.
        eps: added to the root of the latter.
        amsgrad: use the largest average of squares so far (Reddi et al. 2018).
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        *,
        lr: float = 1e-3,
        weight_decay: float = 1e-2,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        amsgrad: bool = False,
    ) -> None:
        self.parameters = list(parameters)
        self.param_groups: list[dict[str, Any]] = [
            {"lr": lr, "weight_decay": weight_decay, "betas": list(betas), "eps": eps, "amsgrad": amsgrad}
        ]
        self.state: dict[int, dict[str, Tensor]] = {}

    @torch.no_grad()
    def step(self) -> None:
        """Update the weights that have a gradient."""
        group = self.param_groups[0]
        used = [(k, weight, weight.grad) for k, weight in enumerate(self.parameters) if weight.grad is not None]
        fresh = partial(_fresh, amsgrad=group["amsgrad"])
        slots = [self.state.get(k) or self.state.setdefault(k, fresh(weight)) for k, weight, _ in used]
        torch._fused_adamw_(
            [weight for _, weight, _ in used],
            [gradient for _, _, gradient in used],
            [slot["exp_avg"] for slot in slots],
            [slot["exp_avg_sq"] for slot in slots],
            [slot["max_exp_avg_sq"] for slot in slots if group["amsgrad"]],
            [slot["step"].add_(1) for slot in slots],
            lr=group["lr"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=group["amsgrad"],
            maximize=False,
        )

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients."""
        for weight in self.parameters:
            weight.grad = None

    def state_dict(self) -> dict[str, Any]:
        """State by index of the weight, and the settings."""
        return {"state": self.state, "param_groups": self.param_groups}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.state, self.param_groups = dict(state["state"]), list(state["param_groups"])


def _fresh(weight: Tensor, *, amsgrad: bool) -> dict[str, Tensor]:
    averages = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if amsgrad else ("exp_avg", "exp_avg_sq")
    return {"step": torch.zeros(()), **{name: torch.zeros_like(weight) for name in averages}}
