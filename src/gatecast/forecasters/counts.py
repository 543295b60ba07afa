"""What a head for counts asks of the data: whole numbers from 0 on."""

from __future__ import annotations

import numpy as np

from gatecast.data.panel import Panel
from gatecast.errors import DataError
from gatecast.forecasters.contract import moment


def require_counts(panel: Panel) -> None:
    """Check once, before training, that every target value seen is a count.

    Raises:
        DataError: naming series, time and value of the first that is none, and what to do.
    """
    for index in range(len(panel)):
        values = panel.series(index)
        wrong = np.argwhere((values < 0) | (np.isfinite(values) & (values != np.floor(values))))
        if len(wrong):
            row, target = wrong[0]
            when, name, series = moment(panel.times(index)[row]), panel.target_names[target], panel.ids[index]
            what = name if name == series else f"{name} of series {series}"  # a lone series is called by its target
            raise DataError(
                f"{panel.source}: the negative binomial head forecasts counts and expects whole numbers from 0 on, but "
                f"{what} is {values[row, target]:g} at {when} ({len(wrong):,} such values "
                "in this series); clip such values to 0, round them or set them to missing, or take another head "
                "(quantiles, normal, student)"
            )
