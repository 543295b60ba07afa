"""What is settled about a panel before training: how far to look back, which windows train, and which are held back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from gatecast.base.errors import SettingError
from gatecast.batches.windows import Origins, split_origins
from gatecast.data.panel import Panel
from gatecast.training.config import FitConfig

LONGEST_CONTEXT = 1024
HELD_BACK = 24  # windows of each series to stop and calibrate by, at most
CHEAP_WINDOWS = 20_000  # training windows up to which a second training on all of them is cheap


@dataclass(frozen=True)
class Plan:
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
    training: Origins
    held_back: Origins

    @classmethod
    def of(
        cls, panel: Panel, horizon: int, *, context: int | None, season: int | Sequence[int] | None, config: FitConfig
    ) -> Plan:
        """The plan of a panel; see :class:`gatecast.LSTMForecaster` for the defaults.

        Raises:
            SettingError: a season does not fit the context, or so many windows cannot be held back.
        """
        seasons, asked = seasons_of(season, panel), context
        context = context_of(panel, horizon, seasons) if context is None else context
        if season is not None and seasons:
            _require_seasons(seasons, context, asked)
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

    def everything(self, panel: Panel) -> tuple[Origins, Origins]:
        """Training and held-back windows where none are held back: every window, and none."""
        origins, none = split_origins(panel, self.context, self.horizon, held_back=0)
        return _aligned(origins, panel, self.stride), none

    def refits(self, config: FitConfig) -> bool:
        """Whether to train again on everything: as asked, else where windows were held back and it is cheap."""
        wanted = self.training.total <= CHEAP_WINDOWS if config.refit is None else config.refit
        return wanted and self.held_back.total > 0


def seasons_of(season: int | Sequence[int] | None, panel: Panel) -> tuple[int, ...]:
    """Season lengths in ascending order, those that the typical series holds at least twice."""
    if season is not None:
        return tuple(sorted({int(s) for s in np.atleast_1d(season)}))
    typical = float(np.median(panel.lengths))
    return tuple(s for s in panel.freq.cycles if s > 1 and 2 * s <= typical)


def _require_seasons(seasons: tuple[int, ...], context: int, asked: int | None) -> None:
    """Seasons that were asked for are used, or refused."""
    if seasons[0] < 1:
        raise SettingError(f"season counts rows and must be at least 1, got {seasons[0]}; season=1 is none")
    if seasons[-1] <= context:
        return
    if asked is not None:
        remedy = f"take context={seasons[-1]} or more, or leave context out"
    else:
        remedy = "the series leave room for no longer one; take a shorter season or bring longer series"
    raise SettingError(f"season={seasons[-1]} does not fit the context of {context} rows; {remedy}")


def _refuse_validation(asked: int, panel: Panel, context: int, horizon: int, stride: int) -> None:
    """Say how many windows of the longest series could be held back."""
    longest = int(panel.lengths.max())
    most = max(0, (longest - 2 * horizon - min(context, horizon)) // stride + 1)
    remedy = f"take validation={most} or less, or leave it out" if most else "take validation=0, or leave it out"
    raise SettingError(
        f"FitConfig.validation={asked} windows cannot be held back: the longest series has {longest} rows, which is "
        f"enough for {most} with horizon {horizon} and context {context}; {remedy}"
    )


def context_of(panel: Panel, horizon: int, seasons: tuple[int, ...]) -> int:
    """Rows to look back over: seasons and horizons enough, and no more than half of the typical series."""
    typical = int(np.median(panel.lengths))
    wanted = [2 * horizon, 12]
    if seasons:
        wanted.append(3 * seasons[0])
        wanted += [2 * s for s in seasons[1:] if 5 * s + horizon <= typical]
    room = max((typical - horizon) // 2, min(typical - horizon, 2))
    return int(max(2, min(*[max(wanted)], room, LONGEST_CONTEXT)))


def steps_of(config: FitConfig, windows: int) -> int:
    """Steps over so many windows: as asked, in steps or in passes; else forty passes over few, a share of many."""
    batch = config.batch_size * config.accumulate * config.devices * config.nodes
    if config.epochs is not None:
        return config.epochs * max(1, windows // batch)
    return config.steps or int(min(1500, max(300, 40 * windows // batch)))


def _held_back(panel: Panel, context: int, horizon: int, stride: int) -> tuple[int, int]:
    """Windows of each series to stop and calibrate by, and rows between them; none where data are few.

    They span the last sixth of the typical series, so that they meet more than one mood of it.
    """
    available = int(np.median(panel.lengths)) - context - 2 * horizon
    if available < max(8, horizon):
        return 0, stride
    if stride > 1:
        return int(min(2, max(1, available // (10 * stride)))), stride
    span = min(available // 3, int(np.median(panel.lengths)) // 6)
    windows = max(1, min(HELD_BACK, span))
    return windows, max(1, span // windows)


def _aligned(origins: Origins, panel: Panel, stride: int) -> Origins:
    """Only the origins that lie whole strides before the panel's own."""
    if stride == 1:
        return origins
    own = torch.from_numpy(panel.lengths.copy())[origins.series]
    offset = (own - origins.first) % stride
    count = ((origins.count - 1 - offset).div(stride, rounding_mode="floor") + 1).clamp(min=0)
    keep = count > 0
    return Origins(origins.series[keep], (origins.first + offset)[keep], count[keep], stride)
