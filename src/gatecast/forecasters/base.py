"""The interface of every model: ``fit(panel) → self`` and ``predict(horizon) → Forecast``."""

from __future__ import annotations

import copy
import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from gatecast.base.errors import ForecastError, ModelFileError, NotFittedError, SettingError
from gatecast.base.findings import Arg, Call, InPython
from gatecast.base.options import HORIZON, Bounds, call_text, check_value
from gatecast.data.panel import Panel, require_panel
from gatecast.evaluation.forecast import DEFAULT_LEVELS, Forecast, level_quantiles
from gatecast.forecasters.floor import Floor, bounded, floor_of
from gatecast.forecasters.sanity import far_outside

AT_LEAST_1 = Bounds(least=1)
SAMPLES = Bounds(least=1, limit=1_000_000)


class Forecaster(ABC):
    """A model that learns from a panel and forecasts from its origin.

    A subclass writes ``fit`` and ``_forecast``; :meth:`predict` validates its arguments once for all models.
    ``__init__`` stores its arguments as given; ``fit`` validates and returns ``self``; learned attributes end in ``_``.
    ``name`` heads the column of the forecast.
    """

    name: str = "forecaster"
    horizon: int | None  # None or absent: ``predict`` must be given one
    panel_: Panel
    _set_last = "panel_"  # the attribute that tells a fitted model: ``fit`` sets it last
    _fixed_horizon = False  # whether ``horizon`` is the most steps that the fitted model can forecast

    @abstractmethod
    def fit(self, panel: Panel) -> Self:
        """Learn from the panel up to its origin; nothing after it is read."""

    def check(self, panel: Panel) -> None:
        """What can be known before ``fit``: the errors that it would raise for settings and panel, without training.

        Raises:
            DataError, SettingError: as ``fit`` raises them.
        """
        if self.horizon is not None:
            self._steps(None)
            _require_dates(panel, self.horizon)

    @abstractmethod
    def _forecast(self, panel: Panel, horizon: int, levels: Sequence[float], samples: int | None) -> Forecast:
        """Forecast from the origin of the panel; the arguments have been validated by :meth:`predict`."""

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
            panel: series to forecast; must have the columns of the panel of ``fit``. To a loaded forecaster it may hold
                only the rows after those that the model file keeps.
            levels: central interval levels in percent.
            samples: number of joint sample paths to draw as well.
            future: frame with the known covariates of the steps ahead (see ``panel.future_frame``).

        Raises:
            NotFittedError: before ``fit``.
            SettingError: the horizon, a level or the number of samples is out of range.
            DataError: the panel's columns differ from training, or a known covariate of the future is missing.
        """
        self._require_fitted()
        horizon = self._steps(horizon)
        level_quantiles(levels)
        if samples is not None:
            check_value(Arg("samples"), samples, "int", SAMPLES)
        panel = self._panel(panel)
        _require_dates(panel, horizon)
        steps = self._covariate_steps()
        if future is not None and not steps:
            problem = Arg("future") + f" applies to nothing: {self.name} uses no covariates"
            raise SettingError(problem, "leave it out, or take a model that does, e.g. an LSTMForecaster")
        if future is not None:
            from gatecast.data.read.future import add_future

            panel = add_future(panel, future, horizon=steps)
        forecast = self._forecast(panel, horizon, levels, samples)
        forecast = replace(forecast, notes=(*far_outside(forecast), *forecast.notes))
        forecast = bounded(forecast, self._lower_bounds(panel))
        _require_finite(forecast)
        return forecast

    # ── what predict asks ─────────────────────────────────────────────────────────────────────────────────────────
    def _require_fitted(self) -> None:
        if not hasattr(self, self._set_last):
            raise NotFittedError(f"{self.name} is not fitted yet", "call " + Call("fit", ...) + " before predict")

    def _steps(self, horizon: int | None) -> int:
        """The validated horizon; None: the forecaster's own."""
        own = self._own_horizon()
        horizon = own if horizon is None else horizon
        if horizon is None:
            raise SettingError(f"{self.name} has no horizon", "give one, e.g. " + Arg("horizon", 14))
        if isinstance(horizon, Panel | str | Path) or hasattr(horizon, "columns"):
            kind = repr(horizon) if isinstance(horizon, str | Path) else f"a {type(horizon).__name__}"
            problem = "the first argument of predict is " + Arg("horizon") + f", a whole number, got {kind}"
            raise SettingError(problem, "give the data to forecast as a Panel: " + Arg("panel", ...))
        check_value(Arg("horizon"), horizon, "int", HORIZON)
        if self._fixed_horizon and own is not None and horizon > own:
            raise SettingError(
                f"{self.name} was fitted for " + Arg("horizon", int(own)) + f", got {horizon}",
                "fit one for " + Arg("horizon", int(horizon)),
            )
        return int(horizon)

    def _own_horizon(self) -> int | None:
        """Steps ahead where ``predict`` gets no horizon."""
        return getattr(self, "horizon", None)

    def _panel(self, panel: Panel | None) -> Panel:
        """The panel to forecast, as the fitted model expects it."""
        if panel is not None:
            require_panel(panel)
            return self._adapted(panel)
        own = self._own_panel()
        if own is None:
            raise NotFittedError("a loaded forecaster holds no data", "pass one: " + Arg("panel", ...))
        return own

    def _own_panel(self) -> Panel | None:
        """The panel forecast where ``predict`` gets none."""
        return getattr(self, "panel_", None)

    def _adapted(self, panel: Panel) -> Panel:
        """A panel other than that of ``fit``, checked against it."""
        return panel

    def _covariate_steps(self) -> int:
        """Steps ahead over which the model reads known covariates; 0: it reads none."""
        return 0

    def _lower_bounds(self, panel: Panel) -> Floor:
        """Lower bound of the forecast of each target: 0 where no value up to the origin is negative."""
        return floor_of(panel)

    # ── the model file ────────────────────────────────────────────────────────────────────────────────────────────
    savable = False

    def save(self, path: str | Path, *, history: bool = True) -> Path:
        """Write the fitted model to one ``.gatecast`` file; only an :class:`LSTMForecaster` can (``savable``).

        Raises:
            ModelFileError: the model has no file.
        """
        raise ModelFileError(
            f"{self.name} cannot be saved: only a single LSTM has a file",
            InPython("save an LSTMForecaster, or ") + "fit it anew on the data where it is needed",
        )

    # ── settings ──────────────────────────────────────────────────────────────────────────────────────────────────
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
            if kept not in vars(self):  # of a class that stores its arguments under other names
                continue
            if one.kind is one.VAR_KEYWORD:
                given |= vars(self)[kept]
            elif (name, vars(self)[kept]) != ("name", type(self).__name__):
                given[name] = vars(self)[kept]
        return given


