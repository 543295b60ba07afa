"""Season lengths as the user gives them: whole numbers of rows, one rule for every forecaster and the backtest."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.options import Bounds, check_value, is_number
from gatecast.data.panel import Panel, require_panel

_AT_LEAST_1 = Bounds(least=1)


def season_of(season: Any, panel: Panel) -> int:
    """The season as set, else the panel's.

    Raises:
        SettingError: not a whole number of at least 1.
    """
    require_panel(panel)
    return panel.season if season is None else _checked(season)


def seasons_of(season: Any) -> tuple[int, ...]:
    """One season or several, ascending.

    Raises:
        SettingError: one of them is not a whole number of at least 1, or is given twice.
    """
    several = isinstance(season, Iterable) and not isinstance(season, str)
    found = [_checked(one) for one in season] if several else [_checked(season)]
    twice = next((one for one in found if found.count(one) > 1), None)
    if twice is not None:
        remedy = "take " + Arg("season", sorted(set(found)))
        raise SettingError(Arg("season") + f" must not hold a length twice, got {twice} twice", remedy)
    return tuple(sorted(found))


def _checked(season: Any) -> int:
    if is_number(season) and math.isfinite(season) and season >= 1 and season % 1:
        near = round(float(season))
        problem = Arg("season") + f" counts rows and must be a whole number, got {season!r}"
        raise SettingError(problem, "take the nearest: " + Arg("season", near))
    check_value(Arg("season"), season, "int", _AT_LEAST_1)
    return int(season)
