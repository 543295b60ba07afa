"""From trained networks to a forecast: the members' mean, calibrated, in the unit of the data."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gatecast.batches.windows import Batch, WindowOrigins, Windows
from gatecast.models.calibration import ENOUGH, Calibration, calibrate, identity, map_quantiles, spread_by_step
from gatecast.models.model import ForecastModel
from gatecast.models.naive_mixture import naive_forecasts
from gatecast.nn.draws import drawing, injected
from gatecast.nn.heads import Quantiles, interpolate

PROBABILITIES = Quantiles().probabilities  # the quantile table kept inside, from which any level is read
CHUNK = 1024  # windows in one forward pass
CALIBRATION_WINDOWS = 1024
PATHS = 200  # trajectories that the quantiles of a recursive network are counted from

Table = Float[Tensor, "batch horizon targets p"]


@dataclass(frozen=True)
class Predictor:
    """Trained networks of the same shape, and their calibration.

    Args:
        models: one network a member.
        calibration: of the scaled quantile table.
        seed: of the trajectories of a recursive network.
    """

    models: list[ForecastModel]
    calibration: Calibration
    seed: int

    def __call__(
        self, batch: Batch, probabilities: tuple[float, ...], samples: int | None, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Quantiles ``(batch, horizon, targets, p)`` and paths ``(batch, n, horizon, targets)`` in the data's unit."""
        tables, location, scale = member_tables(self.models, batch, self.seed)
        table = self.calibration(average(tables))
        known = torch.tensor(PROBABILITIES)
        wanted = torch.tensor(probabilities).expand(*table.shape[:-1], -1)
        quantiles = self._unit(interpolate(known, table, wanted), location, scale)
        if not samples:
            return quantiles, quantiles[:0]
        paths = self._paths(batch, tables, table, samples, generator)
        paths = self._unit(paths.movedim(1, -1), location, scale).movedim(-1, 1)
        return quantiles, paths.round() if self.models[0].head.counts else paths

    def at_origin(
        self, windows: Windows, probabilities: tuple[float, ...], samples: int | None, places: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Forecast every series from the panel's origin.

        Args:
            windows: of the panel.
            probabilities: of the quantiles.
            samples: paths for each series; None for none.
            places: ``(series,)`` positions of the series in training, where the networks have a vector for each.

        Returns:
            Quantiles, paths, and ``(series, targets)`` True where no value was observed in the context.
        """
        tables, paths, unobserved = [], [], []
        generator = torch.Generator().manual_seed(self.seed)
        with torch.inference_mode():
            for part in torch.arange(len(windows.panel)).split(CHUNK):
                batch = windows.at_origin(part)
                if places is not None:
                    batch = replace(batch, series=torch.from_numpy(places)[part])
                unobserved.append(~batch.observed.any(1))
                table, drawn = self(batch, probabilities, samples, generator)
                tables.append(table)
                paths.append(drawn)
        return torch.cat(tables).numpy(), torch.cat(paths).numpy(), torch.cat(unobserved).numpy()

    def _paths(
        self, batch: Batch, tables: list[Table], table: Table, samples: int, generator: torch.Generator
    ) -> Float[Tensor, "batch n horizon targets"]:
        """Joint paths in scaled units whose values at each step follow ``table``.

        A recursive network draws them itself, each member its share, and they are mapped from the member's table to the
        calibrated one; for other networks, and where the spread comes from calibration alone, a copula joins the steps.
        """
        if not self.models[0].recursive or self.calibration.spread is not None:
            return self.calibration.paths(table, samples, generator)
        parts = []
        for k, (model, own) in enumerate(zip(self.models, tables, strict=True)):
            share = samples * (k + 1) // len(self.models) - samples * k // len(self.models)
            seed = int(torch.randint(2**31, (), generator=generator))
            if share:
                parts.append(map_quantiles(trajectories(model, batch, share, seed)[0], own, table))
        return torch.cat(parts, 1)

    def _unit(self, values: Tensor, location: Tensor, scale: Tensor) -> Tensor:
        """Scaled values in the unit of the data; counts are rounded."""
        values = self.models[0].to_unit(values, location, scale)
        if self.models[0].head.counts:  # levels, members and calibration have interpolated between counts
            values = values.round() + 0.0  # -0 becomes 0
        return values


def member_tables(models: list[ForecastModel], batch: Batch, seed: int) -> tuple[list[Table], Tensor, Tensor]:
    """Each member's quantile table ``(batch, horizon, targets, 13)`` in scaled units, location, scale."""
    wanted = torch.tensor(PROBABILITIES)
    tables = []
    for model in models:
        if model.recursive:
            paths, location, scale = trajectories(model, batch, PATHS, seed)
            table = torch.quantile(paths, wanted, dim=1).movedim(0, -1)
        else:
            table, location, scale = model.quantiles(batch, wanted)
        tables.append(table)
    return tables, location, scale


def trajectories(model: ForecastModel, batch: Batch, count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Sampled paths of a recursive network in scaled units, location, scale; the caller's random state is kept."""
    with drawing(seed), injected():
        return model.paths(batch, count)


def average(tables: list[Table]) -> Table:
    """The members' mean of each quantile."""
    return torch.stack(tables).mean(0) if len(tables) > 1 else tables[0]


def calibration_of(
    models: list[ForecastModel],
    windows: Windows,
    held_back: WindowOrigins,
    everything: WindowOrigins,
    *,
    wanted: bool | str,
    seed: int,
) -> Calibration:
    """Calibration on the held-back windows (at most 1,024, evenly spaced); the identity where it is not wanted.

    Args:
        models: the members.
        windows: gathers the windows.
        held_back: may be empty; then the widths are held against those of naive forecasts alone.
        everything: all windows of the past, which naive forecasts are scored on.
        wanted: False for none.
        seed: of the trajectories of a recursive network.
    """
    shapes = models[0].shapes
    plain = identity(PROBABILITIES, shapes.horizon, shapes.targets)
    if wanted is False:
        return plain
    naive = naive_spread(models[0], windows, everything) if held_back.total < ENOUGH else None
    if not held_back.total:
        return replace(plain, naive=naive)
    tables, targets, masks = [], [], []
    with torch.inference_mode():
        for part in held_back.evenly(CALIBRATION_WINDOWS).split(CHUNK):
            batch = windows.gather(*held_back.locate(part))
            parts, location, scale = member_tables(models, batch, seed)
            tables.append(average(parts))
            targets.append(models[0].to_scaled(batch.target, location, scale))
            masks.append(batch.mask)
    found = calibrate(torch.cat(tables), torch.cat(targets), torch.cat(masks), PROBABILITIES)
    return replace(found, naive=naive)


def naive_spread(model: ForecastModel, windows: Windows, past: WindowOrigins) -> Float[Tensor, "horizon targets"]:
    """Standard deviation of the errors of the best naive forecast by step and target, in scaled units."""
    with torch.inference_mode():
        batch = windows.gather(*past.locate(past.evenly(CALIBRATION_WINDOWS)))
        context, location, scale = model.scale(batch)
        forecasts = naive_forecasts(context, batch.observed, model.shapes.horizon, model.shapes.seasons)
        target = model.to_scaled(batch.target, location, scale)
        errors = torch.where(batch.mask[..., None], (target[..., None] - forecasts) ** 2, 0.0).sum(0)
        best = errors.sum(0).argmin(-1)
        chosen = forecasts[..., torch.arange(len(best)), best]
        return spread_by_step(chosen, target, batch.mask)
