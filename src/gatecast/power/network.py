"""One member: the past by bands of a causal wavelet, the weather by convolutions over the hours ahead.

In the spirit of Wang et al. (2017, Applied Energy 188:56), whose wavelet transform, convolutions on a two-dimensional
arrangement of lags (days × hours) and split of model and noise variance are kept; the transform is causal here, and the
distribution is a normal one clipped to 0 and the capacity. The network corrects the power curve of the forecast wind.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from gatecast.nn import LSTM
from gatecast.power.clipped_normal import crps
from gatecast.power.config import PowerConfig
from gatecast.power.wavelets import causal_bands, low_pass
from gatecast.power.windows import PAST, PowerBatch

_LEAST = 0.01  # spread, share of capacity
_STATE = 16


class PowerNet(nn.Module):
    """Mean and spread of the normal distribution behind the power of each hour ahead.

    Args:
        channels: of the inputs.
        config: settings.
    """

    filter: Tensor

    def __init__(self, channels: int, config: PowerConfig) -> None:
        super().__init__()
        self.config, width = config, config.channels
        self.register_buffer("filter", low_pass(config.wavelet) if config.levels else torch.ones(1), persistent=False)
        bands = config.levels + 1
        self.days = nn.ModuleList(nn.Conv2d(2, 6, (3, 5), padding=(1, 2)) for _ in range(bands))
        self.state = nn.Linear(bands * 6 * (PAST // 24), _STATE)
        self.inputs = nn.Conv1d(channels + _STATE, width, 1)
        pad = config.kernel_size // 2
        if config.kind == "cnn":
            layers = (nn.Conv1d(width, width, config.kernel_size, padding=pad) for _ in range(2 * config.blocks))
            self.layers = nn.ModuleList(layers)
        else:
            self.lstm = LSTM(width, width // 2, num_layers=config.blocks, batch_first=True, bidirectional=True)
        self.outputs = nn.Conv1d(width, 2, 1)
        nn.init.zeros_(self.outputs.weight)
        self.outputs.bias = nn.Parameter(torch.tensor([0.0, -1.5]))

    def distribution(self, batch: PowerBatch) -> tuple[Float[Tensor, "batch hours"], Float[Tensor, "batch hours"]]:
        """Mean and spread, shares of capacity."""
        state = self._past(batch)[..., None].expand(-1, -1, batch.inputs.shape[2])
        x = self.inputs(torch.cat([batch.inputs, state], 1))
        x = self._over_hours(x)
        change, raw = self.outputs(F.dropout(F.silu(x), self.config.dropout, self.training)).unbind(1)
        return batch.base + change, F.softplus(raw) + _LEAST

    def forward(self, batch: PowerBatch) -> Float[Tensor, ""]:
        """Mean CRPS of the hours that count."""
        loss = crps(*self.distribution(batch), batch.target)
        return (loss * batch.mask).sum() / batch.mask.sum().clamp_min(1)

    def _over_hours(self, x: Float[Tensor, "batch width hours"]) -> Float[Tensor, "batch width hours"]:
        if self.config.kind == "lstm":
            return x + self.lstm(F.silu(x).transpose(1, 2))[0].transpose(1, 2)
        for first, second in zip(self.layers[::2], self.layers[1::2], strict=True):
            inner = F.dropout(F.silu(first(F.silu(x))), self.config.dropout, self.training)
            x = x + second(inner)
        return x

    def _past(self, batch: PowerBatch) -> Float[Tensor, "batch state"]:
        """The week before, by bands: each as days × hours with what is known of them."""
        filled = batch.past - (batch.past.sum(1) / batch.seen.sum(1).clamp_min(1))[:, None] * batch.seen
        bands = causal_bands(filled, self.filter, self.config.levels).unflatten(2, (PAST // 24, 24))
        seen = batch.seen.unflatten(1, (PAST // 24, 24))
        parts = []
        for k, layer in enumerate(self.days):
            maps = F.silu(layer(torch.stack([bands[:, k], seen], 1)))
            parts.append(maps.amax(3).flatten(1))
        return torch.tanh(self.state(torch.cat(parts, 1)))
