"""What static plots take from a panel and a forecast: arrays, and words for the titles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gatecast.data.wall_clock import wall_times
from gatecast.plots import ACTUAL, draw_fan, label_lines, make_axes

if TYPE_CHECKING:
    from gatecast.data.panel import Panel
    from gatecast.evaluation.forecast import Forecast

Ids = str | Sequence[str] | None


def panes(panel: Panel, ids: Ids, ax: Any) -> Iterator[tuple[Any, int, int, dict[str, str]]]:
    """Axes, series, target and labels of each pane: one for every target of every chosen series.

    Args:
        panel: the series.
        ids: series to draw; None takes the first.
        ax: matplotlib axes for a single pane; None makes a figure.

    Raises:
        KeyError: for an id that the panel does not have.
    """
    places = [(row, target) for row in _rows(panel, ids) for target in range(panel.targets)]
    for one, (row, target) in zip(make_axes(len(places), ax), places, strict=True):
        name = str(panel.ids[row])
        title = name if panel.targets == 1 else f"{name} · {panel.target_names[target]}"
        yield one, row, target, {"title": title, "time_name": panel.time_name}


def _rows(panel: Panel, ids: Ids) -> list[int]:
    if ids is None:
        return [0]
    wanted = [ids] if isinstance(ids, str) else list(ids)
    panel.select(wanted)  # a KeyError names the ids that there are
    rows = {str(name): row for row, name in enumerate(panel.ids)}
    return [rows[str(name)] for name in wanted]


def history(panel: Panel, row: int, target: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Wall-clock times and values of the last ``rows`` rows of a series."""
    return wall_times(panel.times(row), panel.tz)[-rows:], panel.series(row)[-rows:, target]


def finish(drawn: list[Any], names: Sequence[str]) -> Any:
    """Label the actual values and these lines in the first pane; the axes, an array of them where there are several."""
    label_lines(drawn[0], [ACTUAL, *names])
    return drawn[0] if len(drawn) == 1 else np.array(drawn, dtype=object)


def plot_forecast(forecast: Forecast, ids: Ids, rows: int | None, ax: Any) -> Any:
    """The fan of :meth:`Forecast.plot`."""
    panel, levels = forecast.panel, forecast.levels
    rows = max(4 * forecast.horizon, 2 * panel.season, 30) if rows is None else rows
    middle = forecast.quantile(0.5) if 0.5 in forecast.probabilities else forecast.mean
    intervals = {level: forecast.interval(level) for level in levels}
    drawn = []
    for one, row, target, labels in panes(panel, ids, ax):
        times, values = history(panel, row, target, rows)
        draw_fan(
            one,
            times,
            values,
            wall_times(forecast.times[row], panel.tz),
            middle[row, :, target],
            {level: (low[row, :, target], high[row, :, target]) for level, (low, high) in intervals.items()},
            model=forecast.model,
            **labels,
        )
        drawn.append(one)
    return finish(drawn, [forecast.model, *(f"{level:g} %" for level in levels)])