def _require_finite(forecast: Forecast) -> None:
    """Check that no value is infinite, and that none is missing for a series that has values.

    Raises:
        ForecastError: naming the series and the step.
    """
    panel, mean, quantiles = forecast.panel, forecast.mean, forecast.quantiles
    bad = ~np.isfinite(mean)
    if quantiles.size:
        bad |= ~np.isfinite(quantiles).all(axis=-1)
    for k in np.flatnonzero(bad.any(axis=(1, 2))).tolist():  # a series without any value has no forecast
        bad[k] &= np.isfinite(panel.series(k)).any(axis=0) | np.isinf(mean[k])
    if not bad.any():
        return
    series, step, target = (int(place[0]) for place in np.nonzero(bad))
    size = float(np.nanmax(np.abs(panel.series(series)[:, target])))
    where = f"series {str(panel.ids[series])!r}, step {step + 1} of {panel.target_names[target]}"
    problem = f"the forecast of {forecast.model} is not finite: {where} (largest value {size:.3g})"
    raise ForecastError(problem, "divide the values by a power of ten, or take another model", place=panel.source)


def _require_dates(panel: Panel, horizon: int) -> None:
    """Check that every time ahead is one that can be written: they end in the year 2262.

    Raises:
        SettingError: naming the last step that can.
    """
    if panel.freq.is_integer or not len(panel):
        return
    room = panel.freq.room_after(panel.cutoffs.max())
    if horizon > room:
        raise SettingError(
            Arg("horizon", horizon) + " ends after the year 2262, the last that a time of nanoseconds holds",
            "take " + Arg("horizon", max(room, 1)) + " or less",
        )


def require_forecasters(name: str, given: Any) -> None:
    """Check that an argument is a list of forecasters.

    Args:
        name: of the argument.
        given: what came.

    Raises:
        SettingError: a single forecaster, a class, or the name of one.
    """
    if not isinstance(given, Sequence) or isinstance(given, str):
        problem = Arg(name) + f" must be a list of forecasters, got {given!r}"
        raise SettingError(problem, f"put it in a list: [{_as_object(given)}]")
    for one in given:
        if isinstance(one, type) or not (hasattr(one, "fit") and hasattr(one, "predict")):
            problem = Arg(name) + f" must hold forecasters, got {'the class ' if isinstance(one, type) else ''}"
            shown = one.__name__ if isinstance(one, type) else repr(one)
            raise SettingError(problem + shown, f"give an object: {_as_object(one)}")


def _as_object(given: Any) -> str:
    """The call that may have been meant."""
    if isinstance(given, Forecaster):
        return repr(given)
    return f"{given.__name__}()" if isinstance(given, type) else "Naive()"
