"""The gradients of one step: accumulated over batches, then clipped."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from gatecast.training.config import FitConfig
from gatecast.training.engine import Engine
from gatecast.training.launch import ProcessLost


def accumulate(engine: Engine, network: nn.Module, batches: Sequence[Any], precision: str = "32") -> float:
    """Accumulate the gradients of the mean loss over all batches; return that loss.

    Batches count by their weight (:func:`weight_of`), so that several small batches, of this process or of others,
    give the gradient of one large batch.

    Raises:
        ProcessLost: another process has ended, or its loss is not finite.
    """
    alone = len(batches) == 1 and engine.size == 1
    weights = [1.0] if alone else [weight_of(network, batch) for batch in batches]
    all_weights, local = engine.total(sum(weights)) or 1.0, 0.0
    for left, batch, weight in zip(reversed(range(len(batches))), batches, weights, strict=True):
        with engine.no_sync(network, left > 0):
            with autocast(engine.device, precision):
                loss = network(batch)
            part = loss if alone else loss * (weight * engine.size / all_weights)  # DDP averages over the processes
            engine.backward(part)
        local += float(part.detach())
    total = engine.total(local) / engine.size
    if math.isfinite(local) and not math.isfinite(total):
        raise ProcessLost("the loss of another process is not finite")
    return total


def autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """PyTorch's autocast to bfloat16, if the precision says so.

    Fabric's would also copy each batch, and it does not accept frozen dataclasses.
    """
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def weight_of(network: nn.Module, batch: Any) -> float:
    """Total weight of a batch, over which its loss is the mean; without ``network.weight_of``, its windows."""
    weigh = getattr(getattr(network, "module", network), "weight_of", None)  # Fabric wraps the module
    return float(len(batch)) if weigh is None else float(weigh(batch))


def clip_gradients(parameters: Sequence[nn.Parameter], config: FitConfig) -> float:
    """Clip the gradients by value, then by norm (Pascanu et al. 2013, algorithm 1); return their norm before."""
    gradients = [weight.grad for weight in parameters if weight.grad is not None]
    norm = before = _norm(gradients)
    if config.clip_value:
        torch._foreach_clamp_min_(gradients, -config.clip_value)
        torch._foreach_clamp_max_(gradients, config.clip_value)
        norm = _norm(gradients)
    if config.clip and float(norm) > config.clip:
        torch._foreach_mul_(gradients, config.clip / (norm + 1e-6))  # bit-identical to torch.nn.utils.clip_grad_norm_
    return float(before)


def _norm(gradients: list[Tensor]) -> Tensor:
    """Norm of all entries; equal to ``torch.nn.utils.get_total_norm`` in half its time."""
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients))) if gradients else torch.zeros(())


def gradient_norms(model: nn.Module) -> dict[str, float]:
    """Gradient norm of each layer; a recurrent stack gives one for each of its layers, as ``lstm.l0``."""
    layers: dict[str, list[Tensor]] = {}
    for name, weight in model.named_parameters():
        if weight.grad is not None:
            layers.setdefault(_layer(name), []).append(weight.grad)
    return {name: float(_norm(gradients)) for name, gradients in layers.items()}


def _layer(name: str) -> str:
    """The layer of a parameter: ``network.lstm.weight_ih_l0`` belongs to ``lstm.l0``."""
    path, _, parameter = name.removeprefix("network.").rpartition(".")
    stacked = re.search(r"_(l\d+(?:_reverse)?)$", parameter)
    return ".".join(part for part in (path, stacked[1] if stacked else "") if part) or parameter


def set_rate(optimizer: Any, rate: float) -> float:
    """Set the learning rate of every parameter group."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    return rate


def not_finite(named: Sequence[tuple[str, Tensor | None]]) -> list[str]:
    """Names of the tensors with values that are not finite."""
    return [name for name, value in named if value is not None and not bool(torch.isfinite(value).all())]
