"""The words of the verdict: comparisons as sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gatecast.base.text import plural
from gatecast.evaluation.significance import MIN_ORIGINS

if TYPE_CHECKING:
    from gatecast.evaluation.verdict import Comparison

LOW_POWER = 10  # fewer origins than this: only large differences can show

_WORDS = {
    "Naive": "naive",
    "SeasonalNaive": "seasonal naive",
    "Drift": "drift",
    "Mean": "the mean",
    "LinearAR": "linear autoregression",
}


def judgement(
    candidate: str,
    recommended: str,
    metric: str,
    scores: dict[str, float],
    comparisons: list[Comparison],
    covariates_used: bool,
) -> str:
    subject = _subject(candidate)
    if not comparisons:
        return f"{subject} has a {metric} of {scores[candidate]:.3g}; there is no other model to compare it with."
    findings = _join([_phrase(group, metric, first) for first, group in _groups(comparisons)])
    advice = _advice(candidate, recommended, comparisons, covariates_used)
    return f"{subject} is {findings}; {advice}."


def _groups(comparisons: list[Comparison]) -> list[tuple[bool, list[Comparison]]]:
    """Rivals with the same outcome together, those ahead apart from those behind; True: the group names the metric."""
    exact = [c for c in comparisons if math.isinf(c.difference)]
    comparisons = [c for c in comparisons if c not in exact]
    kinds = [exact] if exact else []
    for outcome in ("better", "worse", "no different", "untested"):
        group = [c for c in comparisons if c.outcome == outcome]
        same = outcome != "untested"  # untested rivals of equal error form a separate group
        sides = [
            [c for c in group if c.difference > 0],
            [c for c in group if c.difference == 0 and not same],
            [c for c in group if c.difference < 0 or (c.difference == 0 and same)],
        ]
        kinds += [side for side in sides if side]
    return [(position == 0, group) for position, group in enumerate(kinds)]


def _phrase(group: list[Comparison], metric: str, first: bool) -> str:
    outcome, names = group[0].outcome, _join([_word(c.rival) for c in group])
    measure = f" in {metric}" if first else ""
    if math.isinf(group[0].difference):
        return f"behind {names}{measure} ({'it makes' if len(group) == 1 else 'they make'} no error here)"
    if outcome == "untested" and group[0].difference == 0:
        return f"equal{measure} to {names}"
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


def _advice(candidate: str, recommended: str, comparisons: list[Comparison], covariates_used: bool) -> str:
    outcomes = {c.rival: c.outcome for c in comparisons}
    if recommended == candidate:
        unproven = [c for c in comparisons if c.outcome != "better"]
        lead = "" if not unproven else f", though its lead over {_word(unproven[0].rival)} is not proven"
        return f"use {_the(candidate)} here{lead}"
    reason = "" if covariates_used or outcomes[recommended] == "worse" else " unless you need covariates"
    return f"use {_the(recommended)} here{reason}"


def caveats(comparisons: list[Comparison], origins: int) -> list[str]:
    if not comparisons:
        return []
    test, n = comparisons[0].test, comparisons[0].n
    if test == "none":
        return [
            f"With only {plural(origins, 'origin')} no test is possible (it takes {MIN_ORIGINS}): take it as a hint."
        ]
    if test.startswith("Diebold") and n < LOW_POWER:
        return [f"With only {plural(n, 'origin')} the test can see large differences only."]
    return []


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
