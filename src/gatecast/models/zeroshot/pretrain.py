"""Training of the zero-shot network on synthetic series: every patch of every series is a forecast origin.

The loss is the pinball loss over 11 quantiles in units of the smallest past error of a base; what is left in memory
afterwards is the exponential mean of the weights.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gatecast.base.options import check_options, option
from gatecast.models.zeroshot.bases import simple_forecasts
from gatecast.models.zeroshot.history import Series, read_history
from gatecast.models.zeroshot.net import ZeroShotNet
from gatecast.models.zeroshot.sizes import CONTEXT, EXTREME, PATCH, PROBABILITIES, STEPS
from gatecast.synthetic import Batch, fill_holes, generate

PATCHES = CONTEXT // PATCH
POOL = 512  # series generated at once, and used twice
ORIGINS = 31  # patches a series in one step
WARM_UP = 60
LEAST_RATE = 0.02
CROWD = 6.0  # losses beyond count by their logarithm
_VALIDATION = 999  # seed of the series held back


@dataclass(frozen=True)
class PretrainConfig:
    """Settings of the training of the zero-shot network."""

    steps: int = option(500, "steps of the optimizer", least=1, limit=1_000_000)
    batch: int = option(64, "series in a step", least=2, limit=POOL)
    learning_rate: float = option(2e-3, "highest learning rate", above=0)
    width: int = option(256, "hidden size of the LSTM layers", least=8, limit=2048)
    seed: int = option(0, "random seed", least=0)

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True, eq=False)
class Sample:
    """Series as they are, and as the network sees them."""

    truth: Tensor
    there: Tensor
    series: Series


def pretrain(
    config: PretrainConfig | None = None, *, report: Callable[[dict[str, float]], None] | None = None
) -> tuple[ZeroShotNet, list[dict[str, float]]]:
    """Train a network anew; the same seed gives the same weights with the same threads and versions.

    Args:
        config: settings; None: the defaults.
        report: called with each line of the history.

    Returns:
        The network with averaged weights, and its history: step, series, loss in training and in validation, seconds.
    """
    config = config or PretrainConfig()
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    net = ZeroShotNet(config.width)
    optimizer = torch.optim.AdamW(net.parameters(), config.learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    averages = {name: value.clone() for name, value in net.state_dict().items()}
    held_back = _validation()
    history: list[dict[str, float]] = []
    recent: list[float] = []
    begun = time.process_time()
    every = max(1, config.steps // 12)
    for step, batch in zip(range(1, config.steps + 1), _batches(config.batch, rng), strict=False):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * _rate(step, config.steps)
        origins = np.sort(rng.choice(np.arange(1, PATCHES - 1), ORIGINS, replace=False))
        loss = loss_of(net, sample(batch, rng), torch.from_numpy(origins))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        _average(averages, net, step)
        recent.append(loss.item())
        if step % every == 0 or step == config.steps:
            line = {"step": step, "series": step * config.batch, "loss": round(float(np.mean(recent)), 4)}
            line |= {"validation": _validate(net, averages, held_back)}
            line |= {"cpu_seconds": round(time.process_time() - begun, 1)}
            history.append(line)
            recent = []
            if report is not None:
                report(line)
    net.load_state_dict(averages)
    return net.eval(), history


def _rate(step: int, steps: int) -> float:
    """Share of the learning rate: warm-up, constant for a tenth of the steps, then half a cosine."""
    done = (step - 1) / steps
    fall = 1.0 if done < 0.1 else 0.5 * (1 + math.cos(math.pi * (done - 0.1) / 0.9))
    return min(1.0, step / WARM_UP) * (LEAST_RATE + (1 - LEAST_RATE) * fall)


@torch.no_grad()
def _average(averages: dict[str, Tensor], net: ZeroShotNet, step: int) -> None:
    share = min(0.995, (1 + step) / (20 + step))
    for name, value in net.state_dict().items():
        averages[name].mul_(share).add_(value, alpha=1 - share)


def _batches(size: int, rng: np.random.Generator) -> Iterator[Batch]:
    """Batches of generated series without end; every series comes twice, half of them mirrored the second time."""
    while True:
        pool = generate(POOL, CONTEXT, rng=rng)
        for again in (False, True):
            values = _mirrored(pool.values, rng) if again else pool.values
            order = rng.permutation(POOL)
            for first in range(0, POOL - size + 1, size):
                i = order[first : first + size]
                yield Batch(values[i], pool.observed[i], pool.season[i], pool.second[i])


def _mirrored(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    chosen = rng.random((len(values), 1)) < 0.5
    gain = np.exp(rng.uniform(-1, 1, (len(values), 1))).astype(np.float32)
    shift = (rng.standard_normal((len(values), 1)) * values.std(1, keepdims=True)).astype(np.float32)
    return np.where(chosen, values, shift - values * gain)


def sample(batch: Batch, rng: np.random.Generator) -> Sample:
    """Tensors of a batch: the series begin within the first patch, and some runs of patches are hidden."""
    seen = batch.observed.copy()
    count, length = seen.shape
    start: Any = rng.integers(0, PATCH, count)
    for row in map(int, np.flatnonzero(rng.random(count) < 0.25)):
        for _ in range(rng.integers(1, 4)):
            hidden, at = int(rng.integers(1, 7)), int(rng.integers(2, length // PATCH))
            seen[row, at * PATCH : (at + hidden) * PATCH] = False
    seen &= np.arange(length) >= start[:, None]
    seen[:, PATCH - 1] |= ~seen[:, :PATCH].any(1)
    filled = torch.from_numpy(np.ascontiguousarray(fill_holes(batch.values, seen, batch.season)))
    mean = filled.mean(1, keepdim=True)
    there, begin, first, second = map(torch.from_numpy, (seen, seen.argmax(1), batch.season, batch.second))
    truth = torch.from_numpy(batch.values) - mean
    return Sample(truth, torch.from_numpy(batch.observed), Series(filled - mean, there, begin, first, second, mean))


def loss_of(net: ZeroShotNet, part: Sample, origins: Tensor) -> Tensor:
    """Mean loss over series and origins."""
    with torch.no_grad():
        history = read_history(part.series)
        bases = simple_forecasts(part.series, history).at(origins)
        location, unit = history.location[:, origins, None], history.unit[:, origins, None]
        future = F.pad(part.truth, (0, STEPS)).unfold(1, STEPS, PATCH)[:, 1:][:, origins]
        there = F.pad(part.there, (0, STEPS)).unfold(1, STEPS, PATCH)[:, 1:][:, origins]
        there = there & ((origins + 1) * PATCH - part.series.start[:, None] >= PATCH)[..., None]
        truth = ((future - location) / unit).clamp(-EXTREME, EXTREME)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        quantiles = net(history.tokens, bases, origins)
    loss = 2 * pinball(quantiles, truth).mean(-1) / bases.spread.clamp(min=0.3)
    each = (loss * there).sum(-1) / there.sum(-1).clamp(min=1)
    each = torch.where(each > CROWD, CROWD * (1 + torch.log(each.clamp(min=CROWD) / CROWD)), each)
    counts = there.any(-1)
    return (each * counts).sum() / counts.sum().clamp(min=1)


def pinball(quantiles: Tensor, truth: Tensor) -> Tensor:
    """Pinball loss of each quantile (Koenker & Bassett 1978)."""
    error = truth[..., None] - quantiles
    q = torch.tensor(PROBABILITIES)
    return torch.maximum(q * error, (q - 1) * error)


def _validation() -> list[Sample]:
    rng = np.random.default_rng(_VALIDATION)
    pool: Any = generate(256, CONTEXT, rng=rng)
    parts = [slice(first, first + 64) for first in range(0, 256, 64)]
    return [sample(Batch(pool.values[i], pool.observed[i], pool.season[i], pool.second[i]), rng) for i in parts]


@torch.no_grad()
def _validate(net: ZeroShotNet, averages: dict[str, Tensor], parts: list[Sample]) -> float:
    """Loss of the averaged weights on the series held back."""
    current = {name: value.clone() for name, value in net.state_dict().items()}
    net.load_state_dict(averages)
    losses = [loss_of(net, part, torch.arange(1, PATCHES - 1)).item() for part in parts]
    net.load_state_dict(current)
    return round(float(np.mean(losses)), 4)
