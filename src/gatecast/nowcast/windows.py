"""Training windows of fields: drawn, turned, mirrored and scaled at random, as a function of seed and number alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from gatecast.batches.windows import Gathered, WindowOrigins
from gatecast.data.grid.grid import Grid
from gatecast.nowcast.advection import displacements, pixels
from gatecast.nowcast.config import RainConfig
from gatecast.nowcast.context import Context, context_of, exceeded_share, factor_of
from gatecast.nowcast.motion import lucas_kanade
from gatecast.nowcast.smoothing import blocks

DRAWS = 1 << 20  # windows of one event: each number draws anew


@dataclass(frozen=True)
class RainBatch(Gathered):
    """Training windows on the network's pixels.

    Args:
        series: event of each window.
        exceeded, log_rain, seen, velocity: as of :class:`~gatecast.nowcast.context.Context`.
        places, path, hours: pixels ahead, how far their rain has come, hours ahead.
        target: share of each pixel ahead above each threshold.
        weight: share of it that was observed.
    """

    exceeded: Float[Tensor, "batch time thresholds y x"]
    log_rain: Float[Tensor, "batch time y x"]
    seen: Float[Tensor, "batch time y x"]
    velocity: Float[Tensor, "batch 2 y x"]
    places: Float[Tensor, "batch 2 points"]
    path: Float[Tensor, "batch 2 points"]
    hours: Float[Tensor, "batch points"]
    target: Float[Tensor, "batch points thresholds"]
    weight: Float[Tensor, "batch points"]

    def context(self, row: int) -> Context:
        """What the network reads of one window."""
        return Context(self.exceeded[row], self.log_rain[row], self.seen[row], self.velocity[row])


class RainWindows:
    """Windows of several events.

    Args:
        grids: the events, of one unit.
        context: fields that the network reads.
        horizon_minutes: the farthest time ahead.
        config: settings of the network.
        seed: of the draws.
    """

    def __init__(
        self, grids: Sequence[Grid], context: int, horizon_minutes: float, config: RainConfig, seed: int
    ) -> None:
        self.grids, self.config, self.seed, self.length = list(grids), config, seed, context
        self.horizons = [max(1, round(horizon_minutes / one.step)) for one in self.grids]
        self._velocity: dict[tuple[int, int], np.ndarray] = {}

    @property
    def ids(self) -> Sequence[Any]:
        """Sources of the events."""
        return [one.source for one in self.grids]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Tensors that identify the data."""
        return tuple(torch.from_numpy(one.values.copy()) for one in self.grids)

    @property
    def task(self) -> dict[str, int]:
        """Sizes of the task."""
        return {"context": self.length, "horizon": max(self.horizons), "thresholds": len(self.config.thresholds)}

    def origins(self) -> WindowOrigins:
        """As many windows of each event, so that a long event does not outweigh a short one."""
        count = torch.full((len(self.grids),), DRAWS)
        return WindowOrigins(torch.arange(len(self.grids)), torch.zeros_like(count), count)

    def gather(self, series: Int[Tensor, " batch"], origin: Int[Tensor, " batch"]) -> RainBatch:
        """A batch of windows; ``origin`` is the number of a draw."""
        drawn = [self._draw(int(event), int(number)) for event, number in zip(series, origin, strict=True)]
        return RainBatch(series, *(torch.stack(parts) for parts in zip(*drawn, strict=True)))

    def _draw(self, event: int, number: int) -> tuple[Tensor, ...]:
        """One window: a time, a crop, a turn, a factor on the rates, then some pixels at some times ahead."""
        config, grid = self.config, self.grids[event]
        rng = np.random.default_rng((self.seed, event, number))
        last = int(rng.integers(self.length - 1, len(grid) - 1))
        most = min(self.horizons[event], len(grid) - 1 - last)
        leads = np.unique(rng.integers(1, most + 1, config.leads))
        rows = np.r_[last - self.length + 1 : last + 1, last + leads]
        factor = factor_of(grid, config.pixel_km)
        part = self._crop(grid, factor, rng)
        turn = int(rng.integers(8))
        values, missing = (_turned(array[rows][part], turn) for array in (grid.values, grid.missing))
        values, missing = (_filled(array, config.crop * factor, fill) for array, fill in ((values, 0), (missing, True)))
        velocity = _turned_motion(self._motion(event, last)[part], turn)
        velocity = np.pad(velocity, [(0, 0), *_room(velocity, config.crop * factor)], mode="edge")
        scale = float(np.exp(rng.normal(0, config.scaling)))
        thresholds = torch.tensor(config.thresholds) / scale
        rain = values * np.float32(scale)
        context = context_of(rain[: self.length], missing[: self.length], velocity, thresholds * scale, factor)
        ahead = self._ahead(values[self.length :], missing[self.length :], leads, context, thresholds, factor, rng)
        hours = torch.from_numpy(ahead[2] * np.float32(grid.step / 60))
        return (context.exceeded, context.log_rain, context.seen, context.velocity, *ahead[:2], hours, *ahead[3:])

    def _crop(self, grid: Grid, factor: int, rng: np.random.Generator) -> tuple[Any, ...]:
        """A window of ``crop`` pixels of the network, or all of a smaller field."""
        edge = self.config.crop * factor
        tops = [int(rng.integers(max(1, (size - edge) // factor + 1))) * factor for size in grid.shape]
        return (slice(None), *(slice(top, top + edge) for top in tops))

    def _motion(self, event: int, last: int) -> np.ndarray:
        """Velocity at a field, computed once."""
        if (event, last) not in self._velocity:
            grid, first = self.grids[event], max(0, last - 2)
            part = slice(first, last + 1)
            self._velocity[event, last] = lucas_kanade(grid.values[part], grid.missing[part])
        return self._velocity[event, last]

    def _ahead(
        self,
        values: np.ndarray,
        missing: np.ndarray,
        leads: np.ndarray,
        context: Context,
        thresholds: Tensor,
        factor: int,
        rng: np.random.Generator,
    ) -> tuple[Any, ...]:
        """Places, paths, steps, targets and weights of pixels drawn at each time ahead."""
        here, paths = pixels(*context.velocity.shape[1:]), displacements(context.velocity, int(leads.max()))
        each = [self.config.pixels // len(leads)] * len(leads)
        each[0] += self.config.pixels - sum(each)
        parts = list[tuple[Any, ...]]()
        for rain, gone, lead, count in zip(
            torch.from_numpy(values), torch.from_numpy(missing), leads, each, strict=True
        ):
            seen = (~gone).float()
            chosen = torch.from_numpy(rng.integers(0, here[0].numel(), count))
            target = exceeded_share(rain, seen, thresholds, factor).flatten(1)[:, chosen].T
            weight = blocks(seen[None], factor)[0].flatten()[chosen]
            steps = np.full(count, lead, np.float32)
            parts.append((here.flatten(1)[:, chosen], paths[lead - 1].flatten(1)[:, chosen], steps, target, weight))
        columns = list(zip(*parts, strict=True))
        places, path = (torch.cat(one, 1) for one in columns[:2])
        return places, path, np.concatenate(columns[2]), torch.cat(columns[3]), torch.cat(columns[4])


def _turned(fields: np.ndarray, turn: int) -> np.ndarray:
    """Fields transposed (4), mirrored from left to right (1) and from top to bottom (2)."""
    if turn & 4:
        fields = fields.swapaxes(-1, -2)
    if turn & 1:
        fields = fields[..., ::-1]
    return fields[..., ::-1, :] if turn & 2 else fields


def _turned_motion(velocity: np.ndarray, turn: int) -> np.ndarray:
    """The same for velocities, whose components turn too."""
    velocity = _turned(velocity[::-1] if turn & 4 else velocity, turn)
    sign = np.array([-1 if turn & 1 else 1, -1 if turn & 2 else 1], np.float32)
    return velocity * sign[:, None, None]


def _room(fields: np.ndarray, edge: int) -> list[tuple[int, int]]:
    return [(0, max(0, edge - size)) for size in fields.shape[1:]]


def _filled(fields: np.ndarray, edge: int, fill: Any) -> np.ndarray:
    """Fields of ``edge`` × ``edge`` pixels, filled up below and to the right."""
    return np.pad(fields, [(0, 0), *_room(fields, edge)], constant_values=fill)
