"""What a forecaster returns: point forecast, quantiles, sample paths, and the long frame of utilsforecast."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gatecast.base.errors import SettingError, UnknownNameError
from gatecast.base.findings import Arg
from gatecast.base.options import is_number
from gatecast.base.text import plural
from gatecast.data.wall_clock import zoned_times

if TYPE_CHECKING:
    import pandas as pd

    from gatecast.data.panel import Panel

DEFAULT_LEVELS = (80, 95)


HIGHEST_LEVEL = 99.99  # of an interval, in percent


def checked_levels(levels: Any) -> tuple[float, ...]:
    """The levels of central intervals in percent, ascending.

    Raises:
        SettingError: no list of numbers above 0 and below 100, a share such as 0.8 instead of 80, or one of them
            twice.
    """
    if isinstance(levels, str) or not isinstance(levels, Iterable):
        one = [levels] if is_number(levels) and 1 <= float(levels) < 100 else [80, 95]
        raise SettingError(Arg("levels") + f" must be a list of percentages, got {levels!r}", Arg("levels", one))
    given: tuple[Any, ...] = tuple(levels)
    for level in given:
        if not is_number(level) or not 0 < level < 100:
            problem = Arg("levels") + f" must be percentages above 0 and below 100, got {level!r}"
            raise SettingError(problem, "e.g. " + Arg("levels", [80, 95]))
        if level > HIGHEST_LEVEL:  # its ends would be infinite
            problem = Arg("levels") + f" must be at most {HIGHEST_LEVEL}, got {level}"
            raise SettingError(problem, "take " + Arg("levels", [HIGHEST_LEVEL]) + " or less")
    shown = [_percent(float(level)) for level in given]
    if any(level < 1 for level in given):  # shares, as other libraries take them
        near = [_percent(100 * level) if level < 1 else level for level in shown]
        problem = Arg("levels") + f" must be percentages, got {', '.join(f'{level:g}' for level in shown)}"
        raise SettingError(problem, "did you mean " + Arg("levels", near) + "?")
    if len(set(shown)) < len(shown):
        twice = next(level for level in shown if shown.count(level) > 1)
        problem = Arg("levels") + f" must differ, got {twice:g} twice"
        raise SettingError(problem, "take " + Arg("levels", sorted(set(shown))))
    return tuple(sorted(given))


def level_quantiles(levels: Sequence[float]) -> tuple[float, ...]:
    """Probabilities of the ends of central intervals, with the median: ``[80] → (0.1, 0.5, 0.9)``.

    Raises:
        SettingError: as :func:`checked_levels`.
    """
    tails = {round((100 - level) / 200, 6) for level in checked_levels(levels)}
    return tuple(sorted(tails | {0.5} | {round(1 - tail, 6) for tail in tails}))


@dataclass(frozen=True, eq=False, repr=False)
class Forecast:
    """A forecast of every series of a panel from its origin.

    Args:
        model: name of the model; the column of the long frame.
        panel: the panel forecast from (its origin is the cutoff).
        mean: ``(series, horizon, targets)`` point forecast in the target's unit.
        probabilities: the quantile probabilities given, ascending; may be empty.
        quantiles: ``(series, horizon, targets, probabilities)``, ascending.
        samples: ``(series, samples, horizon, targets)`` joint paths, or None.
        notes: what the user should know about this forecast (fallbacks, clipping), one sentence each.
    """

    model: str
    panel: Panel
    mean: np.ndarray
    probabilities: tuple[float, ...] = ()
    quantiles: np.ndarray = field(default_factory=lambda: np.empty(0))
    samples: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        series = plural(len(self.mean), "series", "series")
        targets = f" × {self.panel.targets} targets" if self.panel.targets > 1 else ""
        levels = f", levels {', '.join(map(str, self.levels))}" if self.levels else ""
        notes = f", {plural(len(self.notes), 'note')}" if self.notes else ""
        return f"Forecast({self.model}, {series} × {plural(self.horizon, 'step')}{targets}{levels}{notes})"

    @property
    def horizon(self) -> int:
        """Number of steps ahead."""
        return self.mean.shape[1]

    @property
    def ids(self) -> np.ndarray:
        """``(series,)`` names."""
        return self.panel.ids

    @cached_property
    def times(self) -> np.ndarray:
        """``(series, horizon)`` times of the forecast."""
        return self.panel.future_times(self.horizon)

    @property
    def levels(self) -> tuple[float, ...]:
        """Central interval levels in percent whose two ends are among the quantiles, ascending."""
        known = {round(p, 6) for p in self.probabilities}
        lower = [p for p in self.probabilities if p < 0.5 and round(1 - p, 6) in known]
        return tuple(sorted(_percent(100 * (1 - 2 * p)) for p in lower))

    def quantile(self, probability: float) -> np.ndarray:
        """``(series, horizon, targets)`` values of one quantile.

        Raises:
            UnknownNameError: the forecast does not have it.
        """
        for position, known in enumerate(self.probabilities):
            if abs(known - probability) < 1e-6:
                return self.quantiles[..., position]
        names = ", ".join(map(str, self.probabilities)) or "no quantiles"
        raise UnknownNameError(f"the forecast has no quantile {probability}", f"it has {names}")

    def interval(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper end of the central interval, each ``(series, horizon, targets)``.

        Raises:
            SettingError: the level is no percentage.
            UnknownNameError: the forecast does not have it.
        """
        checked_levels([level])
        tail = (100 - level) / 200
        return self.quantile(tail), self.quantile(1 - tail)

    def rename(self, model: str) -> Forecast:
        """The same forecast under another model name."""
        return replace(self, model=model)

    def to_frame(self) -> pd.DataFrame:
        """Long pandas frame after the contract of utilsforecast.

        Columns: ``unique_id, ds, cutoff[, variable], <model>[, <model>-lo-80, <model>-hi-80 …]``; ``variable`` names
        the target where there are several. Times carry the panel's time zone.
        """
        import pandas as pd

        series, horizon, targets = self.mean.shape
        per_series = horizon * targets
        columns: dict[str, Any] = {
            "unique_id": np.repeat(self.ids, per_series),
            "ds": zoned_times(np.repeat(self.times.reshape(-1), targets), self.panel.tz),
            "cutoff": zoned_times(np.repeat(self.panel.cutoffs, per_series), self.panel.tz),
        }
        if targets > 1:
            columns["variable"] = np.tile(np.array(self.panel.target_names, dtype=object), series * horizon)
        columns[self.model] = self.mean.reshape(-1)
        for level in self.levels:
            low, high = self.interval(level)
            columns[f"{self.model}-lo-{level:g}"] = low.reshape(-1)
            columns[f"{self.model}-hi-{level:g}"] = high.reshape(-1)
        return pd.DataFrame(columns)

    def plot(self, ids: str | Sequence[str] | None = None, *, history: int | None = None, ax: Any = None) -> Any:
        """History, forecast and shaded intervals by matplotlib (extra ``plot``).

        Args:
            ids: series to draw, one below the other; None takes the first.
            history: rows of history before the forecast; None takes four horizons, two seasons or 30, whichever is
                most.
            ax: matplotlib axes for a single series and target; None makes a figure.

        Returns:
            The axes; an array of them where several series or targets are drawn.

        Raises:
            MissingExtraError: without matplotlib.
            KeyError: for an id that the forecast does not have.
        """
        from gatecast.evaluation.plotted import plot_forecast

        return plot_forecast(self, ids, history, ax)


def _percent(level: float) -> float:
    rounded = round(level, 4)
    return int(rounded) if rounded == int(rounded) else rounded
