"""The rows of a search: folds that settings are compared on, and a test part at the end for the winner alone.

::

    | training 1 | fold 1 |         | test |
    | training 2     | fold 2 |     | test |
    | training 3         | fold 3 | | test |

Folds lie apart where the series are long, and overlap where they are short.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from gatecast.base.errors import DataError, GatecastError
from gatecast.base.findings import Arg
from gatecast.data.panel import Panel
from gatecast.forecasters.backtest import backtest
from gatecast.forecasters.neural import LSTMForecaster

MOST_WINDOWS = 8  # origins of a fold whose windows do not overlap
SHARE = 3  # the folds take a third of the rows at most
LEAST = 1e-9  # a loss of 0 has no logarithm
OVERLAP = 3  # windows that begin within a horizon, where the rows are few


@dataclass(frozen=True)
class Folds:
    """How the rows are divided.

    Args:
        horizon: steps ahead.
        folds: each is fitted before and forecast over.
        windows: origins of each fold.
        step: rows between two of them.
        spacing: rows between the ends of two folds.
        test: origins of the test part, ``horizon`` rows apart; 0: none.
    """

    horizon: int
    folds: int
    windows: int
    step: int
    spacing: int
    test: int

    @classmethod
    def of(cls, panel: Panel, horizon: int, *, folds: int, test: int) -> tuple[Folds, list[str]]:
        """The division of a panel, and notes on it.

        Raises:
            DataError: the series are too short.
        """
        rows, season = int(np.median(panel.lengths)), panel.season
        least, notes = 3 * horizon + season, list[str]()  # one window, and the rows that a backtest needs before it
        tested = min(test, max(0, (rows - least - horizon) // (2 * horizon)))
        if tested < test:
            notes.append(f"Test windows: {tested} instead of {test}; the series have {rows:,} rows.")
        rows -= tested * horizon
        if rows < least + 1:
            raise DataError(
                f"a search with horizon {horizon} needs {least + 1} rows in a series, the typical one has {rows}",
                "take a shorter " + Arg("horizon") + " or more data",
                place=panel.source,
            )
        share = min(max(rows // SHARE, horizon), rows - least + horizon)
        span = min(max(share // folds, min(2 * horizon, share)), MOST_WINDOWS * horizon)
        spacing = (min(share, folds * span) - span) // (folds - 1) if folds > 1 else 0
        if folds > 1 and not spacing:
            notes.append(f"Folds: 1 instead of {folds}; the series have {rows:,} rows.")
            folds = 1
        step = max(1, min(horizon, (span - horizon) // OVERLAP))
        return cls(horizon, folds, (span - horizon) // step + 1, step, spacing, tested), notes

    @property
    def held_out(self) -> int:
        """Rows at the end that the search does not see."""
        return self.test * self.horizon

    @property
    def independent(self) -> int:
        """Windows that do not overlap within the rows of all folds."""
        rows = self.spacing * (self.folds - 1) + (self.windows - 1) * self.step + self.horizon
        return rows // self.horizon

    def part(self, seen: Panel, fold: int) -> Panel:
        """The rows up to the end of a fold (0: the oldest) of the panel that the search sees."""
        after = (self.folds - 1 - fold) * self.spacing
        return seen.cut(after) if after else seen


@dataclass(frozen=True)
class Score:
    """How one model did on one fold.

    Args:
        metric: ``"MASE"``; ``"MAE"`` where it is undefined.
        losses: mean over the series at each origin.
        seconds: fit and forecasts.
    """

    metric: str
    losses: list[float]
    seconds: float


def overall(losses: Sequence[Sequence[float]]) -> float:
    """Geometric mean over the folds of each fold's mean loss: a fold that is hard for all does not dominate."""
    means = [max(float(np.mean(fold)), LEAST) for fold in losses]
    return float(np.exp(np.mean(np.log(means))))


def score(shared: tuple[Panel, Folds], model: LSTMForecaster, fold: int) -> Score | str:
    """The model's losses on a fold, or the message of its error."""
    seen, folds = shared
    return measure(model, folds.part(seen, fold), folds.horizon, folds.windows, folds.step)


def measure(model: LSTMForecaster, panel: Panel, horizon: int, windows: int, step: int) -> Score | str:
    """Losses of a model on the last windows of a panel, fitted before the first."""
    clock = perf_counter()
    try:
        tested = backtest([model], panel, horizon, windows=windows, step=step, progress=False)
    except GatecastError as error:
        return str(error).removeprefix("no model could be run: ").removeprefix(f"{model.name}: ")
    metric, losses = tested.losses()
    known = np.isfinite(losses[model.name])
    count, total = known.sum(0), np.where(known, losses[model.name], 0.0).sum(0)
    means = [float(t / n) for t, n in zip(total, count, strict=True) if n]
    return Score(metric, means, perf_counter() - clock) if means else "every forecast or every actual value is missing"
