"""What a head for counts asks of the data: whole numbers from 0 on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gatecast.data.panel import Panel
from gatecast.errors import DataError
from gatecast.forecasters.contract import moment


def require_counts(panel: Panel) -> None:
    """Check once, before training, that every target value seen is a count.

    Raises:
        DataError: naming series, time and value of the first that is none, and what to do.
    """
    _require(
        panel,
        lambda values: (values < 0) | (np.isfinite(values) & (values != np.floor(values))),
        "the negative binomial head forecasts counts and expects whole numbers from 0 on",
        "clip such values to 0, round them or set them to missing, or take another head (quantiles, normal, student)",
    )


def require_nonnegative(panel: Panel) -> None:
    """Check once, before training, that no target value is below zero.

    Raises:
        DataError: naming series, time and value of the first that is, and what to do.
    """
    _require(
        panel,
        lambda values: values < 0,
        "the scaler 'log1p' takes logarithms and expects numbers from 0 on",
        "clip such values to 0 or set them to missing, or take another scaler (standard, mean_abs)",
    )


def _require(panel: Panel, wrong: Callable[[np.ndarray], np.ndarray], expected: str, remedy: str) -> None:
    for index in range(len(panel)):
        values = panel.series(index)
        found = np.argwhere(wrong(values))
        if len(found):
            row, target = found[0]
            when, name, series = moment(panel.times(index)[row]), panel.target_names[target], panel.ids[index]
            what = name if name == series else f"{name} of series {series}"  # a lone series is called by its target
            raise DataError(
                f"{panel.source}: {expected}, but {what} is {values[row, target]:g} at {when} ({len(found):,} such "
                f"values in this series); {remedy}"
            )
