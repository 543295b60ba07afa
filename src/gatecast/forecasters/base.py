"""The two doors through which every model enters: ``fit(panel) → self`` and ``predict(horizon) → Forecast``."""

from __future__ import annotations

import copy
import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

from gatecast.base.options import call_text
from gatecast.data.panel import Panel
from gatecast.evaluation.forecast import DEFAULT_LEVELS, Forecast


class Forecaster(ABC):
    """A model that learns from a panel and forecasts from its origin.

    ``__init__`` stores its arguments as given; ``fit`` validates and returns ``self``; learned attributes end in ``_``.
    ``name`` heads the column of the forecast.
    """

    name: str = "forecaster"

    @abstractmethod
    def fit(self, panel: Panel) -> Self:
        """Learn from the panel up to its origin; nothing after it is read."""

    @abstractmethod
    def predict(
        self,
        horizon: int | None = None,
        *,
        panel: Panel | None = None,
        levels: Sequence[float] = DEFAULT_LEVELS,
        samples: int | None = None,
        future: Any = None,
    ) -> Forecast:
        """Forecast ``horizon`` steps from the origin of ``panel`` (default: the panel of ``fit``), without training.

        Args:
            horizon: steps ahead; None takes the forecaster's own.
            panel: series to forecast; must have the columns of the panel of ``fit``.
            levels: central interval levels in percent.
            samples: number of joint sample paths to draw besides.
            future: frame with the known covariates of the steps ahead (see ``panel.future_frame``).
        """

    def clone(self) -> Self:
        """An unfitted copy with the same settings."""
        twin = copy.copy(self)
        for name in [name for name in vars(twin) if name.endswith("_") and not name.startswith("_")]:
            delattr(twin, name)
        return twin

    def __repr__(self) -> str:
        """The call that makes it, with the settings that are not the defaults."""
        return call_text(self, self._settings_given())

    def _settings_given(self) -> dict[str, Any]:
        """The arguments of the constructor as they were given; a name that only repeats the class's is left out."""
        given: dict[str, Any] = {}
        for name, one in inspect.signature(type(self)).parameters.items():
            kept = "fit_config" if name == "fit" else name  # fit is a method
            if kept not in vars(self):  # of a class that keeps its arguments elsewhere
                continue
            if one.kind is one.VAR_KEYWORD:
                given |= vars(self)[kept]
            elif (name, vars(self)[kept]) != ("name", type(self).__name__):
                given[name] = vars(self)[kept]
        return given
