"""Checks of the targets before training: enough rows, and values that head, loss and scaler can take."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gatecast.base.errors import DataError
from gatecast.base.findings import Arg, InPython, Text, Words
from gatecast.base.text import plural, time_text
from gatecast.data.panel import Panel
from gatecast.models.model import head_words
from gatecast.nn.heads import Head, Point
from gatecast.nn.losses import EPSILON

OTHER_HEAD = "another head, e.g. " + Arg("head", "normal")
OTHER_LOSS = "another loss, e.g. " + Arg("loss", "mae")


def require_rows(panel: Panel, horizon: int) -> None:
    """Check that a series is long enough for the horizon and that some value is observed.

    Raises:
        DataError: naming the longest series.
    """
    if not len(panel):
        raise DataError("the panel has no series", place=panel.source)
    longest = int(panel.lengths.max())
    if longest < horizon + 2:
        raise DataError(
            f"horizon {horizon} needs at least {horizon + 2} rows in a series, the longest "
            f"({panel.ids[int(panel.lengths.argmax())]}) has {longest}",
            "take a shorter " + Arg("horizon") + " or more data",
            place=panel.source,
        )
    if not np.isfinite(panel.target).any():
        raise DataError(f"no value of {', '.join(panel.target_names)} is observed", place=panel.source)


def require_fit_for(head: Head, panel: Panel) -> None:
    """Check that the targets are of the kind that the head takes.

    Raises:
        DataError: naming series, time and value of the first that is not, and what to do.
    """
    if head.counts:
        require_counts(panel, f"{head_words(head)} forecasts counts")
    elif head.positive:
        other = OTHER_LOSS if isinstance(head, Point) else OTHER_HEAD
        require_nonnegative(panel, f"{head_words(head)} is for amounts", other)
    elif isinstance(head, Point) and str(head.loss) == "msle":
        require_nonnegative(panel, f"{head_words(head)} takes logarithms", OTHER_LOSS)
    elif isinstance(head, Point) and str(head.loss) == "mape":
        require_nonzero(panel)


def require_counts(panel: Panel, what: str) -> None:
    """Check that every target value is a count."""
    _require(
        panel,
        lambda values: (values < 0) | (np.isfinite(values) & (values != np.floor(values))),
        f"{what} and expects whole numbers of at least 0",
        "clip such values to 0, round them or set them to missing, or take " + OTHER_HEAD,
    )


def require_nonnegative(panel: Panel, what: str, other: Words) -> None:
    """Check that no target value is negative."""
    _require(
        panel,
        lambda values: values < 0,
        f"{what} and expects numbers of at least 0",
        Text("clip such values to 0 or set them to missing, or take ") + other,
    )


def require_nonzero(panel: Panel) -> None:
    """Check that no target value is zero, by which a percentage would divide."""
    _require(
        panel,
        lambda values: np.abs(values) <= EPSILON,
        "the loss mape divides by the target and expects no zeros: one would outweigh all other values",
        "take "
        + Arg("loss", "mae")
        + InPython(" or mase")
        + ", set a least divisor, e.g. "
        + Arg("loss", "mape(epsilon=1.0)")
        + ", or set such values to missing",
    )


def _require(panel: Panel, wrong: Callable[[np.ndarray], np.ndarray], expected: str, remedy: Words) -> None:
    for index in range(len(panel)):
        values = panel.series(index)
        found = np.argwhere(wrong(values))
        if len(found):
            row, target = found[0]
            when, name, series = time_text(panel.times(index)[row]), panel.target_names[target], panel.ids[index]
            what = name if name == series else f"{name} of series {series}"  # a lone series is named after its target
            raise DataError(
                f"{expected}, but {what} is {values[row, target]:g} at {when} "
                f"({plural(len(found), 'such value')} in this series)",
                remedy,
                place=panel.source,
            )
