"""What heads, losses and scalers ask of the data: whole numbers from 0 on, nothing below 0, no zeros."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gatecast.base.errors import DataError
from gatecast.base.text import time_text
from gatecast.data.panel import Panel
from gatecast.models.model import head_words
from gatecast.nn.heads import Head, Point
from gatecast.nn.losses import EPSILON

OTHER_HEAD = "another head (quantiles, normal, student)"
OTHER_LOSS = "another loss (mae, mse, huber)"


def require_fit_for(head: Head, panel: Panel) -> None:
    """Check once, before training, that the targets are of the kind that the head takes.

    Raises:
        DataError: naming series, time and value of the first that is not, and what to do.
    """
    if head.counts:
        require_counts(panel, f"{head_words(head)} forecasts counts")
    elif head.positive:
        remedy = OTHER_LOSS if isinstance(head, Point) else OTHER_HEAD
        require_nonnegative(panel, f"{head_words(head)} is of amounts", remedy)
    elif isinstance(head, Point) and str(head.loss) == "msle":
        require_nonnegative(panel, f"{head_words(head)} takes logarithms", OTHER_LOSS)
    elif isinstance(head, Point) and str(head.loss) == "mape":
        require_nonzero(panel)


def require_counts(panel: Panel, what: str) -> None:
    """Every target value seen is a count."""
    _require(
        panel,
        lambda values: (values < 0) | (np.isfinite(values) & (values != np.floor(values))),
        f"{what} and expects whole numbers from 0 on",
        f"clip such values to 0, round them or set them to missing, or take {OTHER_HEAD}",
    )


def require_nonnegative(panel: Panel, what: str, other: str) -> None:
    """No target value is below zero."""
    _require(
        panel,
        lambda values: values < 0,
        f"{what} and expects numbers from 0 on",
        f"clip such values to 0 or set them to missing, or take {other}",
    )


def require_nonzero(panel: Panel) -> None:
    """No target value is zero, by which a percentage would divide."""
    _require(
        panel,
        lambda values: np.abs(values) <= EPSILON,
        "the loss mape divides by the target and expects no zeros: one would outweigh all other values",
        "take mase or mae, say from what amount on percentages count, such as loss='mape(epsilon=1.0)', or set such "
        "values to missing",
    )


def _require(panel: Panel, wrong: Callable[[np.ndarray], np.ndarray], expected: str, remedy: str) -> None:
    for index in range(len(panel)):
        values = panel.series(index)
        found = np.argwhere(wrong(values))
        if len(found):
            row, target = found[0]
            when, name, series = time_text(panel.times(index)[row]), panel.target_names[target], panel.ids[index]
            what = name if name == series else f"{name} of series {series}"  # a lone series is called by its target
            raise DataError(
                f"{panel.source}: {expected}, but {what} is {values[row, target]:g} at {when} ({len(found):,} such "
                f"values in this series); {remedy}"
            )
