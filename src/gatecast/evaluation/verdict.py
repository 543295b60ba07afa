"""The verdict: one or two sentences that say which model to use, with a test behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from gatecast.evaluation.significance import MIN_ORIGINS, TestResult, compare, holm

ALPHA = 0.05
LOW_POWER = 10  # fewer origins than this: only large differences can show

_WORDS = {
    "Naive": "naive",
    "SeasonalNaive": "seasonal naive",
    "Drift": "drift",
    "Mean": "the mean",
    "LinearAR": "linear autoregression",
}


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
        origins, series: what the verdict rests on.
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
        """Plain dicts, lists, numbers and strings; None in the place of NaN."""
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
    mere luck stays below 5 %.

    Args:
        losses: model → ``(series, origins)`` loss, averaged over the steps ahead, on the same rows for all models.
        candidate: the model that is judged.
        metric: name of the loss.
        overlap: see :func:`~gatecast.evaluation.significance.compare`.
        left_out: models that were not run, with the reason.
        failed: model → reason.
        covariates_used: the candidate already had covariates, so that they are no reason left to prefer it.
        remarks: further sentences to end with.
    """
    scores = {name: _series_mean(loss) for name, loss in losses.items()}
    rivals = sorted((name for name in losses if name != candidate), key=lambda name: scores[name])
    comparisons = _compare_all(losses, scores, candidate, rivals, metric, overlap)
    best = min(scores, key=lambda name: scores[name])
    recommended = _recommend(candidate, best, scores, comparisons)
    series, origins = _size(losses[candidate])
    sentences = [_judgement(candidate, recommended, best, metric, scores, comparisons, covariates_used)]
    sentences += _caveats(comparisons, origins)
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
    """Mean over series of each series' mean over origins: every series weighs the same."""
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


# ── words ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _judgement(
    candidate: str,
    recommended: str,
    best: str,
    metric: str,
    scores: dict[str, float],
    comparisons: list[Comparison],
    covariates_used: bool,
) -> str:
    subject = _subject(candidate)
    if not comparisons:
        return f"{subject} has a {metric} of {scores[candidate]:.3g}; there is no other model to compare it with."
    findings = _join([_phrase(group, metric, first) for first, group in _groups(comparisons)])
    advice = _advice(candidate, recommended, best, comparisons, covariates_used)
    return f"{subject} is {findings}; {advice}."


def _groups(comparisons: list[Comparison]) -> list[tuple[bool, list[Comparison]]]:
    """Rivals with the same outcome together; True marks the group that names the metric."""
    kinds = []
    for outcome in ("better", "worse", "no different", "untested"):
        group = [c for c in comparisons if c.outcome == outcome]
        if outcome != "untested":
            kinds += [group] if group else []
            continue
        kinds += [
            side for side in ([c for c in group if c.difference > 0], [c for c in group if c.difference <= 0]) if side
        ]
    return [(position == 0, group) for position, group in enumerate(kinds)]


def _phrase(group: list[Comparison], metric: str, first: bool) -> str:
    outcome, names = group[0].outcome, _join([_word(c.rival) for c in group])
    measure = f" in {metric}" if first else ""
    if outcome == "no different":
        return f"no different{measure} from {names} ({_range(group, signed=True)}, {_p(group)})"
    better = group[0].difference > 0
    direction = "better" if better else "worse"
    tested = "" if outcome == "untested" else f" ({_p(group)})"
    return f"{_range(group)} {direction}{measure} than {names}{tested}"


def _range(group: list[Comparison], *, signed: bool = False) -> str:
    """``12 %``, ``12 to 40 %``; signed: ``3 % worse``, ``from 3 % worse to 5 % better``."""
    low, high = min(c.difference for c in group), max(c.difference for c in group)
    if signed:
        if percent(low) == percent(high) and (low < 0) == (high < 0):
            return _signed(low)
        if low * high > 0:
            return f"{_range(group)} {'better' if low > 0 else 'worse'}"
        return f"{_signed(low)} to {_signed(high)}"
    small, large = sorted([abs(low), abs(high)])
    if percent(small) == percent(large):
        return percent(large)
    return f"{percent(small).removesuffix(' %')} to {percent(large)}"


def _signed(difference: float) -> str:
    if percent(difference) == "0 %":
        return "equal"
    return f"{percent(difference)} {'better' if difference > 0 else 'worse'}"


def percent(share: float) -> str:
    """``12 %``, ``0.4 %``, ``0 %``: no more digits than carry meaning."""
    if math.isinf(share):
        return "infinitely"
    value = abs(100 * share)
    text = f"{value:.0f}" if value >= 0.95 else f"{value:.1f}"
    return f"{text.removesuffix('.0')} %"


def _p(group: list[Comparison]) -> str:
    values = [c.p_value for c in group]
    if len(values) == 1:
        return _one_p(values[0])
    if group[0].outcome == "no different":
        lowest = min(values)
        return _one_p(lowest) if max(values) - lowest < 0.005 else f"p ≥ {lowest:.2f}"
    highest = max(values)
    return "p < 0.001" if highest < 0.001 else f"p ≤ {_digits(highest)}"


def _one_p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {_digits(value)}"


def _digits(value: float) -> str:
    return f"{value:.3f}" if value < 0.0095 or 0.045 <= value < 0.055 else f"{value:.2f}"


def _advice(candidate: str, recommended: str, best: str, comparisons: list[Comparison], covariates_used: bool) -> str:
    outcomes = {c.rival: c.outcome for c in comparisons}
    if recommended == candidate:
        unproven = [c for c in comparisons if c.outcome != "better"]
        lead = "" if not unproven else f", though its lead over {_word(unproven[0].rival)} is not proven"
        return f"use {_the(candidate)} here{lead}"
    reason = "" if covariates_used or outcomes[recommended] == "worse" else " unless you need covariates"
    return f"use {_the(recommended)} here{reason}"


def _caveats(comparisons: list[Comparison], origins: int) -> list[str]:
    if not comparisons:
        return []
    test, n = comparisons[0].test, comparisons[0].n
    if test == "none":
        return [
            f"With only {count(origins, 'origin')} no test is possible (it takes {MIN_ORIGINS}): take it as a hint."
        ]
    if test.startswith("Diebold") and n < LOW_POWER:
        return [f"With only {count(n, 'origin')} the test can see large differences only."]
    return []


def count(number: int, noun: str, plural: str | None = None) -> str:
    """``1 origin``, ``3 origins``, ``2 series``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def _join(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _word(name: str) -> str:
    return _WORDS.get(name, name)


def _the(name: str) -> str:
    """``the LSTM``, but ``AutoETS`` and ``seasonal naive``."""
    return _word(name) if name in _WORDS or name.startswith("Auto") else f"the {name}"


def _subject(name: str) -> str:
    words = _the(name)
    return words[0].upper() + words[1:]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
