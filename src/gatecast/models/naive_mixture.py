"""Naive forecasts that the network corrects, and the gates that mix them.

Each candidate needs no training: the last value, the value one season ago, the mean of several seasons, those moved to
the level of the last season or along its trend. The network weights them for each window, target and step (softmax),
given how well each would have forecast the end of the window's context, and has to learn only the residual.
In the spirit of Smyl (2020), where an LSTM corrects exponential smoothing; here it also chooses what it corrects.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from gatecast.models.config import Shapes

Context = Float[Tensor, "batch context targets"]
Mask = Bool[Tensor, "batch context targets"]
Horizon = Float[Tensor, "batch horizon targets"]
Candidates = Float[Tensor, "batch horizon targets bases"]

TRUST = 0.5  # first weight of a candidate's log error on its own context: weight ~ error ** -0.5


def naive_forecasts(past: Context, observed: Mask, horizon: int, seasons: tuple[int, ...]) -> Candidates:
    """All candidates, from the scaled context alone.

    Last value, mean of the context, straight line through the ends; then for each season: the last season, the one
    before, the mean of up to seven, that mean at the level of the last shortest season, and the last season at that
    level (longer seasons) or with the trend between the last two (the shortest).
    """
    whole = bool(observed.all())  # computed once: each such check waits for the device
    last = _latest(past, observed, whole)
    flat = [last, _mean(past, observed, past.shape[1]), _line(past, observed, horizon, whole)]
    candidates = [forecast.expand(-1, horizon, -1) for forecast in flat]
    for season in seasons:
        candidates += _seasonal(past, observed, horizon, season, seasons[0], whole)
    return torch.stack(candidates, -1)


def base_count(seasons: tuple[int, ...]) -> int:
    """Number of candidates of :func:`naive_forecasts`."""
    return 3 + 5 * len(seasons)


def _seasonal(
    past: Context, observed: Mask, horizon: int, season: int, shortest: int, whole: bool = False
) -> list[Horizon]:
    """The five candidates of one season."""
    cycles = min(past.shape[1] // season, 7)
    if not cycles:  # the season does not fit this (shortened) context: nothing better than its mean
        return [_mean(past, observed, past.shape[1]).expand(-1, horizon, -1)] * 5
    folded = past[:, -cycles * season :].unflatten(1, (cycles, season))
    seen = observed[:, -cycles * season :].unflatten(1, (cycles, season))
    newest = _latest(folded, seen, whole)[:, 0]
    before = _latest(folded[:, :-1], seen[:, :-1], whole)[:, 0] if cycles > 1 else newest
    average = _mean_of(folded, seen)
    level = _mean(past, observed, shortest)
    levelled = average + level - average.mean(1, keepdim=True)
    if season > shortest:
        moved = _repeat(newest + level - _mean(past, observed, shortest, season - shortest), horizon)
    else:
        trend = newest.mean(1, keepdim=True) - before.mean(1, keepdim=True)
        cycle = torch.arange(horizon, device=past.device)[:, None].div(season, rounding_mode="floor") + 1
        moved = _repeat(newest, horizon) + trend * cycle
    return [*(_repeat(pattern, horizon) for pattern in (newest, before, average, levelled)), moved]


class BaseMixture(nn.Module):
    """Weights of the candidates: ``softmax(gates + table + A log(error on the context))``.

    Where ``shapes.lags`` is not 0, a linear autoregression fitted in closed form is one of the candidates (its weights
    are not trained: gradient descent would be slow to find them). ``gates`` come from the network
    for each window, target and step; the table is learned for each step; ``A`` starts as ``-TRUST`` times the
    identity, so that before training a candidate is weighted by its recent error.
    """

    linear: Tensor

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        self.horizon, self.seasons = shapes.horizon, shapes.seasons
        self.lags = shapes.lags
        self.bases = base_count(shapes.seasons) + (self.lags > 0)
        self.register_buffer("linear", torch.zeros(max(0, self.lags - 1), shapes.horizon))
        longest = max((s for s in shapes.seasons if s < shapes.context), default=1)
        self.tested = max(1, min(shapes.horizon, shapes.context - max(longest, self.lags)))
        self.table = nn.Parameter(torch.zeros(shapes.horizon, 1, self.bases))
        self.trust = nn.Parameter(-TRUST * torch.eye(self.bases))

    def forward(self, past: Context, observed: Mask, gates: Candidates) -> Horizon:
        """The mixture forecast of each target."""
        candidates = self.candidates(past, observed, self.horizon)
        weights = (gates + self.table + self._record(past, observed)[:, None] @ self.trust.T).softmax(-1)
        return (candidates * weights).sum(-1)

    def candidates(self, past: Context, observed: Mask, horizon: int) -> Candidates:
        """The naive forecasts and the linear one."""
        naive = naive_forecasts(past, observed, horizon, self.seasons)
        if not self.lags:
            return naive
        filled = past if bool(observed.all()) else _filled_forward(past, observed)
        last = filled[:, -1:]
        lagged = (filled[:, -self.lags : -1] - last).transpose(1, 2)
        return torch.cat([naive, (last + (lagged @ self.linear[:, :horizon]).transpose(1, 2))[..., None]], -1)

    def _record(self, past: Context, observed: Mask) -> Float[Tensor, "batch targets bases"]:
        """Log mean absolute error of each candidate on the last rows of the context, less its mean."""
        if past.shape[1] <= self.tested:
            return past.new_zeros(len(past), past.shape[2], self.bases)
        early, seen = past[:, : -self.tested], observed[:, : -self.tested]
        candidates = self.candidates(early, seen, self.tested)
        scored = observed[:, -self.tested :, :, None]
        error = ((candidates - past[:, -self.tested :, :, None]).abs() * scored).sum(1) / scored.sum(1).clamp(min=1)
        record = (error + 1e-2).log()
        return record - record.mean(-1, keepdim=True)


class SingleBase(nn.Module):
    """One naive forecast without weights: ``last``, ``season`` (the longest) or ``none`` (zero in scaled units)."""

    bases = 0

    def __init__(self, shapes: Shapes, kind: str) -> None:
        super().__init__()
        self.horizon, self.kind, self.seasons = shapes.horizon, kind, shapes.seasons

    def forward(self, past: Context, observed: Mask, gates: Tensor) -> Horizon:
        """The naive forecast of each target; there are no gates."""
        if self.kind == "none":
            return past.new_zeros(len(past), self.horizon, past.shape[2])
        if self.kind == "season" and self.seasons:
            return _seasonal(past, observed, self.horizon, self.seasons[-1], self.seasons[-1])[0]
        return _latest(past, observed).expand(-1, self.horizon, -1)


def _latest(values: Tensor, seen: Tensor, whole: bool = False) -> Tensor:
    """Newest observed value along axis 1 (kept with size 1); 0 where none was observed. ``whole``: all were."""
    if whole or bool(seen[:, -1].all()):
        return values[:, -1:]
    steps = torch.arange(1, values.shape[1] + 1, device=values.device).view(1, -1, *[1] * (values.dim() - 2))
    position = (seen * steps).amax(1, keepdim=True)
    return torch.where(position > 0, values.gather(1, (position - 1).clamp(min=0)), 0.0)


def _filled_forward(values: Context, seen: Mask) -> Context:
    """Missing values filled with the last observed one; 0 before the first."""
    steps = torch.arange(1, values.shape[1] + 1, device=values.device)[:, None]
    position = (seen * steps).cummax(1).values
    return torch.where(position > 0, values.gather(1, (position - 1).clamp(min=0)), 0.0)


def _mean_of(values: Tensor, seen: Tensor) -> Tensor:
    return (values * seen).sum(1) / seen.sum(1).clamp(min=1)


def _mean(values: Tensor, seen: Tensor, width: int, lag: int = 0) -> Tensor:
    """Mean of the ``width`` rows that end ``lag`` rows before the end (axis kept)."""
    stop = max(1, values.shape[1] - lag)
    return _mean_of(values[:, max(0, stop - width) : stop], seen[:, max(0, stop - width) : stop])[:, None]


def _line(past: Context, observed: Mask, horizon: int, whole: bool) -> Horizon:
    """The last value moved on by the slope over the last ``horizon`` rows (at most half of the context)."""
    span = max(1, min(horizon, past.shape[1] // 2))
    last = _latest(past, observed, whole)
    if past.shape[1] <= span:
        return last.expand(-1, horizon, -1)
    slope = (last - _latest(past[:, :-span], observed[:, :-span], whole)) / span
    return last + slope * torch.arange(1, horizon + 1, device=past.device)[:, None]


def _repeat(pattern: Float[Tensor, "batch season targets"], horizon: int) -> Horizon:
    """The pattern over and over, ``horizon`` rows long."""
    times = -(-horizon // pattern.shape[1])
    return (pattern.repeat(1, times, 1) if times > 1 else pattern)[:, :horizon]
