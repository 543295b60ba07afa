"""Two experiments for docs/learn/optimizers.md: ``python docs/experiments/optimizers.py [spikes] [rates]``.

spikes  Adam and Adamax on a series with rare spikes: what a spike in the targets of a batch does to the weights and to
        the loss on a part of the series without spikes. Writes docs/img/optimizers-spikes.png and prints the table.
rates   Each optimiser at several learning rates on the bundled air passengers: prints the held-back loss of the best.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from gatecast import FitConfig, LSTMForecaster, datasets
from gatecast.nn import LSTM
from gatecast.training.optimizers import OPTIMIZERS, optimizer_of

IMG = Path(__file__).parents[1] / "img"
ROWS, SPIKES, HEIGHT, CONTEXT, BATCH, STEPS, WARM, RATE = 3000, 2, 15.0, 24, 32, 800, 200, 3e-3
BEFORE, AFTER = 5, 30
SEEDS = range(1, 9)


class Small(nn.Module):
    """One step ahead from an LSTM's last output."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.linear = LSTM(1, 16, batch_first=True), nn.Linear(16, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.lstm(x)[0][:, -1])


@dataclass
class Trace:
    """One training run.

    Args:
        spiked: steps whose batch has a spike among its targets.
        moves: largest change of a weight at each step, in learning rates.
        losses: mean squared error after each step on the part without spikes.
    """

    spiked: list[int]
    moves: np.ndarray
    losses: np.ndarray


def windows(values: np.ndarray) -> tuple[Tensor, Tensor]:
    """Contexts and the values after them."""
    parts = torch.tensor(values, dtype=torch.float32).unfold(0, CONTEXT + 1, 1)
    return parts[:, :-1, None], parts[:, -1:]


def series(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A season of 24 rows with noise: with spikes to learn from, without to be tested on."""
    random = np.random.default_rng(seed)
    values = np.sin(2 * np.pi * np.arange(ROWS + 500) / 24) + 0.2 * random.normal(size=ROWS + 500)
    train, test = values[:ROWS].copy(), values[ROWS:]
    train[random.choice(np.arange(CONTEXT, ROWS), SPIKES, replace=False)] += HEIGHT
    return train, test


def trace(optimizer: str, seed: int, clip: float | None) -> Trace:
    """Train the same network on the same batches by one optimiser."""
    train, test = series(seed)
    (x, y), (test_x, test_y) = windows(train), windows(test)
    torch.manual_seed(seed)
    network = Small()
    stepper = optimizer_of(network, FitConfig(optimizer=optimizer, learning_rate=RATE))
    order = np.random.default_rng(seed)
    weights, spiked, moves, losses = list(network.parameters()), [], [], []
    for step in range(STEPS):
        chosen = torch.from_numpy(order.integers(0, len(x), BATCH))
        if float(y[chosen].max()) > HEIGHT / 2:
            spiked.append(step)
        before = [weight.detach().clone() for weight in weights]
        stepper.zero_grad()
        nn.functional.mse_loss(network(x[chosen]), y[chosen]).backward()
        if clip:
            nn.utils.clip_grad_norm_(weights, clip)
        stepper.step()
        with torch.no_grad():
            moves.append(max(float((a - b).abs().max()) for a, b in zip(weights, before, strict=True)) / RATE)
            losses.append(float(nn.functional.mse_loss(network(test_x), test_y)))
    return Trace(spiked, np.array(moves), np.array(losses))


def around(one: Trace) -> list[tuple[np.ndarray, np.ndarray]]:
    """Moves, and losses over the loss before, around each spike that has none near it."""
    found, events = [], [step for step in one.spiked if WARM <= step < STEPS - AFTER]
    for step in events:
        if any(0 < abs(other - step) <= AFTER for other in one.spiked):
            continue
        part = slice(step - BEFORE, step + AFTER)
        found.append((one.moves[part], one.losses[part] / one.losses[step - 1]))
    return found


def spikes() -> None:
    """The picture and the table."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(10, 6), sharex=True, sharey="row")
    x = np.arange(-BEFORE, AFTER)
    print("clip  optimizer  spikes  move at worst  loss at worst  at the end")
    for column, clip in enumerate((None, 1.0)):
        for name, colour in (("adam", "#c2410c"), ("adamax", "#0f766e")):
            runs = [trace(name, seed, clip) for seed in SEEDS]
            events = [event for one in runs for event in around(one)]
            moves, losses = (np.stack([event[k] for event in events]) for k in (0, 1))
            for row, values in enumerate((moves, losses)):
                low, middle, high = np.quantile(values, (0.1, 0.5, 0.9), axis=0)
                axes[row, column].plot(x, middle, color=colour, label=name.capitalize())
                axes[row, column].fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
            worst = [np.median(values[:, BEFORE:].max(axis=1)) for values in (moves, losses)]
            ends = [np.mean(one.losses[-50:]) for one in runs]
            cells = (f"{worst[0]:.2f}", f"{worst[1]:.2f}", f"{np.median(ends):.4f} ({min(ends):.4f} … {max(ends):.4f})")
            print(f"{clip or 'none':>4}  {name:9}  {len(events):6}  {cells[0]:>13}  {cells[1]:>13}  {cells[2]}")
        title = f"gradient norm cut to {clip:g}" if clip else "no clipping"
        axes[0, column].set_title(title, loc="left", fontweight="bold")
        axes[1, column].set_xlabel("steps after a batch with a spike")
    axes[0, 0].set_ylabel("largest move of a weight,\nin learning rates")
    axes[1, 0].set_ylabel("loss on the part without spikes,\nover the loss before")
    axes[0, 0].legend(frameon=False)
    for one in axes.flat:
        one.axvline(0, color="0.6", linewidth=0.8, linestyle=":")
        one.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(IMG / "optimizers-spikes.png", dpi=120)


def held_back(optimizer: str, rate: float) -> float:
    """Best held-back loss of 100 steps on the air passengers (mean of two seeds)."""
    panel, losses = datasets.load("air_passengers"), []
    for seed in (1, 2):
        fit = FitConfig(steps=100, optimizer=optimizer, learning_rate=rate, refit=False, progress=False)
        history = LSTMForecaster(12, fit=fit, seed=seed).fit(panel).history_
        losses.append(min(entry["val_loss"] for entry in history))
    return float(np.mean(losses))


def rates() -> None:
    """Held-back losses by optimiser and rate."""
    tried = (1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0)
    print("optimizer          " + "".join(f"{rate:>8g}" for rate in tried))
    for text in (*OPTIMIZERS, "sgd(momentum=0.9)"):
        print(f"{text:19}" + "".join(f"{held_back(text, rate):8.4f}" for rate in tried), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in sys.argv[1:] or ("spikes", "rates"):
        {"spikes": spikes, "rates": rates}[name]()
