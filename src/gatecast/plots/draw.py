"""Static plots by matplotlib: the forecast as a fan, and past forecasts over what happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gatecast.base.errors import SettingError, require
from gatecast.data.panel import Panel
from gatecast.evaluation.forecast import Forecast
from gatecast.report.format import wall_times

if TYPE_CHECKING:
    from gatecast.forecasters.backtest import Backtest
    from gatecast.lab.lags import LagGradients
    from gatecast.training.explain import Explanation
    from gatecast.training.range_test import RateSearch

_HISTORY, _ACCENT, _SOFT, _LINE = "#3d424d", "#2f4fd0", "#5b606b", "#e4e4de"
_OTHERS = ("#c2540a", "#0b7f6b", "#a3237f", "#8a6d00", "#5f6673", "#0077a8", "#b3273a", "#5b3fa8")


def plot_forecast(
    forecast: Forecast, ids: str | Sequence[str] | None = None, *, history: int | None = None, ax: Any = None
) -> Any:
    """History, forecast and shaded intervals.

    Args:
        forecast: what to draw.
        ids: series to draw, one below the other; None takes the first.
        history: rows of history before the forecast; None takes four horizons, two seasons or 30, whichever is most.
        ax: matplotlib axes to draw into; None makes a figure.

    Returns:
        The axes; an array of them where several lines are drawn (several ids or targets).

    Raises:
        MissingExtraError: without matplotlib.
        KeyError: for an id that the forecast does not have.
    """
    rows = _rows(forecast.panel, ids)
    places = [(row, target) for row in rows for target in range(forecast.panel.targets)]
    axes = _axes(ax, len(places))
    for one, (row, target) in zip(axes, places, strict=True):
        _draw_fan(one, forecast, row, target, history)
    _legend(axes[0], ["actual", forecast.model, *(f"{level:g} %" for level in forecast.levels)])
    return axes[0] if len(axes) == 1 else axes


def plot_backtest(
    backtest: Backtest, ids: str | Sequence[str] | None = None, *, models: Sequence[str] | None = None, ax: Any = None
) -> Any:
    """Forecasts from every past origin over the actual values; dotted lines mark the origins.

    Args:
        backtest: what to draw.
        ids: series to draw, one below the other; None takes the first.
        models: names of the models to draw; None takes all.
        ax: matplotlib axes to draw into; None makes a figure.

    Returns:
        The axes; an array of them where several lines are drawn (several ids or targets).

    Raises:
        MissingExtraError: without matplotlib.
        SettingError: for a model that the backtest does not have.
    """
    chosen = list(models or backtest.models)
    unknown = [name for name in chosen if name not in backtest.models]
    if unknown:
        raise SettingError(f"no model named {unknown[0]!r} in this backtest; it has {', '.join(backtest.models)}")
    rows = _rows(backtest.panel, ids)
    places = [(row, target) for row in rows for target in range(backtest.panel.targets)]
    axes = _axes(ax, len(places))
    for one, (row, target) in zip(axes, places, strict=True):
        _draw_origins(one, backtest, row, target, chosen)
    _legend(axes[0], ["actual", *chosen])
    return axes[0] if len(axes) == 1 else axes


def plot_rates(search: RateSearch, *, ax: Any = None) -> Any:
    """The loss of a learning-rate range test over the rate, with the suggestion marked; gives the axes."""
    (one,) = _axes(ax, 1)
    one.plot(search.rates, search.losses, color=_ACCENT, lw=1.9)
    one.axvline(search.suggestion, color=_SOFT, lw=0.9, ls=":")
    one.annotate(
        f"{search.suggestion:.2g}",
        xy=(search.suggestion, 1),
        xycoords=("data", "axes fraction"),
        xytext=(4, -4),
        textcoords="offset points",
        va="top",
        color=_SOFT,
    )
    one.set_xscale("log")
    _frame(one, "learning rate", "loss, smoothed")
    return one


def plot_training(explained: Explanation, *, ax: Any = None) -> Any:
    """Training and held-back loss by step, with the kept weights marked; gives the axes."""
    (one,) = _axes(ax, 1)
    steps = [entry["step"] for entry in explained.history]
    one.plot(steps, [entry["train_loss"] for entry in explained.history], color=_SOFT, lw=1.3, label="training")
    held = [entry.get("val_loss") for entry in explained.history]
    if all(value is not None for value in held):
        one.plot(steps, held, color=_ACCENT, lw=1.9, label="held back")
    one.axvline(explained.kept, color=_SOFT, lw=0.9, ls=":")
    one.legend(frameon=False, fontsize="small")
    one.set_title(explained.state, loc="left", fontsize="medium", fontweight="bold")
    _frame(one, "step", "loss")
    return one


def plot_lags(found: LagGradients, *, ax: Any = None) -> Any:
    """The gradient by time lag on a logarithmic scale, one line a layer and state; gives the axes."""
    (one,) = _axes(ax, 1)
    for position, (name, values) in enumerate(found.norms.items()):
        color = _ACCENT if position == 0 else _OTHERS[(position - 1) % len(_OTHERS)]
        one.plot(found.lags, values, color=color, lw=1.6, label=name)
    one.set_yscale("log")
    one.legend(frameon=False, fontsize="small")
    _frame(one, "steps before the last one", "norm of the gradient")
    return one


def _frame(ax: Any, x: str, y: str) -> None:
    """Light frame and grid, and what the axes are."""
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color(_SOFT)
    ax.tick_params(colors=_SOFT, labelsize="small", left=False)
    ax.grid(axis="y", color=_LINE, lw=0.8)
    ax.set_axisbelow(True)
    ax.set_xlabel(x, color=_SOFT, fontsize="small")
    ax.set_ylabel(y, color=_SOFT, fontsize="small")


def _rows(panel: Panel, ids: str | Sequence[str] | None) -> list[int]:
    if ids is None:
        return [0]
    wanted = [ids] if isinstance(ids, str) else list(ids)
    panel.select(wanted)  # a KeyError names the ids that there are
    rows = {str(name): row for row, name in enumerate(panel.ids)}
    return [rows[str(name)] for name in wanted]


def _axes(ax: Any, count: int) -> np.ndarray:
    pyplot = require("matplotlib.pyplot", extra="plot", purpose="plots")
    if ax is not None:
        if count > 1:
            raise SettingError(f"ax= takes one series with one target, got {count}; leave ax out to draw them all")
        return np.array([ax], dtype=object)
    height = 3.6 if count == 1 else 2.4 * count
    _, axes = pyplot.subplots(count, 1, figsize=(9.0, height), layout="constrained", squeeze=False)
    return axes[:, 0]


def _draw_fan(ax: Any, forecast: Forecast, row: int, target: int, history: int | None) -> None:
    panel, horizon = forecast.panel, forecast.horizon
    past = history if history is not None else max(4 * horizon, 2 * panel.season, 30)
    times, values = wall_times(panel.times(row), panel)[-past:], panel.series(row)[-past:, target]
    future = wall_times(forecast.times[row], panel)
    middle = forecast.quantile(0.5) if 0.5 in forecast.probabilities else forecast.mean
    joined = len(values) > 0 and bool(np.isfinite(values[-1]))
    x = np.concatenate([times[-1:], future]) if joined else future
    start = values[-1:] if joined else values[:0]
    for position, level in enumerate(sorted(forecast.levels, reverse=True)):
        low, high = (np.concatenate([start, end[row, :, target]]) for end in forecast.interval(level))
        ax.fill_between(x, low, high, color=_ACCENT, alpha=0.14 + 0.08 * position, lw=0, label=f"{level:g} %")
    ax.plot(times, values, color=_HISTORY, lw=1.3, label="actual")
    ax.plot(x, np.concatenate([start, middle[row, :, target]]), color=_ACCENT, lw=1.9, label=forecast.model)
    if joined:
        ax.axvline(x[0], color=_SOFT, lw=0.8, ls=":")
    _dress(ax, panel, row, target)


def _draw_origins(ax: Any, backtest: Backtest, row: int, target: int, models: list[str]) -> None:
    panel, (origins, _, horizon, _) = backtest.panel, backtest.shape
    seen = (origins - 1) * backtest.step + 2 * horizon
    times, values = wall_times(panel.times(row), panel)[-seen:], panel.series(row)[-seen:, target]
    ax.plot(times, values, color=_HISTORY, lw=1.3, label="actual")
    colors = {name: _ACCENT if i == 0 else _OTHERS[(i - 1) % len(_OTHERS)] for i, name in enumerate(models)}
    for origin in range(origins):
        first = len(times) - horizon - (origins - 1 - origin) * backtest.step
        stretch = times[first : first + horizon]
        ax.axvline(times[first - 1], color=_SOFT, lw=0.7, ls=":")
        for name in models:
            line = backtest.frame[name].to_numpy().reshape(backtest.shape)[origin, row, :, target]
            width = 1.9 if name == models[0] else 1.1
            ax.plot(stretch, line, color=colors[name], lw=width, label=name if origin == 0 else None)
    _dress(ax, panel, row, target)


def _legend(ax: Any, names: Sequence[str]) -> None:
    """These names, in one line above the data."""
    handles, labels = ax.get_legend_handles_labels()
    chosen = [handles[labels.index(name)] for name in names]
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.13 * (high - low))
    ax.legend(chosen, names, loc="upper left", frameon=False, ncols=5, fontsize="small", handlelength=1.6)


def _dress(ax: Any, panel: Panel, row: int, target: int) -> None:
    """Light frame, light grid, times that read well."""
    name = str(panel.ids[row])
    label = name if panel.targets == 1 else f"{name} · {panel.target_names[target]}"
    ax.set_title(label.replace("$", r"\$"), loc="left", fontsize="medium", fontweight="bold")
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color(_SOFT)
    ax.tick_params(colors=_SOFT, labelsize="small", left=False)
    ax.grid(axis="y", color=_LINE, lw=0.8)
    ax.set_axisbelow(True)
    ax.locator_params(axis="y", nbins=6)
    ax.margins(x=0.01, y=0.06)
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    if panel.freq.is_integer:
        ax.set_xlabel(panel.time_name, color=_SOFT, fontsize="small")
        return
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(maxticks=9)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
