"""Calibration on held-back windows: interval widths, and dependence between steps.

Widths: each quantile's distance from the median is stretched by the factor that gives it its coverage on the held-back
windows (conformal, multiplicative, one side at a time: Romano, Patterson & Candès 2019, CQR, in normalised form).
Few windows pull the factor towards 1. Where fewer than ``ENOUGH`` windows are held back, the widths are also held
against those that the past errors of the best naive forecast ask for: a network that has learned a short series by
heart is sure of itself without reason, and nothing held back would show it.

Dependence: a Gaussian copula whose correlation between two steps depends on their distance, from the normal scores of
the held-back windows; it turns quantiles into joint sample paths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gatecast.nn.heads import interpolate

Table = Float[Tensor, "windows horizon targets p"]
Cells = Float[Tensor, "windows horizon targets"]

GROUP = 200  # held-back values for each group of steps that shares its factors
ENOUGH = 24  # held-back windows from which their errors alone decide
PRIOR_WINDOWS = 5.0  # weight of the prior factor of 1, in windows
WIDEST = 6.0


@dataclass(frozen=True)
class Calibration:
    """Stretch and correlations learned from the held-back windows; the identity without any.

    Args:
        probabilities: of the quantile table it applies to.
        factors: ``(horizon, p)`` stretch of each quantile's distance from the median.
        spread: ``(horizon, targets)`` standard deviation given to a point forecast, or None for a real distribution.
        steps: ``(horizon,)`` correlation of normal scores by distance in steps, 1 first.
        targets: ``(targets, targets)`` correlation of normal scores between targets.
        windows: number of held-back windows.
        naive: ``(horizon, targets)`` standard deviation of the past errors of the best naive forecast, where few
            windows or none are held back.
    """

    probabilities: tuple[float, ...]
    factors: Float[Tensor, "horizon p"]
    spread: Float[Tensor, "horizon targets"] | None
    steps: Float[Tensor, " horizon"]
    targets: Float[Tensor, "targets targets"]
    windows: int = 0
    naive: Float[Tensor, "horizon targets"] | None = None

    def __call__(self, table: Table) -> Table:
        """The quantile table with its calibrated widths, ascending."""
        middle = self.probabilities.index(0.5)
        centre = table[..., middle : middle + 1]
        distance = table - centre
        if self.spread is not None:
            distance = self.spread[..., None] * _scores(self.probabilities, table)
        distance = self._not_narrower(distance * self.factors[:, None])
        below = distance[..., :middle].flip(-1).cummin(-1).values.flip(-1)
        above = distance[..., middle + 1 :].cummax(-1).values
        return torch.cat([centre + below, centre, centre + above], -1)

    def _not_narrower(self, distance: Float[Tensor, "*windows horizon targets p"]) -> Tensor:
        """Distances from the median; the fewer windows are held back, the less they may be below the naive ones."""
        if self.naive is None:
            return distance
        least = self.naive[..., None] * _scores(self.probabilities, distance)
        wide = torch.where(least < 0, torch.minimum(distance, least), torch.maximum(distance, least))
        return torch.lerp(distance, wide, max(0.0, 1 - self.windows / ENOUGH))

    def to_state(self) -> dict[str, Tensor]:
        """The tensors by name."""
        state = {name: getattr(self, name) for name in ("factors", "spread", "steps", "targets", "naive")}
        return {name: value.clone().contiguous() for name, value in state.items() if value is not None}

    @classmethod
    def from_state(cls, probabilities: tuple[float, ...], state: Mapping[str, Tensor], windows: int) -> Self:
        """The calibration with the tensors of :meth:`to_state`."""
        spread, naive = state.get("spread"), state.get("naive")
        return cls(probabilities, state["factors"], spread, state["steps"], state["targets"], windows, naive)

    def paths(self, table: Table, count: int, generator: torch.Generator) -> Float[Tensor, "windows n horizon targets"]:
        """Joint paths whose values at each step follow the (calibrated) quantiles."""
        windows, horizon, targets, _ = table.shape
        noise = torch.randn(windows, count, horizon, targets, generator=generator)
        noise = torch.einsum("st,wntk->wnsk", _root(_toeplitz(self.steps[:horizon])), noise)
        noise = noise @ _root(self.targets).T
        uniform = torch.special.ndtr(noise).clamp(1e-4, 1 - 1e-4).permute(0, 2, 3, 1)
        return interpolate(torch.tensor(self.probabilities), table, uniform).permute(0, 3, 1, 2)


def map_quantiles(
    paths: Float[Tensor, "windows n horizon targets"], before: Table, after: Table
) -> Float[Tensor, "windows n horizon targets"]:
    """Map the values of joint paths from one quantile table to another, monotonically: their dependence is kept.

    Linear between the quantiles of each step and target. Beyond the outermost quantile, distances from it are stretched
    as its distance from the median is; a value at several equal quantiles maps to the middle of their images.
    """
    if torch.equal(before, after):
        return paths
    values = paths.movedim(1, -1).contiguous()
    inside = values.clamp(before[..., :1], before[..., -1:])
    ends = [_along(before.contiguous(), after, inside, right=right) for right in (False, True)]
    middle = before.shape[-1] // 2
    reach, wanted = (table[..., [0, -1]] - table[..., middle : middle + 1] for table in (before, after))
    stretch = torch.where(reach.abs() > 1e-9, wanted / reach, 1.0)
    beyond = (values - inside) * torch.where(values < inside, stretch[..., :1], stretch[..., 1:])
    return ((ends[0] + ends[1]) / 2 + beyond).movedim(-1, 1)


def _along(before: Table, after: Table, values: Tensor, *, right: bool) -> Tensor:
    """Piecewise linear map through the pairs of knots; ``right`` decides where several knots are equal."""
    high = torch.searchsorted(before, values, right=right).clamp(1, before.shape[-1] - 1)
    x0, x1, y0, y1 = (table.gather(-1, at) for table in (before, after) for at in (high - 1, high))
    share = torch.where(x1 > x0, (values - x0) / (x1 - x0), float(right))
    return y0 + share * (y1 - y0)


def identity(probabilities: tuple[float, ...], horizon: int, targets: int) -> Calibration:
    """No calibration: widths as the head gives them, neighbouring steps correlated by 0.9 per step."""
    decay = 0.9 ** torch.arange(horizon, dtype=torch.float32)
    return Calibration(probabilities, torch.ones(horizon, len(probabilities)), None, decay, torch.eye(targets))


def calibrate(
    table: Table, target: Cells, mask: Bool[Tensor, "windows horizon targets"], probabilities: tuple[float, ...]
) -> Calibration:
    """Learn widths and dependence from held-back windows.

    Args:
        table: quantiles forecast for the held-back windows, in scaled units.
        target: actual values, in scaled units.
        mask: which of them were observed.
        probabilities: of the table, ascending, with 0.5.
    """
    windows, horizon, targets, _ = table.shape
    base = identity(probabilities, horizon, targets)
    is_point = bool((table[..., 0] == table[..., -1]).all())
    spread = spread_by_step(table[..., probabilities.index(0.5)], target, mask) if is_point else None
    plain = Calibration(probabilities, base.factors, spread, base.steps, base.targets)
    factors = _factors(plain(table), target, mask, probabilities)
    widths = Calibration(probabilities, factors, spread, base.steps, base.targets)
    steps, between = _dependence(normal_scores(widths(table), target, probabilities), mask)
    return Calibration(probabilities, factors, spread, steps, between, windows)


def normal_scores(table: Table, target: Cells, probabilities: tuple[float, ...]) -> Cells:
    """``z`` with ``quantile(Φ(z)) = target``, by linear interpolation between the quantiles, within ±3."""
    scores = _scores(probabilities, table)
    right = torch.searchsorted(table.contiguous(), target[..., None].contiguous()).clamp(1, table.shape[-1] - 1)
    low, high = table.gather(-1, right - 1), table.gather(-1, right)
    share = (target[..., None] - low) / (high - low).clamp(min=1e-9)
    return (scores[right - 1] + share * (scores[right] - scores[right - 1]))[..., 0].clamp(-3, 3)


def _factors(table: Table, target: Cells, mask: Tensor, probabilities: tuple[float, ...]) -> Tensor:
    """``(horizon, p)``: for each group of steps the stretch at which ``P(y ≤ quantile)`` is right."""
    windows, horizon, _, _ = table.shape
    middle = probabilities.index(0.5)
    centre = table[..., middle]
    groups = min(horizon, max(1, int(mask.sum()) // GROUP))
    trust = windows / (windows + PRIOR_WINDOWS)
    factors = torch.ones(horizon, len(probabilities))
    for rows in torch.arange(horizon).chunk(groups):
        for column, probability in enumerate(probabilities):
            if column == middle:
                continue
            reach = (table[:, rows, :, column] - centre[:, rows]).abs().clamp(min=1e-9)
            side = -1.0 if probability < 0.5 else 1.0
            ratio = (side * (target[:, rows] - centre[:, rows]) / reach)[mask[:, rows]]
            if len(ratio):
                factors[rows, column] = 1 + trust * (_conformal(ratio, max(probability, 1 - probability)) - 1)
    return factors


def _conformal(ratio: Tensor, level: float) -> float:
    """The level's quantile of the ratios with the small-sample rank ``(n + 1) level``, within sensible bounds."""
    rank = min(len(ratio) - 1, max(0, int(torch.ceil(torch.tensor((len(ratio) + 1) * level))) - 1))
    return float(ratio.sort().values[rank].clamp(0.2, WIDEST))


