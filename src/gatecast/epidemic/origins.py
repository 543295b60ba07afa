"""Which model wins when: scores of a backtest by origin, and by whether cases grew or fell there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from gatecast.data.panel import Panel
    from gatecast.forecasters.backtest import Backtest

GROWING, LEVEL, FALLING = "while cases grow", "near a peak or a low", "while cases fall"
PHASES = (GROWING, LEVEL, FALLING)
_GREW, _FELL = 1.25, 0.8  # cases of one week over those two weeks before


@dataclass(frozen=True, eq=False)
class OriginScores:
    """Scores of a backtest by origin.

    Args:
        table: one row per origin: ``cutoff``, ``phase``, the mean WIS of every model (the MAE of those without
            intervals), ``best``.
        wins: phase → model → number of origins at which it was best.
        means: ``(phases, models)`` mean score; the phases that occur, and ``"all"``.
        text: the verdict in words.
    """

    table: pd.DataFrame
    wins: dict[str, dict[str, int]]
    means: pd.DataFrame
    text: str

    @property
    def best(self) -> str:
        """The model with the lowest mean score over all origins."""
        return str(self.means.loc["all"].idxmin())


def by_origin(backtest: Backtest) -> OriginScores:
    """Score every model at every origin by the weighted interval score, and say which wins in which phase.

    The phase of an origin, whether cases grow or fall, follows from the two weeks before it: what could be known there.
    """
    import pandas as pd

    scores = backtest.scores("cutoff", ["WIS", "MAE"])
    table = scores["WIS"].fillna(scores["MAE"]).unstack().reindex(columns=backtest.models)
    scored = np.flatnonzero(np.isin(backtest.cutoffs, table.index.to_numpy()))  # after some origins no day has a count
    later = len(backtest.cutoffs) - 1 - scored
    phases = [phase_of(backtest.panel.cut(backtest.horizon + backtest.step * int(k))) for k in later]
    best = table.idxmin(axis=1)
    wins = {phase: _count(best, phases, phase) for phase in PHASES if phase in phases}
    means = pd.DataFrame({phase: table[np.array(phases) == phase].mean() for phase in wins} | {"all": table.mean()}).T
    flat = table.reset_index()
    flat.insert(1, "phase", phases)
    return OriginScores(flat.assign(best=best.to_numpy()), wins, means, _words(wins, means, len(table)))


def phase_of(panel: Panel) -> str:
    """Whether the cases of all series together grew or fell over the two weeks before the origin."""
    latest, before = (sum(_week(panel.series(k)[:, 0], back) for k in range(len(panel))) for back in (0, 14))
    if before <= 0:
        return GROWING if latest > 0 else LEVEL
    return GROWING if latest / before > _GREW else FALLING if latest / before < _FELL else LEVEL


def _week(values: np.ndarray, back: int) -> float:
    """Mean count of the seven days that end ``back`` days before the last; of the latest seven counts where all are
    missing.
    """
    before = values[: max(0, len(values) - back)]
    rows = before[-7:] if np.isfinite(before[-7:]).any() else before[np.isfinite(before)][-7:]
    return float(np.nanmean(rows)) if len(rows) else 0.0


def _count(best: pd.Series, phases: list[str], phase: str) -> dict[str, int]:
    chosen = best[np.array(phases) == phase]
    return {str(name): int(count) for name, count in chosen.value_counts().items()}


def _words(wins: dict[str, dict[str, int]], means: pd.DataFrame, origins: int) -> str:
    parts = []
    for phase, counts in wins.items():
        most = max(counts.values())
        first = [name for name, count in counts.items() if count == most]
        total = sum(counts.values())
        who = f"{first[0]} wins" if len(first) == 1 else f"{_and(first)} share the wins"
        parts.append(
            f"{who} {phase} ({most} of {total})" if len(first) == 1 else f"{who} {phase} ({most} of {total} each)"
        )
    overall = means.loc["all"].sort_values()
    first, second = overall.index[:2] if len(overall) > 1 else (overall.index[0], None)
    over = f"Over all {origins} origins" if origins > 1 else "At this one origin"
    text = f"{'; '.join(parts)}. {over} {first} has the lowest mean WIS"
    return f"{text}, {100 * (1 - overall.iloc[0] / overall.iloc[1]):.0f} % below {second}." if second else f"{text}."


def _and(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
