"""The recall task: the first input of a sequence decides the answer at its end; noise comes between.

The simplest long time lag (Bengio, Simard & Frasconi 1994, task 2a of Hochreiter & Schmidhuber 1997 with noise).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

NOISE = 0.3
BATCH = 32


@dataclass(frozen=True)
class Trained:
    """How one network learnt.

    Args:
        name: of the network.
        losses: cross entropy of each step, in nats; chance is log 2 = 0.69.
        norms: of the whole gradient at each step, before clipping.
        right: share of right answers on 1,000 new sequences.
    """

    name: str
    losses: list[float]
    norms: list[float]
    right: float


def recall_batch(steps: int, count: int, inputs: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Sequences ``(steps, count, inputs)`` and what they ask: the sign of the first value."""
    x = NOISE * torch.randn(steps, count, inputs, generator=generator)
    answer = torch.randint(0, 2, (count,), generator=generator).float()
    x[0, :, 0] = 2 * answer - 1
    return x, answer


def train_recall(
    name: str,
    layer: Any,
    steps: int,
    updates: int,
    *,
    seed: int,
    clip: float | None = 1.0,
    rate: float = 5e-3,
) -> Trained:
    """Train a layer with a readout on new sequences at each step (Adam).

    Args:
        name: of the network.
        layer: its weights change.
        steps: length of a sequence.
        updates: training steps, of 32 sequences each.
        seed: of sequences and readout.
        clip: largest norm of the gradient; None: it is not clipped.
        rate: learning rate.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        readout = nn.Linear(layer.hidden_size, 1)
    parameters = [*layer.parameters(), *readout.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=rate)
    losses, norms = [], []
    for _ in range(updates):
        x, answer = recall_batch(steps, BATCH, layer.input_size, generator)
        loss = binary_cross_entropy_with_logits(readout(layer(x)[0][-1])[:, 0], answer)
        optimizer.zero_grad()
        loss.backward()
        norms.append(float(nn.utils.clip_grad_norm_(parameters, clip or float("inf"))))
        losses.append(float(loss.detach()))
        optimizer.step()
    x, answer = recall_batch(steps, 1000, layer.input_size, generator)
    with torch.no_grad():
        right = float(((readout(layer(x)[0][-1])[:, 0] > 0) == (answer > 0)).float().mean())
    return Trained(name, losses, norms, right)
