"""Curves: losses over learning rates and steps, gradients over lags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gatecast.plots.axes import ACCENT, SOFT, color_of, frame, label_axes, make_axes

Numbers = Sequence[float] | np.ndarray


def plot_rates(rates: Numbers, losses: Numbers, suggestion: float, *, ax: Any = None) -> Any:
    """Smoothed loss over the learning rate with the suggested rate marked; returns the axes."""
    (one,) = make_axes(1, ax)
    one.plot(rates, losses, color=ACCENT, lw=1.9)
    one.axvline(suggestion, color=SOFT, lw=0.9, ls=":")
    one.annotate(
        f"{suggestion:.2g}",
        xy=(suggestion, 1),
        xycoords=("data", "axes fraction"),
        xytext=(4, -4),
        textcoords="offset points",
        va="top",
        color=SOFT,
    )
    one.set_xscale("log")
    frame(one)
    label_axes(one, "learning rate", "loss, smoothed")
    return one


def plot_losses(
    steps: Numbers, training: Numbers, held_back: Numbers | None, kept: int, title: str, *, ax: Any = None
) -> Any:
    """Training loss and, where known, held-back loss by step, with the step of the kept weights marked; returns the
    axes.
    """
    (one,) = make_axes(1, ax)
    one.plot(steps, training, color=SOFT, lw=1.3, label="training")
    if held_back is not None:
        one.plot(steps, held_back, color=ACCENT, lw=1.9, label="held back")
    one.axvline(kept, color=SOFT, lw=0.9, ls=":")
    one.legend(frameon=False, fontsize="small")
    one.set_title(title, loc="left", fontsize="medium", fontweight="bold")
    frame(one)
    label_axes(one, "step", "loss")
    return one


def plot_lags(lags: Numbers, norms: Mapping[str, Numbers], *, ax: Any = None) -> Any:
    """Gradient norms by lag on a logarithmic scale, one line for each name; returns the axes."""
    (one,) = make_axes(1, ax)
    for position, (name, values) in enumerate(norms.items()):
        one.plot(lags, values, color=color_of(position), lw=1.6, label=name)
    one.set_yscale("log")
    one.legend(frameon=False, fontsize="small")
    frame(one)
    label_axes(one, "steps before the last one", "norm of the gradient")
    return one
