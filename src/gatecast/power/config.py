"""Settings of the network that forecasts power."""

from __future__ import annotations

from dataclasses import dataclass

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.options import Int, check_options, option
from gatecast.training.config import FitConfig

DEFAULT_FIT = FitConfig(steps=1200, batch_size=64, learning_rate=2e-3, weight_decay=0.02, validation=0)
DECODERS = ("cnn", "lstm")


@dataclass(frozen=True)
class PowerConfig:
    """Settings of a member of :class:`gatecast.power.PowerForecaster`.

    Example:
        >>> from gatecast.power import PowerConfig
        >>> PowerConfig(levels=0).wavelet
        'db2'
    """

    kind: str = option("cnn", "Layers over the hours ahead: convolutions, or a bidirectional LSTM.", one_of=DECODERS)
    channels: int = option(64, "Channels of each layer.", least=4, limit=2048, search=Int(32, 128))
    kernel_size: int = option(5, "Hours that a convolution sees, odd.", least=1, most=25)
    blocks: int = option(2, "Residual blocks.", least=1, limit=50)
    wavelet: str = option("db2", "Wavelet of PyWavelets, for the past.")
    levels: int = option(3, "Bands of the wavelet transform beside the rest; 0: no transform.", least=0, most=6)
    dropout: float = option(0.1, "Share of the channels dropped in training.", least=0, below=1)

    def __post_init__(self) -> None:
        check_options(self)
        if self.kernel_size % 2 == 0:
            raise SettingError(Arg("kernel_size") + f" must be odd, got {self.kernel_size}")
