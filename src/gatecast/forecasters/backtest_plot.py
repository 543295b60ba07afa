"""The static plot of a backtest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gatecast.base.errors import SettingError
from gatecast.evaluation.plotted import Ids, finish, history, panes
from gatecast.plots import draw_origins

if TYPE_CHECKING:
    from gatecast.forecasters.backtest import Backtest


def plot_backtest(backtest: Backtest, ids: Ids, models: Sequence[str] | None, ax: Any) -> Any:
    """Past forecasts of :meth:`Backtest.plot`."""
    chosen = list(models or backtest.models)
    unknown = [name for name in chosen if name not in backtest.models]
    if unknown:
        raise SettingError(f"no model named {unknown[0]!r} in this backtest; it has {', '.join(backtest.models)}")
    panel, (origins, _, horizon, _) = backtest.panel, backtest.shape
    ahead = {name: backtest.frame[name].to_numpy().reshape(backtest.shape) for name in chosen}
    drawn = []
    for one, row, target, labels in panes(panel, ids, ax):
        times, values = history(panel, row, target, (origins - 1) * backtest.step + 2 * horizon)
        firsts = [len(times) - horizon - (origins - 1 - origin) * backtest.step for origin in range(origins)]
        lines = {name: list(values[:, row, :, target]) for name, values in ahead.items()}
        draw_origins(one, times, values, firsts, lines, **labels)
        drawn.append(one)
    return finish(drawn, chosen)
