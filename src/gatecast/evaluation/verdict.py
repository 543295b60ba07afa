"""The verdict: one or two sentences on which model to use, based on a test."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from gatecast.evaluation.significance import TestResult, compare, holm
from gatecast.evaluation.wording import caveats, judgement

ALPHA = 0.05


@dataclass(frozen=True)
class Comparison:
    """The candidate against one rival.

    Args:
        rival: name of the other model.
        metric: name of the metric compared.
        difference: (rival - candidate)/rival of the metric; positive where the candidate is better.
        p_value: two-sided, Holm-adjusted over all rivals; NaN where no test was possible.
        raw_p_value: before the adjustment.
        test: name of the test; ``"none"`` where none was possible.
        n: number of origins or series in the test.
    """

    rival: str
    metric: str
    difference: float
    p_value: float
    raw_p_value: float
    test: str
    n: int

    @property
    def outcome(self) -> str:
        """``"better"``, ``"worse"``, ``"no different"`` or ``"untested"``."""
        if math.isnan(self.p_value):
            return "untested"
        if self.p_value >= ALPHA or self.difference == 0:
            return "no different"
        return "better" if self.difference > 0 else "worse"


@dataclass(frozen=True)
class Verdict:
    """Which model to use here, in words.

    Args:
        text: one or two sentences; after them, one each for low power, what failed and what was left out.
        best: name of the model with the lowest metric.
        recommended: name of the model to use: the best, or a simpler one that is as good.
        candidate: name of the model that was judged.
        metric: name of the metric.
        scores: metric of each model on the rows that all models forecast.
        comparisons: the candidate against each rival, best rival first.
        left_out: models that could not take part, with the reason.
        failed: models that failed, with the reason.
        origins: number of origins that the verdict rests on.
        series: number of series that it rests on.
    """

    text: str
    best: str
    recommended: str
    candidate: str
    metric: str
    scores: dict[str, float]
    comparisons: list[Comparison] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    origins: int = 0
    series: int = 0

    def __str__(self) -> str:
        return self.text

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, lists, numbers and strings; None for NaN."""
        return _plain({**asdict(self), "comparisons": [{**asdict(c), "outcome": c.outcome} for c in self.comparisons]})


def judge(
    losses: Mapping[str, np.ndarray],
    *,
    candidate: str,
    metric: str = "MASE",
    overlap: int = 0,
    left_out: Sequence[str] = (),
    failed: Mapping[str, str] | None = None,
    covariates_used: bool = False,
    remarks: Sequence[str] = (),
) -> Verdict:
    """Judge the candidate against every other model.

    The p-values are adjusted for the number of rivals by Holm's method: the chance that any "better" or "worse" is
    false stays below 5 %.

    Args:
        losses: model → ``(series, origins)`` loss, averaged over the steps ahead, on the same rows for all models.
        candidate: the model that is judged.
        metric: name of the loss.
        overlap: see :func:`~gatecast.evaluation.significance.compare`.
        left_out: models that were not run, with the reason.
        failed: model → reason.
        covariates_used: the candidate had covariates; without them, they can be a reason to prefer it.
        remarks: further sentences to end with.
    """
    scores = {name: _series_mean(loss) for name, loss in losses.items()}
    rivals = sorted((name for name in losses if name != candidate), key=lambda name: scores[name])
    comparisons = _compare_all(losses, scores, candidate, rivals, metric, overlap)
    best = min(scores, key=lambda name: scores[name])
    recommended = _recommend(candidate, best, scores, comparisons)
    series, origins = _size(losses[candidate])
    sentences = [judgement(candidate, recommended, metric, scores, comparisons, covariates_used)]
    sentences += caveats(comparisons, origins)
    sentences += [f"{name} failed: {reason.rstrip('.')}." for name, reason in (failed or {}).items()]
    if left_out:
        sentences.append(f"Left out: {'; '.join(left_out)}.")
    return Verdict(
        " ".join([*sentences, *remarks]),
        best,
        recommended,
        candidate,
        metric,
        scores,
        comparisons,
        list(left_out),
        dict(failed or {}),
        origins,
        series,
    )


def _series_mean(loss: np.ndarray) -> float:
    """Mean over series of each series' mean over origins: all series have the same weight."""
    alive = loss[np.isfinite(loss).any(axis=1)]
    return float(np.nanmean(alive, axis=1).mean()) if len(alive) else math.nan


def _size(loss: np.ndarray) -> tuple[int, int]:
    seen = np.isfinite(loss)
    return int(seen.any(axis=1).sum()), int(seen.any(axis=0).sum())


def _compare_all(
    losses: Mapping[str, np.ndarray],
    scores: dict[str, float],
    candidate: str,
    rivals: list[str],
    metric: str,
    overlap: int,
) -> list[Comparison]:
    tests: list[TestResult] = [compare(losses[candidate], losses[rival], overlap=overlap) for rival in rivals]
    adjusted = holm([test.p_value for test in tests])
    return [
        Comparison(rival, metric, _gain(scores[candidate], scores[rival]), p, test.p_value, test.name, test.n)
        for rival, test, p in zip(rivals, tests, adjusted, strict=True)
    ]


def _gain(candidate: float, rival: float) -> float:
    if rival == 0:
        return 0.0 if candidate == 0 else -math.inf
    return (rival - candidate) / rival


def _recommend(candidate: str, best: str, scores: dict[str, float], comparisons: list[Comparison]) -> str:
    """The best model; a rival within 1 % of the candidate and not proven worse is as good, and simpler."""
    if best != candidate:
        return best
    level = [c for c in comparisons if c.difference < 0.01 and c.outcome in {"no different", "untested"}]
    return level[0].rival if level else candidate


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
