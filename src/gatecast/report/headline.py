"""The top of the page: title, verdict and key numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gatecast.base.text import NOTHING, decimals_for, number, percent
from gatecast.data.panel import Panel
from gatecast.evaluation.forecast import Forecast
from gatecast.report.accuracy import Accuracy
from gatecast.report.format import step_width, steps_ahead, time_texts

if TYPE_CHECKING:
    from gatecast.evaluation.verdict import Verdict

NO_BACKTEST = "No backtest was run, so nothing is known yet about how good this forecast is."


@dataclass(frozen=True)
class Card:
    """One number with its name above and a remark below."""

    label: str
    value: str
    remark: str = ""


def unbroken(text: str) -> str:
    """The text with non-breaking spaces in ``12 %`` and ``p = 0.03``."""
    return re.sub(r" (?=[%=<≤≥])|(?<=[=<≤≥]) ", "\u00a0", text)


def other_model(verdict: Verdict, model: str, run: Mapping[str, Any]) -> list[str]:
    """A note where the forecast is by another model than the verdict recommends, and how to get that one."""
    if model != verdict.candidate or verdict.recommended == model:
        return []
    how = "gatecast forecast --model auto" if "command" in run else f"fit {verdict.recommended}() to the panel"
    return [f"This forecast is by {model}. For one by {verdict.recommended}: {how}."]


def subject(panel: Panel) -> str:
    """What is forecast, by the names of the data."""
    names = ", ".join(panel.target_names[:3]) + (" …" if panel.targets > 3 else "")
    single = len(panel) == 1 and panel.targets == 1 and panel.target_names == ("y",)
    return str(panel.ids[0]) if single else names


def title(panel: Panel, forecast: Forecast) -> str:
    """``air passengers: the next 12 months``."""
    ahead = steps_ahead(forecast.horizon, panel.freq)
    return f"{subject(panel)}: the next {ahead if forecast.horizon > 1 else ahead.removeprefix('1 ')}"


def cards(panel: Panel, forecast: Forecast, accuracy: Accuracy | None) -> list[Card]:
    """At most four numbers: the next values, the error of the model, the coverage of its intervals."""
    first = [_size(panel)] if len(forecast.ids) > 1 or panel.targets > 1 else _ends(panel, forecast)
    return [*first, *(_quality(accuracy) if accuracy is not None else [])]


def _size(panel: Panel) -> Card:
    rows = f"{int(panel.lengths.sum()):,} rows"
    rows += "" if panel.freq.is_integer else f", one step is {step_width(panel.freq)}"
    return Card("Series", f"{len(panel):,}", f"{panel.targets} targets each, {rows}" if panel.targets > 1 else rows)


def _ends(panel: Panel, forecast: Forecast) -> list[Card]:
    middle = forecast.quantile(0.5) if 0.5 in forecast.probabilities else forecast.mean
    decimals = decimals_for(panel.series(0))
    times = time_texts(forecast.times[0], panel)
    steps = [0, forecast.horizon - 1] if forecast.horizon > 1 else [0]
    made = []
    for step in steps:
        remark = ""
        if forecast.levels:
            level = min(forecast.levels)
            low, high = (number(float(end[0, step, 0]), decimals) for end in forecast.interval(level))
            remark = f"{low} to {high} ({level:g}\u00a0%)"
        made.append(
            Card(f"{'Last' if step else 'Next'}: {times[step]}", number(float(middle[0, step, 0]), decimals), remark)
        )
    return made


def _quality(accuracy: Accuracy) -> list[Card]:
    model, lead, order = accuracy.candidate, accuracy.metrics[0], accuracy.models
    value = float(accuracy.overall.loc[model, lead])
    remark = f"{model}, rank {order.index(model) + 1} of {len(order)}"
    made = [Card(f"{lead} in the backtest", number(value, max(2, decimals_for(np.array([value])))), remark)]
    for point in accuracy.coverage(model)[:1]:
        remark = f"of {point['n']:,} actual values"
        made.append(Card(f"Inside the {point['level']:g} % interval", percent(point["share"]), remark))
    return made


def comparisons(verdict: Verdict) -> list[dict[str, str]]:
    """Rows of the table behind the verdict."""
    return [
        {
            "rival": item.rival,
            "metric": item.metric,
            "difference": _difference(item.difference),
            "outcome": item.outcome,
            "p": "< 0.001" if item.p_value < 0.001 else number(item.p_value, 3 if item.p_value < 0.1 else 2),
            "test": item.test,
            "n": f"{item.n:,}",
        }
        for item in verdict.comparisons
    ]


def _difference(gain: float) -> str:
    """``12.3 % lower`` error than the rival's."""
    if not np.isfinite(gain):
        return NOTHING
    return f"{number(abs(100 * gain), 1)} % {'lower' if gain > 0 else 'higher'}"
