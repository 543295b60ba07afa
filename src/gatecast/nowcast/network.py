"""The network: a mixture of naive nowcasts, weighted pixel by pixel, corrected by a ConvLSTM that moves with the rain.

The candidates are shares of pixels above each threshold, at several widths of a Gaussian: of the last field moved along
its motion, of the last field where it is (persistence), and of the mean of the context. With gates g that sum to 1,

    p_k = Σ_c g_c candidate_{c,k} + g_0 climate_k,      logit P(R ≥ threshold_k) = logit p_k + correction_k

and probabilities never rise with the threshold. The ConvLSTM (Shi et al. 2015) reads the context in coordinates that
move with the rain: growth and decay are changes at a fixed place. Its state is carried along to the pixel ahead.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from gatecast.nn import ConvLSTM2d
from gatecast.nowcast.advection import displacements, pixels, sample
from gatecast.nowcast.config import RainConfig
from gatecast.nowcast.context import Context
from gatecast.nowcast.smoothing import smoothed
from gatecast.nowcast.windows import RainBatch

_STILL = ((0.0, False), (2.0, False), (4.0, False), (1.0, True), (4.0, True))  # deviation; mean of the context
_CHANNELS = 3  # log rain, shares above two thresholds
_SEEN, _CHANGE = 1, 1
_LEAST = 1e-4  # probability


class RainNet(nn.Module):
    """Probabilities of exceeding thresholds, for any pixel and time ahead.

    Args:
        config: settings.
    """

    thresholds: Tensor

    def __init__(self, config: RainConfig) -> None:
        super().__init__()
        self.config = config
        count, hidden = len(config.thresholds), config.hidden_channels
        self.candidates = len(config.scales) + len(_STILL)
        inputs = self.candidates * count + 2 * hidden + 2 + 3 + 2
        self.encoder = ConvLSTM2d(_CHANNELS + _SEEN + _CHANGE, hidden, config.kernel_size)
        self.reader = nn.Sequential(
            nn.Linear(inputs, config.width), nn.SiLU(), nn.Linear(config.width, config.width), nn.SiLU()
        )
        self.gate = nn.Linear(config.width, self.candidates + 1)
        self.gate_by_lead = nn.Linear(3, self.candidates + 1)
        self.correction = nn.Linear(config.width, count)
        for layer in (self.gate, self.correction):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.climate = nn.Parameter(-1.5 - torch.arange(count) * 0.6)
        self.register_buffer("thresholds", torch.tensor(config.thresholds), persistent=False)
        self.heavy = _index_of(config.thresholds, 5.0)
        self.light = _index_of(config.thresholds, 0.5)

    def read(self, context: Context) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Moving candidates, still candidates, observed share and the ConvLSTM's state, all on the network's pixels."""
        last, mean, seen = context.exceeded[-1], context.exceeded.mean(0), context.seen[-1]
        moving = torch.stack([smoothed(last, seen, one) for one in self.config.scales])
        still = torch.stack([smoothed(mean if of_all else last, seen, one) for one, of_all in _STILL])
        return moving, still, seen, self._encode(context)

    def _encode(self, context: Context) -> Float[Tensor, "hidden rows columns"]:
        """The state after all fields, each moved to the place that its rain has at the last one."""
        shares = context.exceeded[:, [self.light, self.heavy]]
        fields = torch.cat([context.log_rain[:, None], shares, context.seen[:, None]], 1)
        steps = len(fields) - 1
        here, paths = pixels(*fields.shape[-2:]), displacements(context.velocity, max(steps, 1))
        aligned = [sample(fields[k], here - paths[steps - k - 1]) for k in range(steps)] + [fields[-1]]
        coarse = F.avg_pool2d(torch.stack(aligned), 2)
        change = coarse[-1:, :1] - coarse[:, :1]
        _, (h, _) = self.encoder(torch.cat([coarse, change], 1)[:, None])
        return h[0, 0]

    def forward_at(
        self,
        read: tuple[Tensor, Tensor, Tensor, Tensor],
        places: Float[Tensor, "2 points"],
        path: Float[Tensor, "2 points"],
        hours: Float[Tensor, " points"],
    ) -> Float[Tensor, "points thresholds"]:
        """Logits of exceeding each threshold.

        Args:
            read: from :meth:`read`.
            places: pixels ahead, x and y.
            path: how far their rain has come, x and y.
            hours: ahead.
        """
        moving, still, seen, state = read
        origin, count = places - path, len(self.config.thresholds)
        carried = sample(moving.flatten(0, 1), origin, border=True).reshape(-1, count, len(hours))
        kept = sample(still.flatten(0, 1), places, border=True).reshape(-1, count, len(hours))
        candidates = torch.cat([carried, kept])
        lead = torch.stack([hours, hours.sqrt(), torch.log(hours + 0.05)])
        features = [
            (candidates.flatten(0, 1) + 0.003).sqrt() * 2 - 0.5,
            sample(state, (origin - 0.5) / 2, border=True),
            sample(state, (places - 0.5) / 2, border=True),
            sample(seen[None], origin),
            sample(seen[None], places),
            lead,
            path / 20,
        ]
        found = self.reader(torch.cat(features).T)
        gates = torch.softmax(self.gate(found) + self.gate_by_lead(lead.T), -1)
        climate = torch.cummin(torch.sigmoid(self.climate), 0).values
        mixture = torch.einsum("nc,ckn->nk", gates[:, :-1], candidates) + gates[:, -1:] * climate
        logits = torch.logit(mixture.clamp(_LEAST, 1 - _LEAST)) + self.correction(found)
        return torch.cummin(logits, -1).values

    def forward(self, batch: RainBatch) -> Float[Tensor, ""]:
        """Mean loss of a batch: cross-entropy at all thresholds."""
        losses = [self._loss(batch, k) for k in range(len(batch))]
        return torch.stack(losses).mean()

    def _loss(self, batch: RainBatch, row: int) -> Float[Tensor, ""]:
        read = self.read(batch.context(row))
        logits = self.forward_at(read, batch.places[row], batch.path[row], batch.hours[row])
        weight = batch.weight[row][:, None] * self._threshold_weights()
        losses = F.binary_cross_entropy_with_logits(logits, batch.target[row], reduction="none")
        return (losses * weight).sum() / weight.sum().clamp_min(1e-6)

    def _threshold_weights(self) -> Float[Tensor, " thresholds"]:
        """Rare thresholds have small losses, and get larger weights."""
        return 0.5 + (self.thresholds / self.thresholds[0]).log() / 3

    @torch.no_grad()
    def inside(self, context: Context, steps: int) -> Float[Tensor, "steps y x"]:
        """Share of each pixel of the network whose rain comes from where the last field was observed."""
        paths = displacements(context.velocity, steps)
        here = pixels(*paths.shape[-2:])
        return torch.stack([sample(context.seen[-1:], here - path)[0] for path in paths])

    @torch.no_grad()
    def probabilities(self, context: Context, steps: int, step_hours: float) -> Float[Tensor, "steps thresholds y x"]:
        """Probabilities of exceeding each threshold at all pixels of the network, 1 … ``steps`` steps ahead."""
        read, paths = self.read(context), displacements(context.velocity, steps)
        height, width = paths.shape[-2:]
        here, found = pixels(height, width).flatten(1), []
        for number, path in enumerate(paths, 1):
            hours = torch.full((height * width,), number * step_hours)
            logits = self.forward_at(read, here, path.flatten(1), hours)
            found.append(torch.sigmoid(logits).T.reshape(-1, height, width))
        return torch.stack(found)


def _index_of(thresholds: tuple[float, ...], rate: float) -> int:
    """Position of the threshold that is nearest to a rate."""
    return min(range(len(thresholds)), key=lambda k: abs(thresholds[k] - rate))
