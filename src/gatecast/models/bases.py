"""Naive forecasts as the ground the network stands on, and the gate that mixes them.

Each candidate is a forecast that needs no training: the last value, the value one season ago, the mean of several
seasons, those moved to the level of the last season. The LSTM's last state weights them for each window and step
(softmax), and the network only has to learn what they leave over. In the spirit of Smyl (2020), where an LSTM corrects
exponential smoothing; here the smoothing itself is chosen by the state.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from gatecast.models.config import Shapes

Context = Float[Tensor, "batch context targets"]
Mask = Bool[Tensor, "batch context targets"]
Horizon = Float[Tensor, "batch horizon targets"]


def naive_forecasts(
    past: Context, observed: Mask, horizon: int, seasons: tuple[int, ...]
) -> Float[Tensor, "batch horizon targets bases"]:
    """All candidates, from the scaled context alone.

    Order: last value, mean of the context; then for each season the last season, the mean of the last (up to seven)
    seasons and both moved to the level of the last shortest season.
    """
    complete = bool(observed.all())
    last = past[:, -1:] if complete else _latest(past, observed)
    level_now = _mean(past, observed, 1 if not seasons else seasons[0], 0)
    bases = [last.expand(-1, horizon, -1), _mean(past, observed, past.shape[1], 0).expand(-1, horizon, -1)]
    for season in seasons:
        cycles = min(past.shape[1] // season, 7)
        folded = past[:, -cycles * season :].unflatten(1, (cycles, season))
        seen = observed[:, -cycles * season :].unflatten(1, (cycles, season))
        newest = folded[:, -1] if complete else _latest(folded, seen)[:, 0]
        average = folded.mean(1) if complete else _mean_of(folded, seen)
        for pattern, lag in ((newest, season - seasons[0]), (average, None)):
            level_then = _mean(past, observed, seasons[0], lag) if lag is not None else average.mean(1, keepdim=True)
            forecast = _repeat(pattern, horizon)
            bases += [forecast, forecast + (level_now - level_then)]
    return torch.stack(bases, -1)


def base_count(seasons: tuple[int, ...]) -> int:
    """Number of candidates of :func:`naive_forecasts`."""
    return 2 + 4 * len(seasons)


class BaseMixture(nn.Module):
    """Weights of the naive forecasts: softmax of a table over the steps plus a linear map of the LSTM's last state."""

    def __init__(self, shapes: Shapes, width: int) -> None:
        super().__init__()
        self.horizon, self.seasons = shapes.horizon, shapes.seasons
        bases = base_count(shapes.seasons)
        self.table = nn.Parameter(torch.zeros(shapes.horizon, bases))
        self.gate = nn.Linear(width, bases)
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)

    def forward(self, past: Context, observed: Mask, state: Float[Tensor, "batch width"]) -> Horizon:
        """The mixture forecast of each target."""
        bases = naive_forecasts(past, observed, self.horizon, self.seasons)
        weights = (self.table + self.gate(state)[:, None]).softmax(-1)
        return torch.einsum("bhtm,bhm->bht", bases, weights)


class SingleBase(nn.Module):
    """One naive forecast without weights: ``last``, ``season`` or ``none`` (zero in scaled units)."""

    def __init__(self, shapes: Shapes, kind: str) -> None:
        super().__init__()
        self.horizon, self.kind = shapes.horizon, kind
        self.seasons = shapes.seasons

    def forward(self, past: Context, observed: Mask, state: Float[Tensor, "batch width"]) -> Horizon:
        """The naive forecast of each target; the state is not used."""
        if self.kind == "none":
            return past.new_zeros(len(past), self.horizon, past.shape[2])
        if self.kind == "season" and self.seasons:
            return naive_forecasts(past, observed, self.horizon, self.seasons[-1:])[..., 2]
        return naive_forecasts(past, observed, self.horizon, ())[..., 0]


def _latest(values: Tensor, seen: Tensor) -> Tensor:
    """Newest observed value along axis 1 (kept with size 1); 0 where none was observed."""
    steps = torch.arange(1, values.shape[1] + 1, device=values.device).view(1, -1, *[1] * (values.dim() - 2))
    position = (seen * steps).amax(1, keepdim=True)
    return torch.where(position > 0, values.gather(1, (position - 1).clamp(min=0)), 0.0)


def _mean_of(values: Tensor, seen: Tensor) -> Tensor:
    return (values * seen).sum(1) / seen.sum(1).clamp(min=1)


def _mean(values: Tensor, seen: Tensor, width: int, lag: int) -> Tensor:
    """Mean of the ``width`` rows that end ``lag`` rows before the end (axis kept)."""
    stop = values.shape[1] - lag
    return _mean_of(values[:, max(0, stop - width) : stop], seen[:, max(0, stop - width) : stop])[:, None]


def _repeat(pattern: Float[Tensor, "batch season targets"], horizon: int) -> Horizon:
    """The pattern over and over, ``horizon`` rows long."""
    times = -(-horizon // pattern.shape[1])
    return pattern.repeat(1, times, 1)[:, :horizon]