def spread_by_step(forecast: Cells, target: Cells, mask: Tensor) -> Float[Tensor, "horizon targets"]:
    """Standard deviation of the errors of a point forecast by step, pulled towards that of all steps."""
    error = torch.where(mask, (target - forecast) ** 2, 0.0)
    by_step = error.sum(0) / mask.sum(0).clamp(min=1)
    overall = error.sum((0, 1)) / mask.sum((0, 1)).clamp(min=1)
    trust = mask.sum(0) / (mask.sum(0) + 20.0)
    return (trust * by_step + (1 - trust) * overall).sqrt().clamp(min=1e-6)


def _dependence(scores: Cells, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Correlation by distance in steps, and between targets; shrunk towards 0 where pairs are few."""
    scores = torch.where(mask, scores, 0.0)
    horizon, targets = scores.shape[1:]
    power = (scores**2).sum().clamp(min=1e-6) / mask.sum().clamp(min=1)
    steps = torch.ones(horizon)
    for distance in range(1, horizon):
        pairs = (mask[:, distance:] & mask[:, :-distance]).sum()
        product = (scores[:, distance:] * scores[:, :-distance]).sum() / pairs.clamp(min=1)
        steps[distance] = (product / power).clamp(-0.99, 0.99) * pairs / (pairs + 10.0)
    flat = scores.flatten(0, 1)
    between = flat.T @ flat / (flat**2).sum(0).clamp(min=1e-6).sqrt().outer((flat**2).sum(0).clamp(min=1e-6).sqrt())
    between = 0.95 * between + 0.05 * torch.eye(targets)
    return steps, between.fill_diagonal_(1.0)


def _scores(probabilities: tuple[float, ...], like: Tensor) -> Tensor:
    return torch.special.ndtri(torch.tensor(probabilities, dtype=torch.float64)).to(like)


def _toeplitz(row: Float[Tensor, " n"]) -> Float[Tensor, "n n"]:
    index = torch.arange(len(row))
    return row[(index[:, None] - index).abs()]


def _root(correlation: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    """``R`` with ``R Rᵀ`` the nearest correlation matrix (negative eigenvalues cut)."""
    values, vectors = torch.linalg.eigh(correlation.double())
    root = vectors * values.clamp(min=0).sqrt()
    return (root / root.norm(dim=1, keepdim=True).clamp(min=1e-9)).float()
