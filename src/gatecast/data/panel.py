"""The panel: one or many series on a regular time grid, as views into flat arrays.

Rows of all series lie behind one another. Series ``i`` is stored in rows ``begin[i] … stop[i] - 1``; its past, the
only part a model may learn from, ends at ``end[i]``; rows from ``end[i]`` on hold covariates that are known in
advance. To move the forecast origin is to move ``end``: a panel as it looked three weeks ago is a view, not a copy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gatecast.base.errors import DataError, SettingError, UnknownNameError
from gatecast.base.findings import Arg, Call, Finding
from gatecast.base.options import Bounds, check_value
from gatecast.base.text import nearest, plural, shorten
from gatecast.data import frames
from gatecast.data.frequency import Frequency
from gatecast.data.schema import Schema

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Panel:
    """Series on a regular grid, ready for windows. Made by :func:`gatecast.read_panel`; never changed afterwards.

    Args:
        ids: ``(series,)`` names.
        begin: ``(series,)`` first row of each series in the flat arrays.
        end: ``(series,)`` one past the last row whose target may be seen (the forecast origin).
        stop: ``(series,)`` one past the last stored row; ``stop > end`` where covariates reach into the future.
        starts: ``(series,)`` time of row ``begin``: datetime64[ns] (UTC where ``tz`` is set) or int64.
        target: ``(rows, targets)`` floats; NaN where missing.
        past: ``(rows, past covariates)`` floats, known up to ``end`` only.
        known: ``(rows, known covariates)`` floats, known in advance (up to ``stop``).
        static: ``(series, static covariates)`` floats.
        category: ``(series, categorical covariates)`` int64 codes into ``levels``; -1 for missing.
        schema: what the source means: columns by role, frequency, time zone; a frame of the future is read by it.
        repairs: what was changed while reading.
        source: file name or kind of object read.
    """

    ids: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    stop: np.ndarray
    starts: np.ndarray
    target: np.ndarray
    past: np.ndarray
    known: np.ndarray
    static: np.ndarray
    category: np.ndarray
    schema: Schema
    repairs: tuple[Finding, ...] = ()
    source: str = "arrays"

    @classmethod
    def from_arrays(
        cls,
        series: Sequence[np.ndarray],
        *,
        ids: Sequence[str] | None = None,
        starts: np.ndarray | None = None,
        freq: Frequency | str = "",
        schema: Schema | None = None,
        **fields: object,
    ) -> Panel:
        """Panel from clean arrays, one ``(time,)`` or ``(time, targets)`` array a series; no checks, no repairs.

        Args:
            series: the values.
            ids: names of the series.
            starts: time of the first row of each.
            freq: distance of two rows.
            schema: names of the columns.
            fields: covariates, repairs and source, as :class:`Panel` has them.
        """
        freq = Frequency(freq) if isinstance(freq, str) else freq
        values = [_smallest(np.asarray(s)).reshape(len(s), -1) for s in series]
        edges = np.concatenate([[0], np.cumsum([len(v) for v in values])]).astype(np.int64)
        count, rows = len(values), int(edges[-1])
        if starts is None:
            zero: object = np.int64(0) if freq.is_integer else np.datetime64("2000-01-01", "ns")
            starts = np.array([zero] * count)
        empty = {
            "past": np.zeros((rows, 0), np.float32),
            "known": np.zeros((rows, 0), np.float32),
            "static": np.zeros((count, 0), np.float32),
            "category": np.zeros((count, 0), np.int64),
        }
        targets = values[0].shape[1]
        schema = schema or Schema(target=("y",) if targets == 1 else tuple(f"y{k}" for k in range(targets)))
        names = [str(name) for name in ids] if ids is not None else [f"s{i}" for i in range(count)]
        return cls(
            ids=np.array(names, dtype=object),
            begin=edges[:-1],
            end=edges[1:],
            stop=edges[1:],
            starts=starts,
            schema=replace(schema, time=schema.time or (), id=schema.id or (), freq=freq),
            target=np.concatenate(values),
            **{**empty, **fields},  # type: ignore[arg-type]
        )

    def with_schema(self, **changes: Any) -> Panel:
        """The panel under other names: ``panel.with_schema(target=("cases",), tz="UTC")``."""
        return replace(self, schema=replace(self.schema, **changes))

    # ── the schema ────────────────────────────────────────────────────────────────────────────────────────────────
    @property
    def freq(self) -> Frequency:
        """Distance of two rows."""
        assert self.schema.freq is not None
        return self.schema.freq

    @property
    def tz(self) -> str | None:
        """Time zone in which times are shown; None for naive times."""
        return self.schema.tz

    @property
    def time_name(self) -> str:
        """Heading of the times, for display."""
        return self.schema.time_name

    @property
    def id_name(self) -> str:
        """Heading of the series' names, for display; "" for one series."""
        return self.schema.id_name

    @property
    def target_names(self) -> tuple[str, ...]:
        """Names of the targets, in order."""
        return self.schema.target_names

    @property
    def past_names(self) -> tuple[str, ...]:
        """Names of the covariates known up to the origin."""
        return self.schema.past

    @property
    def known_names(self) -> tuple[str, ...]:
        """Names of the covariates known in advance."""
        return self.schema.known

    @property
    def static_names(self) -> tuple[str, ...]:
        """Names of the numeric covariates of whole series."""
        return self.schema.static

    @property
    def category_names(self) -> tuple[str, ...]:
        """Names of the categorical covariates."""
        return self.schema.category

    @property
    def levels(self) -> tuple[tuple[str, ...], ...]:
        """For each categorical covariate the names behind its codes."""
        return self.schema.levels

    # ── size and shape ────────────────────────────────────────────────────────────────────────────────────────────
    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def lengths(self) -> np.ndarray:
        """``(series,)`` number of rows up to the forecast origin."""
        return self.end - self.begin

    @property
    def targets(self) -> int:
        """Number of target columns."""
        return self.target.shape[1]

    @cached_property
    def season(self) -> int:
        """Shortest natural season that every other series holds at least twice, in steps; 1 for none."""
        typical = int(np.median(self.lengths)) if len(self) else 0
        return next((cycle for cycle in self.freq.cycles if 2 * cycle <= typical), 1)

    def __repr__(self) -> str:
        shape = f"{len(self)} series, {int(self.lengths.sum())} rows, freq {self.freq}"
        return f"Panel({shape}, target {', '.join(self.target_names)}, {len(self.repairs)} repairs)"

    # ── series ────────────────────────────────────────────────────────────────────────────────────────────────────
    def series(self, index: int) -> np.ndarray:
        """``(time, targets)`` view of one series up to the forecast origin."""
        return self.target[self.begin[index] : self.end[index]]

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        return ((str(self.ids[i]), self.series(i)) for i in range(len(self)))

    def select(self, ids: str | Sequence[str]) -> Panel:
        """The panel with these series (or this one) only, in this order (views).

        Raises:
            UnknownNameError: naming the nearest series.
        """
        ids = [ids] if isinstance(ids, str) else ids
        rows = {name: row for row, name in enumerate(self.ids)}
        missing = [name for name in ids if name not in rows]
        if missing:
            near = nearest(str(missing[0]), map(str, self.ids))
            remedy = f"did you mean {near!r}?" if near else f"the series are {shorten(list(self.ids))}"
            raise UnknownNameError(f"the panel has no series {missing[0]!r}", remedy, place=self.source)
        return self.take(np.array([rows[name] for name in ids], dtype=np.int64))

    def take(self, index: np.ndarray) -> Panel:
        """The panel with the series at these positions (views)."""
        per_series = ("ids", "begin", "end", "stop", "starts", "static", "category")
        return replace(self, **{name: getattr(self, name)[index] for name in per_series})

    # ── the forecast origin ───────────────────────────────────────────────────────────────────────────────────────
    def cut(self, steps: int) -> Panel:
        """The panel as it was ``steps`` rows ago (a view): targets after that origin are hidden, known covariates stay.

        Series that would become empty are left out.

        Raises:
            SettingError: negative steps.
            DataError: no series has that many rows.
        """
        check_value(Arg("steps"), steps, "int", Bounds(least=0))
        moved = replace(self, end=np.maximum(self.end - steps, self.begin))
        alive = np.flatnonzero(moved.end > moved.begin)
        if not len(alive) and len(self):
            longest = int(self.lengths.max())
            problem = f"to cut {steps} rows leaves nothing: the longest series has {plural(longest, 'row')}"
            raise DataError(problem, f"cut at most {longest - 1}", place=self.source)
        return moved if len(alive) == len(self) else moved.take(alive)

    def actual(self, horizon: int) -> np.ndarray:
        """``(series, horizon, targets)`` stored target values after the origin; NaN beyond the stored rows."""
        rows = self.end[:, None] + np.arange(horizon)
        inside = rows < self.stop[:, None]
        values = self.target[np.where(inside, rows, 0)]
        return np.where(inside[..., None], values, np.nan)

    # ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def times(self, index: int) -> np.ndarray:
        """Times of one series up to the forecast origin: datetime64[ns] (UTC where ``tz`` is set) or int64."""
        return self.freq.times(self.starts[index], 0, int(self.lengths[index]))

    @cached_property
    def cutoffs(self) -> np.ndarray:
        """``(series,)`` time of the last row before the origin."""
        return self._times_at(-1, 1)[:, 0]

    def future_times(self, horizon: int) -> np.ndarray:
        """``(series, horizon)`` times after the origin."""
        return self._times_at(0, horizon)

    def future_times_of(self, index: int) -> np.datetime64 | np.int64:
        """Time of the first step after the origin of one series."""
        return self.freq.times(self.starts[index], int(self.lengths[index]), 1)[0]

    def _times_at(self, first: int, count: int) -> np.ndarray:
        rows = [self.freq.times(self.starts[i], int(self.lengths[i]) + first, count) for i in range(len(self))]
        return np.stack(rows) if rows else np.empty((0, count), "datetime64[ns]")

    @cached_property
    def clock(self) -> np.ndarray:
        """``(series,)`` steps from the earliest start in the panel to each series' first row."""
        if not len(self):
            return np.zeros(0, np.int64)
        return np.rint(self.freq.position(self.starts.min(), self.starts)).astype(np.int64)

    # ── frames ────────────────────────────────────────────────────────────────────────────────────────────────────
    def digest(self) -> str:
        """SHA-256 of the values as they were read, with their times and names."""
        digest = hashlib.sha256()
        covariates = self.past, self.known, self.static, self.category
        for array in (self.begin, self.end, self.starts, self.target, *covariates):
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        digest.update("\0".join(map(str, self.ids)).encode())
        return digest.hexdigest()

    def to_frame(self) -> pd.DataFrame:
        """Long pandas frame of all stored rows in the user's own column names, in the panel's time zone."""
        return frames.to_frame(self)

    def future_frame(self, horizon: int) -> pd.DataFrame:
        """Frame to fill in with the known covariates: id, time and one row a series and step ahead."""
        return frames.future_frame(self, horizon)


def _smallest(values: np.ndarray) -> np.ndarray:
    """Values in float32, or in float64 where they are too large or too small for it."""
    if values.dtype == np.float32:
        return values
    wide = values.astype(np.float64)
    with np.errstate(over="ignore", under="ignore"):
        narrow = wide.astype(np.float32)
    lost = (np.isinf(narrow) & np.isfinite(wide)) | ((np.abs(narrow) < np.finfo(np.float32).tiny) & (wide != 0))
    return wide if lost.any() else narrow


def require_panel(given: Any, name: str = "panel") -> None:
    """Check that an argument is a panel, not the file or frame it could be read from.

    Raises:
        SettingError: ``panel must be a Panel, got a DataFrame; read it first: gatecast.read_panel(…)``.
    """
    if isinstance(given, Panel):
        return
    file = isinstance(given, str | Path)
    problem = Arg(name) + f" must be a Panel, got {repr(str(given)) if file else f'a {type(given).__name__}'}"
    raise SettingError(problem, "read it first: " + Call("gatecast.read_panel", str(given) if file else ...))
