"""Windows: (context, horizon) pairs cut from a panel by index, never stored.

One window is a series and an origin: the model sees the ``context`` rows before the origin and forecasts the
``horizon`` rows from it on. A batch of windows is one vectorised gather from the panel's flat arrays; memory does not
grow with the number of windows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gatecast.data.calendar import calendar_names, calendar_table

if TYPE_CHECKING:
    from gatecast.data.panel import Panel


@dataclass(frozen=True)
class Gathered:
    """Tensors with one row for each window or sequence.

    Args:
        series: position of the series in the panel, or of the sequence in the data.
    """

    series: Int[Tensor, " batch"]

    def to(self, device: torch.device) -> Self:
        """The same on another device."""
        return type(self)(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})

    def __len__(self) -> int:
        return len(self.series)


@dataclass(frozen=True)
class Batch(Gathered):
    """Windows as a model takes them. Missing values are 0 in ``past``, ``target`` and the inputs; see the masks.

    Args:
        series: position of the series in the panel.
        past: target values of the context, in the unit of the data.
        observed: which of them were observed.
        past_inputs: past and known covariates and the calendar over the context, standardised.
        future_inputs: known covariates and the calendar over the horizon, standardised.
        static: static covariates, standardised.
        category: codes of the categorical covariates; 0 stands for a level unseen in training.
        target: values to forecast, in the unit of the data.
        mask: which of them may be scored: observed, and with a value of the same target in the context.
    """

    past: Float[Tensor, "batch context targets"]
    observed: Bool[Tensor, "batch context targets"]
    past_inputs: Float[Tensor, "batch context inputs"]
    future_inputs: Float[Tensor, "batch horizon future"]
    static: Float[Tensor, "batch statics"]
    category: Int[Tensor, "batch categories"]
    target: Float[Tensor, "batch horizon targets"]
    mask: Bool[Tensor, "batch horizon targets"]


@dataclass(frozen=True)
class Standardizer:
    """Mean and spread of each covariate over the training rows: ``z = (x - mean) / spread``, missing values to 0."""

    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def fit(cls, values: np.ndarray) -> Self:
        """From ``(rows, columns)`` training values; a column that varies no more than by rounding gets spread 1."""
        mean, spread = np.zeros(values.shape[1], np.float32), np.ones(values.shape[1], np.float32)
        filled = np.flatnonzero(~np.isnan(values).all(axis=0)) if len(values) else np.zeros(0, np.int64)
        if len(filled):
            mean[filled] = np.nanmean(values[:, filled], axis=0)
            spread[filled] = np.nanstd(values[:, filled], axis=0)
        varies = spread > 8 * np.finfo(values.dtype).eps * np.abs(mean)
        return cls(mean, np.where(varies, spread, 1).astype(np.float32))

    def to_state(self) -> dict[str, Tensor]:
        """Copies of both, by name."""
        return {"mean": torch.from_numpy(self.mean.copy()), "spread": torch.from_numpy(self.spread.copy())}

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> Self:
        """From what :meth:`to_state` gave."""
        return cls(np.array(state["mean"].numpy()), np.array(state["spread"].numpy()))

    def __call__(self, values: Float[Tensor, "*rows columns"]) -> Float[Tensor, "*rows columns"]:
        return ((values - torch.from_numpy(self.mean)) / torch.from_numpy(self.spread)).nan_to_num(0.0)


@dataclass(frozen=True)
class InputScales:
    """The standardizers of the three kinds of numeric covariates, fitted on the rows up to the origin."""

    past: Standardizer
    known: Standardizer
    static: Standardizer

    @classmethod
    def fit(cls, panel: Panel) -> Self:
        """Statistics of the panel's covariates; rows after the origin are not read."""
        if not panel.past_names and not panel.known_names:
            seen = np.zeros(0, np.int64)
        else:
            seen = np.concatenate([np.arange(b, e) for b, e in zip(panel.begin, panel.end, strict=True)])
        return cls(
            Standardizer.fit(panel.past[seen]), Standardizer.fit(panel.known[seen]), Standardizer.fit(panel.static)
        )

    def to_state(self) -> dict[str, Tensor]:
        """The tensors of all three, by name."""
        roles = {one.name: getattr(self, one.name) for one in fields(self)}
        return {f"{role}.{name}": value for role, one in roles.items() for name, value in one.to_state().items()}

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> Self:
        """From what :meth:`to_state` gave."""
        names = ("mean", "spread")
        return cls(*(Standardizer.from_state({n: state[f"{role.name}.{n}"] for n in names}) for role in fields(cls)))


