"""Axes, colours and legends that all plots share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gatecast.base.errors import SettingError, require
from gatecast.base.findings import Arg

HISTORY, ACCENT, SOFT, GRID = "#3d424d", "#2f4fd0", "#5b606b", "#e4e4de"
_OTHERS = ("#c2540a", "#0b7f6b", "#a3237f", "#8a6d00", "#5f6673", "#0077a8", "#b3273a", "#5b3fa8")


def color_of(position: int) -> str:
    """Colour of a line by its place in the legend; the first one has the accent."""
    return ACCENT if position == 0 else _OTHERS[(position - 1) % len(_OTHERS)]


def make_axes(count: int, ax: Any = None) -> np.ndarray:
    """``(count,)`` axes, one below the other.

    Args:
        count: number of panes.
        ax: matplotlib axes to draw a single pane into; None makes a figure.

    Raises:
        MissingExtraError: without matplotlib.
        SettingError: several panes for the one ``ax``.
    """
    pyplot = require("matplotlib.pyplot", extra="plot", purpose="plots")
    if ax is not None:
        if count > 1:
            raise SettingError(
                Arg("ax") + f" takes one series with one target, got {count}", "leave " + Arg("ax") + " out to draw all"
            )
        return np.array([ax], dtype=object)
    height = 3.6 if count == 1 else 2.4 * count
    _, axes = pyplot.subplots(count, 1, figsize=(9.0, height), layout="constrained", squeeze=False)
    return axes[:, 0]


def frame(ax: Any) -> None:
    """Light frame, horizontal grid."""
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color(SOFT)
    ax.tick_params(colors=SOFT, labelsize="small", left=False)
    ax.grid(axis="y", color=GRID, lw=0.8)
    ax.set_axisbelow(True)


def label_axes(ax: Any, x: str, y: str) -> None:
    """Names of both axes."""
    ax.set_xlabel(x, color=SOFT, fontsize="small")
    ax.set_ylabel(y, color=SOFT, fontsize="small")


def label_lines(ax: Any, names: Sequence[str]) -> None:
    """Legend of these names, in one row above the data."""
    handles, labels = ax.get_legend_handles_labels()
    chosen = [handles[labels.index(name)] for name in names]
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.13 * (high - low))
    ax.legend(chosen, names, loc="upper left", frameon=False, ncols=5, fontsize="small", handlelength=1.6)
