"""Panels as frames in the user's own column names: what is known, and what is to be filled in for the future."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.data.schema import indicator_name
from gatecast.data.wall_clock import zoned_times

if TYPE_CHECKING:
    import pandas as pd

    from gatecast.data.panel import Panel
    from gatecast.data.schema import Names


def to_frame(panel: Panel) -> pd.DataFrame:
    """Long frame of all stored rows: id (where there is one), time, targets and covariates.

    Rows after the forecast origin hold the known covariates; their targets and past covariates are missing.
    """
    lengths = panel.stop - panel.begin
    series = np.repeat(np.arange(len(panel)), lengths)
    offset = np.arange(len(series)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    rows = panel.begin[series] + offset
    future = rows >= panel.end[series]
    columns = _keys(panel, series, _all_times(panel, lengths))
    for names, block, hidden in (
        (panel.target_names, panel.target, True),
        (panel.past_names, panel.past, True),
        (panel.known_names, panel.known, False),
    ):
        for k, name in enumerate(names):
            values = block[rows, k]
            columns[name] = np.where(future, np.nan, values).astype(values.dtype) if hidden else values
    for k, name in enumerate(panel.static_names):
        columns[name] = panel.static[series, k]
    for k, name in enumerate(panel.category_names):
        columns[name] = np.array([*panel.levels[k], None], dtype=object)[panel.category[series, k]]
    import pandas as pd

    return pd.DataFrame(columns)


def future_frame(panel: Panel, horizon: int) -> pd.DataFrame:
    """Frame to fill in: one row a series and step ahead, known covariates as far as they are there already.

    Args:
        panel: the panel to forecast from.
        horizon: number of steps ahead.
    """
    if horizon < 1:
        raise SettingError(Arg("horizon") + f" must be 1 or more steps, got {horizon}")
    series = np.repeat(np.arange(len(panel)), horizon)
    columns = _keys(panel, series, panel.future_times(horizon).reshape(-1))
    rows = (panel.end[:, None] + np.arange(horizon)).reshape(-1)
    stored = rows < panel.stop[series]
    for k, name in enumerate(panel.known_names):
        columns[name] = np.where(stored, panel.known[np.where(stored, rows, 0), k], np.nan)
    import pandas as pd

    return pd.DataFrame(_as_text(columns, panel.schema.indicators))


def _as_text(columns: dict[str, Any], indicators: tuple[tuple[str, Names], ...]) -> dict[str, Any]:
    """The columns with the text of each group of indicators in their place; None where it is still to be given."""
    for column, levels in indicators:
        named = {indicator_name(column, level): level for level in levels if level}
        if not set(named) <= set(columns):
            continue
        absent = np.isnan(columns[next(iter(named))])
        text = np.full(len(absent), "", dtype=object)
        text[absent] = None
        for name, level in named.items():
            text[columns.pop(name) == 1] = level
        columns[column] = text
    return columns


def _keys(panel: Panel, series: np.ndarray, times: np.ndarray) -> dict[str, Any]:
    columns: dict[str, Any] = {panel.id_name: panel.ids[series]} if panel.id_name else {}
    return {**columns, panel.time_name: zoned_times(times, panel.tz)}


def _all_times(panel: Panel, lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([panel.freq.times(panel.starts[i], 0, int(lengths[i])) for i in range(len(panel))])
