"""Forecasts over time: one forecast as a fan, and past forecasts over what happened.

Times are naive ``datetime64`` or plain integers; with integers, ``time_name`` labels the axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gatecast.plots.axes import ACCENT, HISTORY, SOFT, color_of, frame

ACTUAL = "actual"  # label of the actual values


def draw_fan(
    ax: Any,
    times: np.ndarray,
    values: np.ndarray,
    future: np.ndarray,
    middle: np.ndarray,
    bands: Mapping[float, tuple[np.ndarray, np.ndarray]],
    *,
    model: str,
    title: str,
    time_name: str,
) -> None:
    """History, forecast and shaded intervals; the fan starts at the last value where there is one.

    Args:
        ax: axes to draw into.
        times, values: ``(rows,)`` history.
        future, middle: ``(horizon,)`` times and central line of the forecast.
        bands: level in percent → lower and upper end, each ``(horizon,)``.
        model: label of the central line.
        title: of the pane.
        time_name: of an integer time axis.
    """
    joined = len(values) > 0 and bool(np.isfinite(values[-1]))
    x = np.concatenate([times[-1:], future]) if joined else future
    start = values[-1:] if joined else values[:0]
    for position, level in enumerate(sorted(bands, reverse=True)):
        low, high = (np.concatenate([start, end]) for end in bands[level])
        ax.fill_between(x, low, high, color=ACCENT, alpha=0.14 + 0.08 * position, lw=0, label=f"{level:g} %")
    ax.plot(times, values, color=HISTORY, lw=1.3, label=ACTUAL)
    ax.plot(x, np.concatenate([start, middle]), color=ACCENT, lw=1.9, label=model)
    if joined:
        ax.axvline(x[0], color=SOFT, lw=0.8, ls=":")
    _dress(ax, times, title, time_name)


def draw_origins(
    ax: Any,
    times: np.ndarray,
    values: np.ndarray,
    origins: Iterable[int],
    forecasts: Mapping[str, Sequence[np.ndarray]],
    *,
    title: str,
    time_name: str,
) -> None:
    """Forecasts of several models from past origins over the actual values; dotted lines mark the origins.

    Args:
        ax: axes to draw into.
        times, values: ``(rows,)`` actual values.
        origins: row of the first forecast step of each origin.
        forecasts: model → ``(horizon,)`` forecast for each origin; the first model has the thickest line.
        title: of the pane.
        time_name: of an integer time axis.
    """
    ax.plot(times, values, color=HISTORY, lw=1.3, label=ACTUAL)
    for origin, first in enumerate(origins):
        ax.axvline(times[first - 1], color=SOFT, lw=0.7, ls=":")
        for position, (name, lines) in enumerate(forecasts.items()):
            ahead = times[first : first + len(lines[origin])]
            label = name if origin == 0 else None
            ax.plot(ahead, lines[origin], color=color_of(position), lw=1.1 if position else 1.9, label=label)
    _dress(ax, times, title, time_name)


def _dress(ax: Any, times: np.ndarray, title: str, time_name: str) -> None:
    """Title, light frame, and readable numbers and dates on the axes."""
    ax.set_title(title.replace("$", r"\$"), loc="left", fontsize="medium", fontweight="bold")
    frame(ax)
    ax.locator_params(axis="y", nbins=6)
    ax.margins(x=0.01, y=0.06)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    if not np.issubdtype(times.dtype, np.datetime64):
        ax.set_xlabel(time_name, color=SOFT, fontsize="small")
        return
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(maxticks=9)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
