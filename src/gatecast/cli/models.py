"""Names of models on the command line, and the forecasters behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gatecast.base.errors import SettingError
from gatecast.base.named import did_you_mean

if TYPE_CHECKING:
    from gatecast.cli.flags import ModelFlags
    from gatecast.forecasters import Backtest, Forecaster, LSTMForecaster
    from gatecast.models import NetConfig
    from gatecast.training import FitConfig

CHOSEN_BY_BACKTEST = ("auto", "ensemble")
_CLASSES = {
    "naive": "Naive",
    "seasonal-naive": "SeasonalNaive",
    "drift": "Drift",
    "mean": "Mean",
    "linear": "LinearAR",
    "ets": "AutoETS",
    "arima": "AutoARIMA",
    "theta": "AutoTheta",
}
NAMES = ("lstm", *CHOSEN_BY_BACKTEST, *_CLASSES)


def check_name(name: str, *, windows: int = 1) -> str:
    """The name in its plain spelling.

    Raises:
        SettingError: no model of that name, or one that a backtest chooses without a backtest.
    """
    plain = name.lower().replace("_", "-")
    plain = {"seasonalnaive": "seasonal-naive", "linearar": "linear"}.get(plain, plain.removeprefix("auto") or "auto")
    if plain not in NAMES:
        raise SettingError(f"--model must be one of {', '.join(NAMES)}; got {name!r}", did_you_mean(plain, NAMES))
    if plain in CHOSEN_BY_BACKTEST and windows < 1:
        raise SettingError(f"--model {name} needs a backtest to choose by; give --windows of at least 1")
    return plain


def lstm(horizon: int, flags: ModelFlags, net: NetConfig, fit: FitConfig) -> LSTMForecaster:
    """The LSTM as the flags describe it."""
    from gatecast.forecasters import LSTMForecaster

    return LSTMForecaster(
        horizon,
        context=flags.context,
        net=net,
        head=flags.head,
        loss=flags.loss,
        scaler=flags.scaler,
        fit=fit,
        members=flags.members,
        seed=flags.seed,
    )


def baseline(name: str, horizon: int) -> Forecaster:
    """The baseline of that name."""
    from gatecast import forecasters

    make: Callable[..., Any] = getattr(forecasters, _CLASSES[name])
    forecaster: Forecaster = make(horizon) if name == "linear" else make()
    return forecaster


def candidate(tested: Backtest, name: str) -> str | None:
    """Name of the model in the backtest that the verdict judges; None for the LSTM."""
    if name in ("lstm", *CHOSEN_BY_BACKTEST):
        return None
    wanted = baseline(name, tested.horizon).name
    return wanted if wanted in tested.models else None
