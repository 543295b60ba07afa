"""The gradients of one step: of one batch, or of several that count as one, cut as the settings say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from gatecast.data.windows import Batch
from gatecast.training.config import FitConfig
from gatecast.training.engine import Engine


def accumulate(engine: Engine, network: nn.Module, batches: Sequence[Batch], precision: str = "32") -> float:
    """Add the gradients of the mean loss over all batches to the weights, and give that loss.

    Each batch counts by its weight (:func:`weight_of`), so that several small batches make the step of a large one.
    """
    weights = [weight_of(network, batch) for batch in batches] if len(batches) > 1 else [1.0]
    scale, total = sum(weights) or 1.0, 0.0
    for batch, weight in zip(batches, weights, strict=True):
        with autocast(engine.device, precision):
            loss = network(batch)
        part = loss * (weight / scale) if len(batches) > 1 else loss
        engine.backward(part)
        total += float(part.detach())
    return total


def autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """In which a forward pass uses bfloat16 where PyTorch holds it to be safe; or nothing.

    Fabric's own would also copy each batch, and it takes no frozen dataclass.
    """
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def weight_of(network: nn.Module, batch: Batch) -> float:
    """What a batch's mean loss is the mean over: ``network.weight_of(batch)`` where there is one, else its windows."""
    own = getattr(getattr(network, "module", network), "weight_of", None)  # Fabric wraps the module
    return float(len(batch)) if own is None else float(own(batch))


def cut(parameters: Sequence[nn.Parameter], config: FitConfig) -> float:
    """Cut the gradients by value, then by norm (Pascanu et al. 2013, algorithm 1); gives their norm before."""
    gradients = [weight.grad for weight in parameters if weight.grad is not None]
    norm = before = _norm(gradients)
    if config.clip_value:
        torch._foreach_clamp_min_(gradients, -config.clip_value)
        torch._foreach_clamp_max_(gradients, config.clip_value)
        norm = _norm(gradients)
    if config.clip and float(norm) > config.clip:
        torch._foreach_mul_(gradients, config.clip / (norm + 1e-6))  # to the bit as torch.nn.utils.clip_grad_norm_
    return float(before)


def _norm(gradients: list[Tensor]) -> Tensor:
    """Norm of all values together; half the time of ``torch.nn.utils.get_total_norm``, and the same number."""
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients))) if gradients else torch.zeros(())


def gradient_norms(model: nn.Module) -> dict[str, float]:
    """Norm of the gradient of each layer; the layers of a recurrent stack count one by one, as ``lstm.l0``."""
    layers: dict[str, list[Tensor]] = {}
    for name, weight in model.named_parameters():
        if weight.grad is not None:
            layers.setdefault(_layer(name), []).append(weight.grad)
    return {name: float(_norm(gradients)) for name, gradients in layers.items()}


def _layer(name: str) -> str:
    """``network.lstm.weight_ih_l0`` is of ``lstm.l0``."""
    path, _, own = name.removeprefix("network.").rpartition(".")
    stacked = re.search(r"_(l\d+(?:_reverse)?)$", own)
    return ".".join(part for part in (path, stacked[1] if stacked else "") if part) or own


def set_rate(optimizer: Any, rate: float) -> float:
    """Give every group of weights the rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    return rate


def not_finite(named: Sequence[tuple[str, Tensor | None]]) -> list[str]:
    """Names of the tensors that hold a value which is not finite."""
    return [name for name, value in named if value is not None and not bool(torch.isfinite(value).all())]
