"""Settings of the network that forecasts rain."""

from __future__ import annotations

from dataclasses import dataclass

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.options import Int, check_options, option
from gatecast.training.config import FitConfig

THRESHOLDS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)  # mm/h
DEFAULT_FIT = FitConfig(steps=400, batch_size=1, learning_rate=3e-3, weight_decay=0.02, validation=0)


@dataclass(frozen=True)
class RainConfig:
    """Settings of :class:`gatecast.nowcast.ConvLSTMForecaster`'s network.

    Example:
        >>> from gatecast.nowcast import RainConfig
        >>> RainConfig(hidden_channels=24).width
        64
    """

    hidden_channels: int = option(16, "Channels of the ConvLSTM's state.", least=1, limit=1024, search=Int(8, 32))
    kernel_size: int = option(3, "Pixels of the ConvLSTM's kernels along an edge, odd.", least=1, most=15)
    width: int = option(64, "Units of the two layers that read the state.", least=1, limit=4096, search=Int(32, 128))
    thresholds: tuple[float, ...] = option(
        THRESHOLDS,
        "Rates in mm/h, rising, whose probabilities of being exceeded the network learns.",
    )
    pixel_km: float = option(
        2.0, "Pixels are averaged to about this size for the network; probabilities keep theirs.", above=0
    )
    scales: tuple[float, ...] = option(
        (0.0, 1.0, 2.0, 4.0, 8.0, 16.0), "Standard deviations of the Gaussian smoothing, in pixels of the network."
    )
    crop: int = option(128, "Pixels of the network along an edge of a training window, even.", least=16, limit=4096)
    pixels: int = option(6000, "Pixels of a training window whose forecasts enter the loss.", least=16, limit=10**7)
    leads: int = option(5, "Steps ahead, drawn at random, in one training window.", least=1, limit=1000)
    scaling: float = option(0.35, "Standard deviation of the logarithm of a random factor on the rates.", least=0)

    def __post_init__(self) -> None:
        check_options(self)
        object.__setattr__(self, "thresholds", tuple(float(one) for one in self.thresholds))
        object.__setattr__(self, "scales", tuple(float(one) for one in self.scales))
        rising = all(low < high for low, high in zip((0.0, *self.thresholds), self.thresholds, strict=False))
        if len(self.thresholds) < 2 or not rising:
            raise SettingError(Arg("thresholds") + f" must be two or more rising rates above 0, got {self.thresholds}")
        if not self.scales or min(self.scales) < 0:
            raise SettingError(Arg("scales") + f" must be one or more numbers from 0, got {self.scales}")
        for name in ("kernel_size", "crop"):
            odd = name == "kernel_size"
            if getattr(self, name) % 2 != odd:
                raise SettingError(Arg(name) + f" must be {'odd' if odd else 'even'}, got {getattr(self, name)}")