@runtime_checkable
class BatchSource(Protocol):
    """Data that the training loop takes: windows of a panel, or whole sequences with labels."""

    @property
    def ids(self) -> Sequence[Any] | np.ndarray:
        """Names of the series, for messages."""

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Tensors that identify the data (hashed when resuming)."""

    @property
    def task(self) -> dict[str, int]:
        """Sizes of the task (compared when resuming)."""

    def gather(self, series: Int[Tensor, " batch"], origin: Int[Tensor, " batch"]) -> Any:
        """A batch: a frozen dataclass of tensors with ``series``, ``to(device)`` and a length."""


class Windows:
    """All windows of a panel.

    Args:
        panel: the series.
        context: rows the model sees; where a series has fewer before the origin, the rest counts as missing.
        horizon: rows to forecast.
        scales: statistics of the covariates (those of training, also when forecasting another panel).
        cycles: cycles of the calendar to add as features (:func:`calendar_cycles`); None for all that the frequency
            resolves.
        origin_only: only :meth:`at_origin` will be called; the calendar of earlier rows is left out.
    """

    def __init__(
        self,
        panel: Panel,
        context: int,
        horizon: int,
        *,
        scales: InputScales,
        cycles: Sequence[str] | None = None,
        origin_only: bool = False,
    ) -> None:
        self.panel, self.context, self.horizon, self.scales = panel, context, horizon, scales
        self.begin, self.end = torch.from_numpy(panel.begin), torch.from_numpy(panel.end)
        self.stop = torch.from_numpy(panel.stop)
        self.values = _tensor(panel.target)
        self._past, self._known = _tensor(panel.past), _tensor(panel.known)
        self._static = scales.static(_tensor(panel.static))
        self._category = torch.from_numpy(panel.category) + 1  # 0 stands for a level unseen in training
        self._calendar = self._calendar_table(cycles, origin_only=origin_only)

    def _calendar_table(
        self, cycles: Sequence[str] | None, *, origin_only: bool
    ) -> Float[Tensor, "steps features"] | None:
        """One row for each step of the panel's time span; every series reads from the same table."""
        panel = self.panel
        if not calendar_names(panel.freq, cycles) or not len(panel):
            return None
        origins = panel.clock + panel.lengths
        first = int(origins.min() if origin_only else 0) - self.context
        self._clock = torch.from_numpy(panel.clock - first)
        steps = int(origins.max()) + self.horizon - first
        table = calendar_table(panel.freq, panel.starts.min(), first, steps, cycles=cycles, tz=panel.tz)
        return torch.from_numpy(table)

    @property
    def ids(self) -> Sequence[Any] | np.ndarray:
        """Names of the series."""
        return self.panel.ids

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Targets, covariates and categories, and where each series begins and ends."""
        return self.values, self.begin, self.end, self._past, self._known, self._static, self._category

    @property
    def task(self) -> dict[str, int]:
        """Rows to forecast and rows seen."""
        return {"horizon": self.horizon, "context": self.context}

    @property
    def calendar_width(self) -> int:
        """Number of calendar features."""
        return 0 if self._calendar is None else self._calendar.shape[1]

    @property
    def past_width(self) -> int:
        """Number of inputs over the context, targets not counted."""
        return self._past.shape[1] + self._known.shape[1] + self.calendar_width

    @property
    def future_width(self) -> int:
        """Number of inputs over the horizon."""
        return self._known.shape[1] + self.calendar_width

    def gather(self, series: Int[Tensor, " batch"], origin: Int[Tensor, " batch"]) -> Batch:
        """The windows of these series at these origins (rows counted from the begin of each series)."""
        first = self.begin[series][:, None]
        rows = first + origin[:, None] + torch.arange(-self.context, self.horizon)
        past_rows, future_rows = rows[:, : self.context], rows[:, self.context :]
        past, observed = _observed(self.values, past_rows, past_rows >= first)
        target, mask = _observed(self.values, future_rows, future_rows < self.end[series][:, None])
        return Batch(
            series=series,
            past=past,
            observed=observed,
            past_inputs=self._past_inputs(series, origin, past_rows.clamp(min=first)),
            future_inputs=self._future_inputs(series, origin, future_rows),
            static=self._static[series],
            category=self._category[series],
            target=target,
            mask=mask & observed.any(1, keepdim=True),  # an empty context has no size to scale the target by
        )

    def _past_inputs(self, series: Tensor, origin: Tensor, rows: Tensor) -> Tensor:
        parts = []
        if self._past.shape[1]:
            parts.append(self.scales.past(self._past[rows]))
        if self._known.shape[1]:
            parts.append(self.scales.known(self._known[rows]))
        if self._calendar is not None:
            steps = (self._clock[series] + origin)[:, None] + torch.arange(-self.context, 0)
            parts.append(self._calendar[steps])
        return torch.cat(parts, -1) if parts else torch.zeros(*rows.shape, 0)

    def _future_inputs(self, series: Tensor, origin: Tensor, rows: Tensor) -> Tensor:
        parts = []
        if self._known.shape[1]:
            known, _ = _observed(self._known, rows, rows < self.stop[series][:, None], missing=torch.nan)
            parts.append(self.scales.known(known))
        if self._calendar is not None:
            steps = (self._clock[series] + origin)[:, None] + torch.arange(self.horizon)
            parts.append(self._calendar[steps])
        return torch.cat(parts, -1) if parts else torch.zeros(*rows.shape, 0)

    def at_origin(self, series: Int[Tensor, " batch"]) -> Batch:
        """The windows from which the panel's own origin is forecast."""
        return self.gather(series, (self.end - self.begin)[series])


