"""The windows of a panel before training: context, seasons, which windows train, and which are held back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.text import plural
from gatecast.batches.windows import WindowOrigins, split_origins
from gatecast.data.panel import Panel
from gatecast.forecasters.seasons import seasons_of as checked_seasons
from gatecast.training.config import FitConfig

LONGEST_CONTEXT = 1024
HELD_BACK = 24  # windows of each series to stop and calibrate by, at most
CHEAP_WINDOWS = 20_000  # training windows up to which a second training on all of them is cheap


@dataclass(frozen=True)
class WindowPlan:
    """Windows of a panel and their use.

    Args:
        context, horizon: rows seen, rows to forecast.
        seasons: season lengths in rows that fit the context, shortest first.
        stride: rows between two training windows of a series: 1, or the season.
        held_rows: rows at the end of each series that no training target lies in; 0 where nothing is held back.
        training, held_back: windows to learn from, and the last ones in time to stop and calibrate by.
    """

    context: int
    horizon: int
    seasons: tuple[int, ...]
    stride: int
    held_rows: int
    training: WindowOrigins
    held_back: WindowOrigins

    @classmethod
    def of(
        cls, panel: Panel, horizon: int, *, context: int | None, season: int | Sequence[int] | None, config: FitConfig
    ) -> WindowPlan:
        """The plan of a panel; see :class:`gatecast.LSTMForecaster` for the defaults.

        Raises:
            SettingError: a season does not fit the context, or ``validation`` holds back more windows than there are.
        """
        seasons, given = seasons_of(season, panel), context is not None
        context = context_of(panel, horizon, seasons) if context is None else context
        if season is not None and seasons:
            _require_seasons(seasons, context, given)
        seasons = tuple(s for s in seasons if 1 < s <= context)
        stride = seasons[0] if config.origins == "season" and seasons else 1
        held, apart = _held_back(panel, context, horizon, stride)
        if config.validation is not None:
            held, apart = config.validation, stride
        training, held_back = split_origins(panel, context, horizon, held_back=held, stride=apart)
        if config.validation and not held_back.total:
            _refuse_validation(config.validation, panel, context, horizon, apart)
        rows = horizon + (held - 1) * apart if held else 0
        return cls(context, horizon, seasons, stride, rows, _aligned(training, panel, stride), held_back)

    def everything(self, panel: Panel) -> tuple[WindowOrigins, WindowOrigins]:
        """Training and held-back windows of the second training: every window, and none."""
        origins, none = split_origins(panel, self.context, self.horizon, held_back=0)
        return _aligned(origins, panel, self.stride), none

    def refits(self, config: FitConfig) -> bool:
        """Whether to train again on all windows, with those held back: ``refit`` if given, else where it is cheap."""
        wanted = self.training.total <= CHEAP_WINDOWS if config.refit is None else config.refit
        return wanted and self.held_back.total > 0


def seasons_of(season: int | Sequence[int] | None, panel: Panel) -> tuple[int, ...]:
    """Season lengths in ascending order, those that the typical series holds at least twice."""
    if season is not None:
        return checked_seasons(season)
    typical = float(np.median(panel.lengths))
    return tuple(s for s in panel.freq.cycles if s > 1 and 2 * s <= typical)


def _require_seasons(seasons: tuple[int, ...], context: int, given: bool) -> None:
    """Refuse seasons that the user set and that do not fit the context (``given``: the user set it too)."""
    if seasons[-1] <= context:
        return
    if given:
        remedy = "take " + Arg("context", seasons[-1]) + " or more, or leave it out"
    else:
        remedy = "take a shorter " + Arg("season") + " or more data: the series are too short for a longer context"
    raise SettingError(Arg("season", seasons[-1]) + f" does not fit the context of {context} rows", remedy)


def _refuse_validation(validation: int, panel: Panel, context: int, horizon: int, stride: int) -> None:
    """Raise SettingError with the number of windows of the longest series that could be held back."""
    longest = int(panel.lengths.max())
    most = max(0, (longest - 2 * horizon - min(context, horizon)) // stride + 1)
    raise SettingError(
        Arg("validation", validation, of="FitConfig") + f": the longest series has {longest} rows, enough to hold back "
        f"{plural(most, 'window')} with horizon {horizon} and context {context}",
        "take " + Arg("validation", most, of="FitConfig") + (" or less" if most else "") + ", or leave it out",
    )


def context_of(panel: Panel, horizon: int, seasons: tuple[int, ...]) -> int:
    """Rows to look back over: several seasons and horizons, at most half of the typical series."""
    typical = int(np.median(panel.lengths))
    wanted = [2 * horizon, 12]
    if seasons:
        wanted.append(3 * seasons[0])
        wanted += [2 * s for s in seasons[1:] if 5 * s + horizon <= typical]
    room = max((typical - horizon) // 2, min(typical - horizon, 2))
    return int(max(2, min(*[max(wanted)], room, LONGEST_CONTEXT)))


def steps_of(config: FitConfig, windows: int) -> int:
    """Optimiser steps: ``steps`` or ``epochs`` if given, else 40 epochs, clipped to 300–1500."""
    batch = config.batch_size * config.accumulate * config.devices * config.nodes
    if config.epochs is not None:
        return config.epochs * max(1, windows // batch)
    return config.steps or int(min(1500, max(300, 40 * windows // batch)))


def _held_back(panel: Panel, context: int, horizon: int, stride: int) -> tuple[int, int]:
    """Windows of each series to stop and calibrate by, and rows between them; none where the series are short.

    They span the last sixth of the typical series, to be more than one situation.
    """
    available = int(np.median(panel.lengths)) - context - 2 * horizon
    if available < max(8, horizon):
        return 0, stride
    if stride > 1:
        return int(min(2, max(1, available // (10 * stride)))), stride
    span = min(available // 3, int(np.median(panel.lengths)) // 6)
    windows = max(1, min(HELD_BACK, span))
    return windows, max(1, span // windows)


def _aligned(origins: WindowOrigins, panel: Panel, stride: int) -> WindowOrigins:
    """Only the origins that lie whole strides before the panel's origin."""
    if stride == 1:
        return origins
    own = torch.from_numpy(panel.lengths.copy())[origins.series]
    offset = (own - origins.first) % stride
    count = ((origins.count - 1 - offset).div(stride, rounding_mode="floor") + 1).clamp(min=0)
    keep = count > 0
    return WindowOrigins(origins.series[keep], (origins.first + offset)[keep], count[keep], stride)
