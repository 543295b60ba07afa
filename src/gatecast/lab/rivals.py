"""Other networks on the same tasks with a fair chance: Adam, clipping, an orthogonal or chrono start, several rates."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from gatecast.nn import GRU, LSTM, RNN

if TYPE_CHECKING:
    from gatecast.lab.experiments import Experiment

HIDDEN, BATCH, SEEDS = 32, 32, (1, 2, 3)
NAMES = ("Elman RNN", "GRU", "LSTM of today")


@dataclass
class Rival:
    """One kind of network on one task.

    Args:
        name: of the network.
        rate: learning rate: the best of those tried.
        sequences: until success, by seed; None: no success within ``limit``.
        limit: sequences after which a run was ended.
        seconds: for all rates and seeds.
    """

    name: str
    rate: float
    sequences: list[int | None]
    limit: int
    seconds: float

    @property
    def share(self) -> float:
        """Share of the runs that succeeded."""
        return sum(one is not None for one in self.sequences) / len(self.sequences)


class Network(nn.Module):
    """A recurrent layer with a readout of its last or of every output."""

    def __init__(self, layer: Any, outputs: int, *, last: bool) -> None:
        super().__init__()
        self.layer, self.readout, self.last = layer, nn.Linear(layer.hidden_size, outputs), last

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Outputs ``(batch, outputs)`` or ``(batch, time, outputs)`` for ``(batch, time, input)``."""
        y = self.layer(x.transpose(0, 1))[0].transpose(0, 1)
        return torch.sigmoid(self.readout(y[torch.arange(len(y)), lengths - 1] if self.last else y))


def build(name: str, inputs: int, steps: int) -> Any:
    """A layer with its recommended start: orthogonal (RNN), or chrono biases for this many steps (LSTM)."""
    if name == "GRU":
        return GRU(inputs, HIDDEN)
    if name == "Elman RNN":
        layer: Any = RNN(inputs, HIDDEN)
        nn.init.orthogonal_(layer.weight_hh_l0)
        return layer
    layer = LSTM(inputs, HIDDEN)
    with torch.no_grad():
        layer.bias_ih_l0.zero_()
        layer.bias_hh_l0.zero_()
        lasts = (1 + (max(steps, 3) - 2) * torch.rand(HIDDEN)).log()
        layer.bias_ih_l0[HIDDEN : 2 * HIDDEN] = lasts
        layer.bias_ih_l0[:HIDDEN] = -lasts
    return layer


def run_rivals(experiment: Experiment, *, limit: int, progress: Callable[[str, float, int], Any]) -> list[Rival]:
    """Every rival with every rate; the rate with the most successes, then the fewest sequences, is kept."""
    found = []
    for k, name in enumerate(NAMES):
        clock = time.perf_counter()
        tried = []
        for j, rate in enumerate(experiment.rival_rates):
            progress(f"{experiment.name}: {name}", (k + j / len(experiment.rival_rates)) / len(NAMES), 0)
            tried.append((rate, [_train(experiment, name, rate, seed, limit) for seed in SEEDS]))
        rate, sequences = min(tried, key=lambda one: sum(limit * 9 if s is None else s for s in one[1]))
        found.append(Rival(name, rate, sequences, limit, round(time.perf_counter() - clock, 1)))
    return found


def _train(experiment: Experiment, name: str, rate: float, seed: int, limit: int) -> int | None:
    """Sequences until the latest 2,000 meet the criterion, or None."""
    draws = [np.random.default_rng([seed, k, 7]) for k in range(BATCH)]
    found = experiment.draw(draws)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layer = build(name, found.x.shape[-1], found.x.shape[1])
        network = Network(layer, found.target.shape[-1], last=found.target.ndim == 2)
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    off, errors = [], []
    for update in range(1, limit // BATCH + 1):
        x, target = torch.from_numpy(found.x).float(), torch.from_numpy(found.target).float()
        y = network(x, torch.from_numpy(found.lengths))
        optimizer.zero_grad()
        (y - target).square().mean().backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        size = (y.detach() - target).abs().flatten(1)
        off.append((size.amax(1) > experiment.right).float().mean().item())
        errors.append(size.mean().item())
        recent = 2_000 // BATCH
        few = np.mean(off[-recent:]) * 2_000 <= experiment.wrong + 0.5
        if update >= recent and few and np.mean(errors[-recent:]) < (experiment.mean or np.inf):
            return update * BATCH
        found = experiment.draw(draws)
    return None
