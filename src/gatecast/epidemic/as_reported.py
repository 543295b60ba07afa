"""A forecaster that sees counts as they were reported by the origin, and repairs them itself.

A repair uses what was reported later: a backlog on one day changes the weeks before it. A backtest on repaired counts
would leak later reports to a model at an early origin.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Self

import numpy as np

from gatecast.base.errors import SettingError
from gatecast.data.panel import Panel, require_panel
from gatecast.epidemic.counts import daily_counts
from gatecast.evaluation.forecast import Forecast
from gatecast.forecasters.base import Forecaster


class AsReported(Forecaster):
    """Any forecaster of daily counts, fitted on the counts reported up to each origin and repaired there.

    Give the backtest the repaired panel, against which forecasts are scored, and this forecaster the reported one.

    Args:
        model: the forecaster.
        reported: the panel as it was read, with the same rows as the panels that will be forecast.
        cumulative: whether the counts are cumulative, or the names of the series that are; decided once, so that it
            does not change between origins.
        name: column of the forecast; None takes the model's.

    Example:
        >>> import numpy as np
        >>> from gatecast import Drift, Panel, backtest
        >>> from gatecast.epidemic import daily_counts
        >>> from gatecast.epidemic import AsReported
        >>> reported = Panel.from_arrays([np.array([30, 31, 29, 30, 33, 0, 0, 95] * 5)], freq="D")
        >>> tested = backtest([AsReported(Drift(), reported)], daily_counts(reported), 7, windows=2)
        >>> tested.models
        ['Drift']
    """

    horizon = None

    def __init__(
        self, model: Forecaster, reported: Panel, *, cumulative: bool | Collection[str] = False, name: str | None = None
    ):
        self.model = model
        self.reported = reported
        self.cumulative = cumulative
        self.name = name or model.name

    def fit(self, panel: Panel) -> Self:
        require_panel(panel)
        self.model_ = self.model.clone().fit(self._repaired(panel))
        self.panel_ = panel
        return self

    def _forecast(self, panel: Panel, horizon: int, levels: Sequence[float], samples: int | None) -> Forecast:
        made = self.model_.predict(horizon, panel=self._repaired(panel), levels=levels, samples=samples)
        return replace(made, model=self.name, panel=panel)

    def _own_horizon(self) -> int | None:
        return self.model._own_horizon()

    def _covariate_steps(self) -> int:
        return self.model_._covariate_steps()

    def _repaired(self, panel: Panel) -> Panel:
        """The panel with the counts known at its origin."""
        if panel.target.shape != self.reported.target.shape:
            raise SettingError(
                f"the panel has {len(panel.target)} rows and the reported counts have {len(self.reported.target)}",
                "make both from the same file",
            )
        counts = daily_counts(replace(panel, target=self.reported.target), cumulative=self.cumulative)
        return replace(counts, target=np.maximum(counts.target, 0), repairs=panel.repairs)
