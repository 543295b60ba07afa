"""The zero-shot forecaster: an LSTM of the package, trained on synthetic series only, forecasts without training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from gatecast.base.errors import NotFittedError
from gatecast.base.fields import field
from gatecast.base.findings import Call
from gatecast.base.options import Bounds
from gatecast.data.panel import Panel, require_panel
from gatecast.data.schema import Schema
from gatecast.evaluation.forecast import Forecast, level_quantiles
from gatecast.forecasters.base import Forecaster
from gatecast.forecasters.learned import State
from gatecast.forecasters.seasons import seasons_of
from gatecast.models.zeroshot.forecast import Periods, find_periods, quantile_forecast
from gatecast.models.zeroshot.net import ZeroShotNet
from gatecast.models.zeroshot.sizes import MEDIAN, PROBABILITIES, SEASON
from gatecast.models.zeroshot.weights import bundled

_NORMAL = NormalDist()
_PERSISTENCE = 0.9  # of the errors of a sample path from step to step


class ZeroShotLSTM(Forecaster):
    """A pre-trained LSTM that forecasts series it has never seen; ``fit`` only looks at the data.

    The network (1.9 million weights, 3.8 MB, in the package) was trained on synthetic series only. It reads the last
    1,024 values of each series, mixes eight simple forecasts by their past errors, and adds quantiles of the residuals.
    The point forecast is the median. Covariates are not used, and each target is forecast by itself.

    Values may be missing, and a series may hold a single value. The forecast of a series is the same to the bit
    whatever other series are in the panel. A series multiplied by a number has its forecast multiplied by it, up to
    rounding; a constant may be added to a series that has negative values, before and after.

    Args:
        horizon: steps ahead; None: ``predict`` must be given it. More than 64 steps are forecast 64 at a time.
        season: one or two season lengths in steps, up to 400; 1 for none. None takes those of the frequency; a panel
            without dates gets the season of each series by its autocorrelation and past errors.
        seed: of the sample paths.
        name: column of the forecast.

    Attributes:
        periods_: the seasons of the panel, or None where each series has its own.

    Raises:
        SettingError: a season is not a whole number of at least 1.

    Example:
        >>> import numpy as np
        >>> from gatecast import Panel, ZeroShotLSTM
        >>> t = np.arange(120)
        >>> panel = Panel.from_arrays([10 + np.sin(t * np.pi / 6)])
        >>> forecast = ZeroShotLSTM(6).fit(panel).predict()
        >>> forecast.mean.shape
        (1, 6, 1)
    """

    savable = True

    def __init__(
        self,
        horizon: int | None = None,
        *,
        season: int | Sequence[int] | None = None,
        seed: int = 1,
        name: str | None = None,
    ):
        self.horizon = horizon
        self.season = season
        self.seed = seed
        self.name = name or type(self).__name__

    def check(self, panel: Panel) -> None:
        require_panel(panel)
        super().check(panel)
        self._periods(panel)

    def fit(self, panel: Panel) -> Self:
        self.check(panel)
        self.net_, self.card_ = bundled()
        self.periods_ = self._periods(panel)
        self.schema_ = panel.schema
        self.panel_ = panel
        return self

    def _periods(self, panel: Panel) -> Periods | None:
        """First and second season; None: to be found for each series."""
        cycles = panel.freq.cycles if self.season is None else seasons_of(self.season)
        if self.season is None and cycles == (1,) and panel.freq.is_integer:
            return None
        used = [m for m in cycles if 1 < m <= SEASON][:2]
        first, second = (*used, 0, 0)[:2]
        return (first, second)

    def _require_fitted(self) -> None:
        if not hasattr(self, "net_"):
            raise NotFittedError(f"{self.name} is not fitted yet", "call " + Call("fit", ...) + " before predict")

    def _forecast(self, panel: Panel, horizon: int, levels: Sequence[float], samples: int | None) -> Forecast:
        series = [values[:, target] for _, values in panel for target in range(panel.targets)]
        periods = [self.periods_ if self.periods_ is not None else find_periods(values) for values in series]
        known = quantile_forecast(self.net_, series, periods, horizon)
        known = known.reshape(len(panel), panel.targets, horizon, len(PROBABILITIES)).swapaxes(1, 2)
        probabilities = level_quantiles(levels)
        quantiles = between(known, np.array([_NORMAL.inv_cdf(p) for p in probabilities]))
        mean = known[..., MEDIAN].copy()
        paths = None if samples is None else self._paths(known, samples)
        return Forecast(self.name, panel, mean, probabilities, quantiles, paths)

    def _paths(self, known: np.ndarray, samples: int) -> np.ndarray:
        """``(series, samples, horizon, targets)`` paths: normal errors of autocorrelation 0.9 through the quantiles."""
        series, horizon, targets, _ = known.shape
        draws = np.random.default_rng(self.seed).standard_normal((horizon, series, targets, samples))
        for step in range(1, horizon):
            draws[step] = _PERSISTENCE * draws[step - 1] + np.sqrt(1 - _PERSISTENCE**2) * draws[step]
        return between(known, draws.transpose(1, 0, 2, 3)).transpose(0, 3, 1, 2)

    def describe(self) -> dict[str, Any]:
        """What runs, for the report and ``run.json``."""
        return {"name": self.name, "parameters": self.card_["parameters"], "weights": self.card_["sha256"][:12]}

    # ── the model file ────────────────────────────────────────────────────────────────────────────────────────────
    def save(self, path: str | Path, *, history: bool = True) -> Path:
        """Write settings, schema and weights to one ``.gatecast`` file; it keeps no rows, whatever ``history`` says.

        Raises:
            NotFittedError: before ``fit``.
        """
        from gatecast.forecasters.model_file import write

        return write(path, *self.to_state())

    def to_state(self) -> State:
        """Settings and weights: facts as JSON holds them, and tensors in half precision."""
        self._require_fitted()
        facts = {
            "kind": "zeroshot",
            "settings": {name: getattr(self, name) for name in ("horizon", "season", "seed", "name")},
            "schema": self.schema_.to_dict(),
            "periods": self.periods_,
            "card": self.card_,
        }
        return facts, {name: value.to(torch.float16) for name, value in self.net_.state_dict().items()}

    @classmethod
    def from_state(cls, facts: dict[str, Any], tensors: dict[str, Tensor]) -> Self:
        """The fitted forecaster that :meth:`to_state` described; it holds no data."""
        settings = dict(facts["settings"])
        forecaster = cls(settings.pop("horizon"), **settings)
        forecaster.card_ = dict(facts["card"])
        forecaster.net_ = ZeroShotNet(field(forecaster.card_, "width", "int", Bounds(least=8, limit=2048)))
        forecaster.net_.load_state_dict({name: value.float() for name, value in tensors.items()})
        forecaster.net_.eval().requires_grad_(False)
        forecaster.schema_ = Schema.from_dict(facts["schema"])
        periods = facts["periods"]
        forecaster.periods_ = None if periods is None else (int(periods[0]), int(periods[1]))
        return forecaster


def between(known: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Quantiles at standard normal scores, by straight lines between the known ones, also beyond the outermost.

    Args:
        known: ``(…, 11)`` ascending quantiles of :data:`PROBABILITIES`.
        normal: ``(wanted,)`` or ``(…, wanted)`` scores.
    """
    scores = np.array([_NORMAL.inv_cdf(p) for p in PROBABILITIES])
    normal = np.broadcast_to(normal, (*known.shape[:-1], normal.shape[-1]))
    right = np.clip(np.searchsorted(scores, normal), 1, len(scores) - 1)
    low, high = (np.take_along_axis(known, one, -1) for one in (right - 1, right))
    share = (normal - scores[right - 1]) / (scores[right] - scores[right - 1])
    return low + share * (high - low)
