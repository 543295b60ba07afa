"""``PowerForecaster``: an ensemble of networks for the power of wind farms, with weather as it was known."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float32

from gatecast.base.errors import DataError, NotFittedError, SettingError
from gatecast.base.findings import Arg, Call
from gatecast.base.options import HORIZON, MEMBERS, SEED, check_value, require_configs
from gatecast.batches.windows import WindowOrigins
from gatecast.nn.draws import drawing, injected
from gatecast.power.clipped_normal import expected, quantile
from gatecast.power.config import DEFAULT_FIT, PowerConfig
from gatecast.power.network import PowerNet
from gatecast.power.plant import Plant
from gatecast.power.vintages import HOUR
from gatecast.power.windows import PAST, Learned, PowerWindows
from gatecast.training.config import FitConfig
from gatecast.training.loop import train
from gatecast.training.threads import threads_of

LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
_HELD_BACK = 0.1  # share of the origins, the latest, that the spread is calibrated on


@dataclass(frozen=True, eq=False)
class PowerForecast:
    """Power ahead of several origins, as shares of capacity; all arrays are ``(origins, hours, sites)``.

    Args:
        plant: that it is of.
        origins: the last known hours.
        mean: expected power.
        centre, model, noise: mean of the normal distribution before it is clipped, and its two variances: between the
            members, and within them.
    """

    plant: Plant
    origins: np.ndarray
    mean: Float32[np.ndarray, "origins hours sites"]
    centre: Float32[np.ndarray, "origins hours sites"]
    model: Float32[np.ndarray, "origins hours sites"]
    noise: Float32[np.ndarray, "origins hours sites"]

    def quantile(self, probability: float) -> Float32[np.ndarray, "origins hours sites"]:
        """Quantile of the power, within 0 and capacity."""
        spread = np.sqrt(self.model + self.noise)
        return np.asarray(quantile(torch.from_numpy(self.centre), torch.from_numpy(spread), probability))

    def to_frame(self, origin: int = -1) -> pd.DataFrame:
        """The forecast from one origin in the unit of the data: site, time, mean and quantiles."""
        hours = self.plant_times(origin)
        parts = []
        for site, name in enumerate(self.plant.ids):
            size = float(self.plant.capacity[site])
            columns = {f"q{100 * p:g}": self.quantile(p)[origin, :, site] * size for p in LEVELS}
            parts.append(
                pd.DataFrame({"site": name, "time": hours, "mean": self.mean[origin, :, site] * size, **columns})
            )
        return pd.concat(parts, ignore_index=True)

    def plant_times(self, origin: int = -1) -> np.ndarray:
        """The hours ahead of an origin."""
        hours = self.origins[origin] + (1 + np.arange(self.mean.shape[1])) * HOUR
        return np.asarray(hours.astype("datetime64[ns]"))


@dataclass
class PowerForecaster:
    """An ensemble over seeds and bootstrap samples of the origins.

    Args:
        horizon: hours ahead.
        members: networks.
        net: settings of each.
        fit_config: settings of the training.
        seed: of weights and samples.

    Example:
        >>> from gatecast.power import PowerForecaster
        >>> PowerForecaster(48, members=3).members
        3
    """

    horizon: int = 48
    members: int = 5
    net: PowerConfig = field(default_factory=PowerConfig)
    fit_config: FitConfig = DEFAULT_FIT
    seed: int = 0

    def __post_init__(self) -> None:
        check_value(Arg("horizon"), self.horizon, "int", HORIZON)
        check_value(Arg("members"), self.members, "int", MEMBERS)
        check_value(Arg("seed"), self.seed, "int", SEED)
        require_configs(net=(self.net, PowerConfig), fit_config=(self.fit_config, FitConfig))

    @property
    def name(self) -> str:
        """In tables."""
        return "CNN" if self.net.kind == "cnn" else "LSTM"

    def fit(self, plant: Plant) -> Self:
        """Learn from all issues of the weather whose hours are known.

        Raises:
            DataError: too few issues.
        """
        rows = training_rows(plant, self.horizon)
        held = max(1, int(_HELD_BACK * len(rows)))
        self.learned_ = Learned.of(plant, rows[:-held], self.horizon)
        windows = PowerWindows(plant, rows, self.horizon, self.learned_)
        self.models_ = [self._member(windows, len(rows) - held, number) for number in range(self.members)]
        self.scale_ = 1.0
        late = self.predict(plant, plant.times[rows[-held:]])
        self.scale_ = _spread_scale(late, windows.target[-held:])
        return self

    def predict(self, plant: Plant, origins: np.ndarray | None = None) -> PowerForecast:
        """Forecast from origins; each sees the power up to it, and the weather that had been issued by then.

        Args:
            plant: power and weather.
            origins: last known hours; None: the end of the power.

        Raises:
            NotFittedError: before ``fit``.
        """
        if not hasattr(self, "models_"):
            raise NotFittedError("predict needs a fitted forecaster", "call " + Call("fit", ...) + " first")
        moments = plant.times[-1:] if origins is None else np.asarray(origins).astype("datetime64[h]")
        rows = ((moments - plant.times[0]) / HOUR).astype(int)
        if len(rows) == 0 or rows.min() < 0 or rows.max() >= len(plant.times):
            raise SettingError(Arg("origins") + f" must lie within {plant.times[0]} to {plant.times[-1]}")
        windows = PowerWindows(plant, rows, self.horizon, self.learned_)
        drawn = [self._run(model, windows) for model in self.models_]
        centres, spreads = (np.stack(part) for part in zip(*drawn, strict=True))
        centre, model = centres.mean(0), centres.var(0)
        noise = (self.scale_**2 * (model + (spreads**2).mean(0)) - model).clip(1e-6)
        spread = torch.from_numpy(np.sqrt(model + noise))
        mean = expected(torch.from_numpy(centre), spread).numpy()
        return PowerForecast(plant, moments, mean, centre, model, noise.astype(np.float32))

    def _member(self, windows: PowerWindows, count: int, number: int) -> PowerNet:
        """One network, on a bootstrap sample of the origins before the held-back ones."""
        seed = self.seed + 1000 * number
        kept = np.sort(np.random.default_rng(seed).choice(count, count)) if self.members > 1 else np.arange(count)
        sample = _Sample(windows, torch.from_numpy(kept))
        empty = torch.zeros(0, dtype=torch.long)
        none = WindowOrigins(empty, empty, empty)
        with threads_of(self.fit_config.threads), drawing(seed), injected():
            model = PowerNet(windows.channels, self.net)
            train(model, sample, sample.origins(), none, self.fit_config, steps=self.fit_config.steps or 1, seed=seed)
        return model.eval()

    def _run(self, model: PowerNet, windows: PowerWindows) -> tuple[np.ndarray, np.ndarray]:
        """Mean and spread of one member, ``(origins, hours, sites)``."""
        found = []
        with torch.inference_mode(), threads_of(self.fit_config.threads):
            for site in range(len(windows.plant.ids)):
                parts = []
                for places in torch.arange(len(windows.rows)).split(512):
                    parts.append(model.distribution(windows.gather(torch.full_like(places, site), places)))
                found.append([torch.cat(part).numpy() for part in zip(*parts, strict=True)])
        return np.stack([one[0] for one in found], 2), np.stack([one[1] for one in found], 2)


class _Sample:
    """Windows at a sample of the origins, some of them several times."""

    def __init__(self, windows: PowerWindows, kept: torch.Tensor) -> None:
        self.windows, self.kept = windows, kept
        self.ids, self.tensors, self.task = windows.ids, windows.tensors, windows.task

    def origins(self) -> WindowOrigins:
        every = self.windows.origins()
        return replace(every, count=torch.full_like(every.count, len(self.kept)))

    def gather(self, series: torch.Tensor, origin: torch.Tensor) -> object:
        return self.windows.gather(series, self.kept[origin])


def training_rows(plant: Plant, horizon: int) -> np.ndarray:
    """Rows of origins: each issue of the weather, from a week of power on, of which an hour ahead is known.

    Raises:
        DataError: fewer than 20.
    """
    rows = ((plant.weather[0].issued - plant.times[0]) / HOUR).astype(int)
    rows = rows[(rows >= PAST // 7) & (rows < len(plant.times) - 1)]
    ahead = np.minimum(rows[:, None] + 1 + np.arange(horizon), len(plant.times) - 1)
    rows = rows[np.isfinite(plant.power[ahead]).any((1, 2))]
    if len(rows) < 20:
        problem = f"{len(rows)} issues of the weather have known power after them; 20 are needed"
        raise DataError(problem, "give longer files", place="weather")
    return rows


def _spread_scale(late: PowerForecast, target: np.ndarray) -> float:
    """Factor of the spread at which half of the held-back values lie in the middle half, between 0.5 and 2."""
    known = np.isfinite(target)
    spread = np.sqrt(late.model + late.noise)
    scores = np.abs(target - late.centre)[known] / spread[known]
    inside = scores[(target[known] > 0.01) & (target[known] < 0.99)]
    if len(inside) < 50:
        return 1.0
    return float(np.clip(np.median(inside) / 0.6745, 0.5, 2.0))
