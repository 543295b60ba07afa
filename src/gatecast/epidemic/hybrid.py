"""SEIR and LSTM together: the equations give the course of the epidemic, the LSTM their residuals.

With μ[t] the new cases that the fitted equations expect, the LSTM forecasts the logarithmic residual of each day. It is
trained on all series of the panel together, so that a short epidemic borrows from others:

    r[t] = log((y[t] + 1) / (μ[t] + 1))        ŷ[T+h] = (μ[T+h] + 1) exp(r̂[T+h]) - 1

After Yang et al. (2020), J. Thorac. Dis. 12(3):165, who ran SEIR and LSTM side by side
(https://doi.org/10.21037/jtd.2020.02.64), and the residual hybrid of Zhang (2003), Neurocomputing 50:159
(https://doi.org/10.1016/S0925-2312(01)00702-0).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np

from gatecast.base.errors import SettingError
from gatecast.data.panel import Panel
from gatecast.epidemic.seir import SEIRForecaster
from gatecast.evaluation.forecast import Forecast
from gatecast.forecasters.base import Forecaster
from gatecast.forecasters.neural import LSTMForecaster
from gatecast.training.config import FitConfig

SHARE = 4  # the LSTM forecasts at most a quarter as many days as it has seen
LEAST_ROWS = 16  # residuals needed to train the LSTM


class SEIRHybrid(Forecaster):
    """SEIR with an LSTM on the logarithm of its residuals.

    The equations are fitted at every origin, as by :class:`SEIRForecaster`; the LSTM is trained in ``fit`` on the
    residuals of all series. It forecasts a quarter of the days it has seen, at most ``horizon``; after that its last
    residual fades, halving over each further period of that length. Intervals are those of the equations, scaled by
    the residual.

    Args:
        horizon: days ahead.
        population: persons: a number, a mapping from series to number, or the name of a static column of the panel.
        lstm: forecaster of the residuals, of at most its ``horizon`` days; None takes a small one.
        seed: of the equations' bootstrap and of the LSTM.
        name: column of the forecast.
        **equations: further settings of :class:`SEIRForecaster`, by keyword.

    Attributes:
        seir_: the fitted equations.
        lstm_: the fitted LSTM; None with too few days.

    Example:
        >>> import numpy as np, gatecast
        >>> days = np.arange(60)
        >>> counts = np.rint(900 * np.exp(-(((days - 40) / 14) ** 2)) + 1)
        >>> panel = gatecast.Panel.from_arrays([counts], freq="D")
        >>> model = gatecast.SEIRHybrid(7, 1_000_000, draws=20, starts=4).fit(panel)
        >>> model.predict().mean.shape
        (1, 7, 1)
    """

    horizon: int
    _fixed_horizon = True

    def __init__(
        self,
        horizon: int,
        population: float | Mapping[str, float] | str,
        *,
        lstm: LSTMForecaster | None = None,
        seed: int = 1,
        name: str = "SEIR+LSTM",
        **equations: Any,
    ):
        self.horizon = horizon
        self.population = population
        self.lstm = lstm
        self.seed = seed
        self.name = name
        self.equations = equations

    def fit(self, panel: Panel) -> Self:
        """Fit the equations to every series, then the LSTM to all residuals.

        Raises:
            DataError: what :meth:`SEIRForecaster.fit` refuses.
            SettingError: arguments that do not fit.
        """
        self.seir_ = self._equations().fit(panel)
        residuals = _residuals(self.seir_, panel)
        self.lstm_, self.reach_ = self._learn(residuals)
        self.panel_ = panel
        return self

    def _forecast(self, panel: Panel, horizon: int, levels: Sequence[float], samples: int | None) -> Forecast:
        seir = self.seir_ if panel is self.panel_ else self.seir_.clone().fit(panel)
        base = seir.predict(horizon, levels=levels, samples=samples)
        factor = np.exp(self._ahead(seir, base.panel, horizon))
        return Forecast(
            self.name,
            base.panel,
            _moved(base.mean, factor),
            base.probabilities,
            np.rint(_moved(base.quantiles, factor[..., None])),
            None if base.samples is None else np.rint(_moved(base.samples, factor[:, None])),
            (*base.notes, *self._notes(horizon)),
        )

    # ── inside ────────────────────────────────────────────────────────────────────────────────────────────────────
    def _equations(self) -> SEIRForecaster:
        try:
            return SEIRForecaster(self.horizon, self.population, **{"seed": self.seed, **self.equations})
        except TypeError as error:
            raise SettingError(f"{self.name} passes further settings on to SEIRForecaster: {error}") from error

    def _learn(self, residuals: Panel) -> tuple[LSTMForecaster | None, int]:
        """The LSTM and the days it forecasts; None and 0 with too few residuals."""
        rows = int(max((np.isfinite(values).any(axis=1).sum() for _, values in residuals), default=0))
        reach = min(self.horizon, rows // SHARE)
        if rows < LEAST_ROWS:
            return None, 0
        if self.lstm is not None:
            model = self.lstm.clone()
            model.horizon = min(reach, self.lstm.horizon)
        else:
            config = FitConfig(steps=150, progress=False)
            model = LSTMForecaster(reach, fit=config, scaler="none", calibrate=False, nonnegative=False, seed=self.seed)
        return model.fit(residuals), model.horizon

    def _ahead(self, seir: SEIRForecaster, panel: Panel, horizon: int) -> np.ndarray:
        """``(series, horizon, targets)`` forecast residuals; 0 for a series without a fit."""
        found = np.zeros((len(panel), horizon, panel.targets))
        if self.lstm_ is None:
            return found
        residuals = _residuals(seir, panel)
        days = min(horizon, self.reach_)
        ahead = self.lstm_.predict(days, panel=residuals).mean
        rows = np.isin(panel.ids, residuals.ids)
        found[rows, :days] = np.nan_to_num(ahead)
        fade = 0.5 ** (np.arange(1, horizon - days + 1) / self.reach_)  # the forecast returns to the equations
        found[rows, days:] = found[rows, days - 1 : days] * fade[:, None]
        return found

    def _notes(self, horizon: int) -> tuple[str, ...]:
        if self.lstm_ is None:
            return ("There are too few days to train the LSTM; the forecast is that of the equations.",)
        if self.reach_ < horizon:
            return (f"The LSTM looks {self.reach_} days ahead; after that its last residual fades.",)
        return ()


def _residuals(seir: SEIRForecaster, panel: Panel) -> Panel:
    """The panel of the fitted series with logarithmic residuals instead of counts."""
    target = np.full(panel.target.shape, np.nan, np.float32)
    chosen = [index for index, name in enumerate(panel.ids) if str(name) in seir.fits_]
    for index in chosen:
        one = seir.fits_[str(panel.ids[index])]
        rows = slice(int(panel.begin[index]) + one.first, int(panel.end[index]))
        target[rows] = np.log((panel.target[rows] + 1) / (one.fitted.mean + 1))
    return replace(panel, target=target).take(np.array(chosen, dtype=np.int64))


def _moved(counts: np.ndarray, factor: np.ndarray) -> np.ndarray:
    return np.maximum((counts + 1) * factor - 1, 0.0)
