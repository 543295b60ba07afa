"""The zero-shot network: tokens through an MLP and two residual LSTM layers; a head mixes the bases and adds residuals.

quantile[h] = Σ_b softmax(w)[b] · base[h, b] + residual[h, q] · spread[h]
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gatecast.models.zeroshot.bases import Bases
from gatecast.models.zeroshot.sizes import BASES, HINTS, PROBABILITIES, STEPS, TOKEN
from gatecast.nn import LSTM

GROUPS = 8  # of steps that share the weights of the mixture
WIDTH, ENCODER, HIDDEN, LAYERS = 256, 384, 512, 2
_MIX = (0.0, 1.0, 0.0, 0.5, 0.0, -1.0, -0.5, 0.0)  # at first, the seasonal mean weighs most


class ZeroShotNet(nn.Module):
    """Quantiles of 64 steps after every patch, in units of the history.

    Args:
        width: hidden size of the LSTM layers.
    """

    def __init__(self, width: int = WIDTH):
        super().__init__()
        self.encode1, self.encode2 = nn.Linear(TOKEN, ENCODER), nn.Linear(ENCODER, width)
        self.skip = nn.Linear(TOKEN, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(LAYERS))
        self.lstms = nn.ModuleList(LSTM(width, width, batch_first=True, unit_forget_bias=True) for _ in range(LAYERS))
        self.norm = nn.LayerNorm(width)
        self.head1 = nn.Linear(width + HINTS, HIDDEN)
        self.head2 = nn.Linear(HIDDEN, STEPS * len(PROBABILITIES) + GROUPS * BASES)
        self._start_head()

    @torch.no_grad()
    def _start_head(self) -> None:
        """Begin with the seasonal mean and residuals of plausible width."""
        quantiles = STEPS * len(PROBABILITIES)
        self.head2.weight.mul_(0.1)
        self.head2.bias[:quantiles] = ((torch.tensor(PROBABILITIES) - 0.5) * 2.5).repeat(STEPS)
        self.head2.bias[quantiles:] = torch.tensor(_MIX).repeat(GROUPS)

    def states(self, tokens: Tensor) -> Tensor:
        """``(batch, patches, width)``."""
        x = self.encode2(F.silu(self.encode1(tokens))) + self.skip(tokens)
        for norm, lstm in zip(self.norms, self.lstms, strict=True):
            x = x + lstm(norm(x))[0]
        return self.norm(x)

    def forward(self, tokens: Tensor, bases: Bases, positions: Tensor) -> Tensor:
        """``(batch, positions, 64, 11)`` quantiles at the given patches, not sorted.

        Args:
            tokens: ``(batch, patches, 83)``.
            bases: those at the positions.
            positions: indices of patches.
        """
        x = self.states(tokens)[:, positions]
        out = self.head2(F.silu(self.head1(torch.cat([x, bases.hints.to(x.dtype)], -1)))).float()
        shape = out.shape[:2]
        quantiles = STEPS * len(PROBABILITIES)
        residual = out[..., :quantiles].view(*shape, STEPS, len(PROBABILITIES))
        mix = torch.softmax(out[..., quantiles:].view(*shape, GROUPS, BASES), -1)
        mix = mix.repeat_interleave(STEPS // GROUPS, 2)
        return (mix * bases.forecasts).sum(-1, keepdim=True) + residual * bases.spread[..., None]
