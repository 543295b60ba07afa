"""Names of models on the command line, and the forecasters behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.text import nearest

if TYPE_CHECKING:
    from gatecast.cli.flags import ModelFlags
    from gatecast.forecasters import Backtest, Forecaster, LSTMForecaster
    from gatecast.models import NetConfig
    from gatecast.training import FitConfig

CHOSEN_BY_BACKTEST = ("auto", "ensemble")
CLASSES = {
    "naive": "Naive",
    "seasonal-naive": "SeasonalNaive",
    "drift": "Drift",
    "mean": "Mean",
    "linear": "LinearAR",
    "zeroshot": "ZeroShotLSTM",
    "ets": "AutoETS",
    "arima": "AutoARIMA",
    "theta": "AutoTheta",
}
NAMES = ("lstm", *CHOSEN_BY_BACKTEST, *CLASSES)


def check_name(name: str, *, windows: int = 1) -> str:
    """The canonical spelling of a model name.

    Raises:
        SettingError: unknown name, or a model chosen by backtest when there is no backtest.
    """
    plain = name.lower().replace("_", "-")
    plain = {
        "seasonalnaive": "seasonal-naive",
        "linearar": "linear",
        "zero-shot": "zeroshot",
        "zeroshotlstm": "zeroshot",
    }.get(plain, plain.removeprefix("auto") or "auto")
    if plain not in NAMES:
        near = nearest(plain, NAMES)
        raise SettingError(
            Arg("model") + f" must be one of {', '.join(NAMES)}, got {name!r}",
            f"did you mean {near!r}?" if near else "",
        )
    if plain in CHOSEN_BY_BACKTEST and windows < 1:
        raise SettingError(Arg("model", name) + " chooses by a backtest", "give --windows of at least 1")
    return plain


def lstm(horizon: int, flags: ModelFlags, net: NetConfig, fit: FitConfig) -> LSTMForecaster:
    """The LSTM forecaster of the flags."""
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


def baseline(name: str, horizon: int, flags: ModelFlags) -> Forecaster:
    """The baseline of that name."""
    from gatecast import forecasters

    make: Callable[..., Any] = getattr(forecasters, CLASSES[name])
    own: dict[str, Any] = {"horizon": horizon, "context": flags.context} if name == "linear" else {}
    own |= {"horizon": horizon} if name == "zeroshot" else {}
    forecaster: Forecaster = make(**own, seed=flags.seed)
    return forecaster


def candidate(tested: Backtest, name: str) -> str | None:
    """Name of the model in the backtest that the verdict is about; None: the LSTM."""
    if name not in CLASSES:
        return None
    wanted = CLASSES[name]
    return wanted if wanted in tested.models else None
