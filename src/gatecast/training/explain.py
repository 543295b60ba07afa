"""Diagnosis of a learning curve: still learning, converged, overfitting (and since when), or not learning.

A difference is significant if it exceeds both the noise of the curve and one hundredth of its size. The noise is
estimated from second differences, nearly 0 for a smooth curve: ``median |v[k-1] - 2 v[k] + v[k+1]| / (0.6745 √6)``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gatecast.base.errors import SettingError

FEWEST = 5  # evaluations needed for a diagnosis
NOISES = 4.0  # standard errors of a significant difference: the best of many evaluations is low by chance
LEAST = 0.01  # significant fraction of the loss, or of its total decrease

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Explanation:
    """Diagnosis of a training run.

    Args:
        state: ``"still learning"``, ``"converged"``, ``"overfitting"``, ``"not learning"`` or ``"too short"``.
        text: the diagnosis in sentences, with figures and what to try.
        since: step from which it holds; for a converged run, the start of its last quarter.
        kept: step of the weights that were kept.
        stopped_early: whether it ended before the planned number of steps.
        history: the evaluations.
    """

    state: str
    text: str
    since: int
    kept: int
    stopped_early: bool
    history: tuple[Entry, ...]

    def plot(self, *, ax: Any = None) -> Any:
        """Both losses by step, with the kept weights marked; returns the axes (matplotlib, extra ``plot``)."""
        from gatecast.plots import plot_losses

        steps, training = ([entry[key] for entry in self.history] for key in ("step", "train_loss"))
        held = [loss for entry in self.history if (loss := entry.get("val_loss")) is not None]
        complete = held if len(held) == len(steps) else None
        return plot_losses(steps, training, complete, self.kept, self.state, ax=ax)


def explain_training(model: Any) -> Explanation:
    """Diagnose the learning curves of a training run, in words.

    Args:
        model: a fitted or loaded ``LSTMForecaster`` (its first member), or the evaluations: mappings with ``step``,
            ``train_loss`` and ``val_loss`` (``history_``, ``History.entries``).

    Raises:
        SettingError: no training history.

    Example:
        >>> from gatecast.training import explain_training
        >>> curve = [0.9, 0.6, 0.5, 0.45, 0.44, 0.47, 0.52, 0.58, 0.63, 0.7]
        >>> fall = [0.9, 0.6, 0.5, 0.42, 0.36, 0.31, 0.27, 0.23, 0.2, 0.18]
        >>> steps = zip(curve, fall, range(10, 110, 10))
        >>> explain_training([{"step": k, "train_loss": t, "val_loss": v} for v, t, k in steps]).state
        'overfitting'
    """
    history = getattr(model, "history_", model)
    if not isinstance(history, Sequence) or isinstance(history, str) or not history:
        raise SettingError(
            f"explain_training needs a fitted LSTMForecaster or its history of evaluations, got {type(model).__name__}"
        )
    history = tuple(history)
    held = [entry.get("val_loss") for entry in history]
    kept = int(getattr(model, "best_step_", 0)) or _best(history)
    judged = "held-back" if all(value is not None for value in held) else "training"
    losses = np.array([entry["train_loss"] for entry in history] if judged == "training" else held, dtype=float)
    state, since, words = _judged(losses, history, judged)
    early = history[-1].get("progress", 1.0) < 1
    return Explanation(state, " ".join([words, *_ending(history, kept, early, judged)]), since, kept, early, history)


def _judged(losses: np.ndarray, history: Sequence[Entry], name: str) -> tuple[str, int, str]:
    """State, its first step, and the sentence."""
    first = int(history[0]["step"])
    if not np.isfinite(losses).all():
        since = int(history[int(np.flatnonzero(~np.isfinite(losses))[0])]["step"])
        return "not learning", since, f"Not learning: the {name} loss is not finite at step {since}."
    if len(losses) < FEWEST:
        return "too short", first, f"Too short to tell: {len(losses)} evaluations, {FEWEST} are needed."
    smooth, noise = smoothed(losses), noise_of(losses)
    best = int(smooth.argmin())
    size = max(abs(float(smooth[best])), float(smooth.max() - smooth[best]))
    rise, error = _rise(losses, best, noise)
    if name == "held-back" and rise > max(NOISES * error, LEAST * size):
        return _worse(losses, history, best)
    quarter = max(4, math.ceil(len(losses) / 4))
    fall, error = _fall(losses[-quarter:], noise)
    since, span = int(history[-quarter]["step"]), _span(history, quarter)
    percent = f"{100 * abs(fall) / size:.2g} %" if size else "nothing"
    if fall > max(NOISES * error, LEAST * size):
        more = "more steps may help: FitConfig(steps=…) or epochs=…"
        return "still learning", since, f"Still learning: {span} the {name} loss fell by {percent}; {more}."
    whole = float(smooth[0] - smooth[best])
    if whole <= max(NOISES * noise, LEAST * size) and _trend(losses) <= NOISES * noise:
        why = "It may start near its best (a good base forecast), or the learning rate is too low: see find_lr()."
        return "not learning", first, f"Not learning: the {name} loss did not fall by more than its noise. {why}"
    moved = f"{'fell' if fall > 0 else 'rose'} by {percent}, which is {_small(fall, error)}"
    return "converged", since, f"Converged: {span} the {name} loss {moved}."


def _worse(losses: np.ndarray, history: Sequence[Entry], best: int) -> tuple[str, int, str]:
    """The held-back loss rose: overfitting if the training loss fell meanwhile."""
    train = np.array([entry["train_loss"] for entry in history], dtype=float)
    tail = max(2, (len(losses) - best - 1) // 3)
    before, after = float(train[max(0, best - 1) : best + 1].mean()), float(train[-tail:].mean())
    low, high = float(losses[max(0, best - 1) : best + 2].mean()), float(losses[-tail:].mean())
    since, when = int(history[best]["step"]), _when(history[best])
    rose = f"the held-back loss rose from {low:.4g} to {high:.4g}"
    if after < before:
        remedy = "More data, a smaller network, dropout or weight decay let it learn for longer."
        fell = f"while the training loss fell from {before:.4g} to {after:.4g}"
        return "overfitting", since, f"Overfitting since {when}: {rose} {fell}. {remedy}"
    remedy = "Try a lower learning rate or clip."
    return "not learning", since, f"Not learning since {when}: {rose}, and the training loss did not fall. {remedy}"


def smoothed(losses: np.ndarray) -> np.ndarray:
    """Moving average over three evaluations; two at the ends."""
    padded = np.pad(losses, 1, mode="constant", constant_values=np.nan)
    return np.nanmean([padded[:-2], padded[1:-1], padded[2:]], axis=0)


def noise_of(losses: np.ndarray) -> float:
    """Standard deviation of the evaluations around a smooth curve."""
    second = np.abs(np.diff(losses, n=2))
    return float(np.median(second)) / (0.6745 * math.sqrt(6.0))


def _rise(losses: np.ndarray, best: int, noise: float) -> tuple[float, float]:
    """Rise of the last evaluations above the best ones, with its standard error; 0 with fewer than three after it."""
    after = len(losses) - best - 1
    if after < 3:
        return 0.0, noise
    tail, around = max(2, after // 3), losses[max(0, best - 1) : best + 2]
    return float(losses[-tail:].mean() - around.mean()), noise * math.sqrt(1 / tail + 1 / len(around))


def _fall(losses: np.ndarray, noise: float) -> tuple[float, float]:
    """Fall of the regression line through the evaluations, with its standard error."""
    at = np.arange(len(losses)) - (len(losses) - 1) / 2
    slope, spread, length = float(at @ losses / (at @ at)), math.sqrt(float(at @ at)), len(losses) - 1
    return -slope * length, noise / spread * length


def _trend(losses: np.ndarray) -> float:
    half = len(losses) // 2
    return float(losses[:half].mean() - losses[-half:].mean())


def _best(history: Sequence[Entry]) -> int:
    """Step of the lowest held-back loss; without held-back windows, the last step."""
    losses = np.array([np.nan if (loss := entry.get("val_loss")) is None else loss for entry in history])
    return int(history[-1 if np.isnan(losses).all() else int(np.nanargmin(losses))]["step"])


def _small(change: float, error: float) -> str:
    return "within its noise" if abs(change) <= NOISES * error else "little"


def _when(entry: Entry) -> str:
    """Step and pass over the windows."""
    return f"step {entry['step']}" + (f" (epoch {entry['epoch']:.3g})" if "epoch" in entry else "")


def _span(history: Sequence[Entry], count: int) -> str:
    return f"over the last {count} evaluations (steps {history[-count]['step']} to {history[-1]['step']})"


def _ending(history: Sequence[Entry], kept: int, early: bool, judged: str) -> list[str]:
    """How the run ended, and which weights were kept."""
    last = history[-1]
    words = []
    if early:
        words.append(f"It stopped early, after {last['step']} of {round(last['step'] / last['progress'])} steps.")
    if judged == "training":
        words.append("No windows were held back, so overfitting cannot be detected.")
    if kept != last["step"]:
        words.append(f"The weights of step {kept} were kept.")
    return words