def _tensor(values: np.ndarray) -> Tensor:
    """The array as a tensor without a copy where it is writable; nothing here writes to it."""
    return torch.from_numpy(values) if values.flags.writeable else torch.from_numpy(values.copy())


def _observed(values: Tensor, rows: Tensor, inside: Tensor, *, missing: float = 0.0) -> tuple[Tensor, Tensor]:
    """Values of these rows, missing ones replaced by ``missing``, and which of them were observed."""
    found = values[rows.clamp(0, len(values) - 1)]
    seen = inside[..., None] & ~found.isnan()
    return torch.where(seen, found, missing), seen


@dataclass(frozen=True)
class WindowOrigins:
    """A range of origins for each series: the windows of training, or those held back for validation.

    Args:
        series: positions of the series that have windows.
        first: first origin of each.
        count: number of origins of each, ``stride`` rows apart.
        stride: rows between two origins.
    """

    series: Int[Tensor, " series"]
    first: Int[Tensor, " series"]
    count: Int[Tensor, " series"]
    stride: int = 1

    @property
    def total(self) -> int:
        """Number of windows."""
        return int(self.count.sum())

    def evenly(self, most: int) -> Int[Tensor, " chosen"]:
        """Numbers of ``most`` windows or of all, evenly spaced from the first to the last."""
        return torch.linspace(0, self.total - 1, min(self.total, most)).round().long()

    def locate(self, index: Int[Tensor, " batch"]) -> tuple[Int[Tensor, " batch"], Int[Tensor, " batch"]]:
        """Series and origin of windows ``index`` in ``0 … total - 1``."""
        edges = self.count.cumsum(0)
        row = torch.searchsorted(edges, index, right=True)
        within = index - (edges[row] - self.count[row])
        return self.series[row], self.first[row] + within * self.stride


def split_origins(
    panel: Panel, context: int, horizon: int, *, held_back: int, stride: int = 1
) -> tuple[WindowOrigins, WindowOrigins]:
    """Training windows and the last ``held_back`` windows of each series in time.

    No target of a training window lies in the target range of a held-back window of the same series. A series too
    short to give up windows holds back no window. A series shorter than the context enters by windows that reach back
    before its start (counted as missing there).
    """
    length = torch.from_numpy(panel.lengths.copy())
    last = length - horizon  # the last origin with a whole horizon behind it
    reserve = horizon + (held_back - 1) * stride if held_back else 0
    enough = last - reserve >= min(context, horizon) if held_back else torch.zeros(len(length), dtype=torch.bool)
    last_training = torch.where(enough, last - reserve, last).clamp(min=1)
    first = torch.minimum(torch.tensor(context), (last_training + 1) // 2).clamp(min=1)
    usable = length >= 2
    series = torch.arange(len(length))
    training = WindowOrigins(series[usable], first[usable], (last_training - first + 1)[usable])
    kept = series[enough]
    first_held = last[enough] - (held_back - 1) * stride
    return training, WindowOrigins(kept, first_held, torch.full_like(first_held, held_back), stride)
