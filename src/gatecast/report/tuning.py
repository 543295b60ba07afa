"""The page about a search: its trials, the importance of the fields, and the winner on held-out rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatecast.base.text import NOTHING, duration, number
from gatecast.report import charts, facts
from gatecast.report.headline import Card
from gatecast.report.html import fill, write_page

if TYPE_CHECKING:
    from gatecast.tuning import Trial, Tuning

_WORST = 3.0  # multiple of the default loss at which worse trials are drawn


def write_tuning(path: str | Path, tuning: Tuning) -> Path:
    """Write a self-contained HTML page about a search, and return its path.

    Args:
        path: file to write; its folder is created. An older file is replaced only when the page is complete.
        tuning: from :func:`gatecast.tune`.
    """
    return write_page(path, render(tuning))


def render(tuning: Tuning) -> str:
    """The page as text."""
    fields = list(tuning.importance) or list(tuning.fields)
    page: dict[str, Any] = {
        "title": f"Search for settings: {tuning.folds.horizon} steps ahead",
        "source": tuning.source,
        "verdict": tuning.text,
        "cards": _cards(tuning),
        "metric": tuning.metric,
        "notes": tuning.notes,
        "changes": _changes(tuning),
        "toml": tuning.to_toml(),
        "finalists": [
            {
                "name": _name(one.number),
                "loss": number(one.loss, 4),
                "gain": f"{100 * one.gain:+.1f}" if one.number else NOTHING,
                "error": f"{100 * one.error:.1f}" if one.number else NOTHING,
                "chosen": one.chosen,
            }
            for one in tuning.finalists
        ],
        "columns": list(tuning.fields),
        "trials": [_row(one, list(tuning.fields)) for one in tuning.trials],
        "importance": bool(tuning.importance),
        "facts": [("Search", _facts(tuning)), ("Versions and machine", facts.machine_facts())],
    }
    first = tuning.trials[0].loss or 1.0
    data: charts.Json = {
        "metric": tuning.metric,
        "worst": _WORST * first,
        "trials": [
            {
                "number": t.number,
                "state": t.state,
                "loss": t.loss,
                "params": {k: _plain(v) for k, v in t.params.items()},
            }
            for t in tuning.trials
        ],
        "winner": next(one.number for one in tuning.finalists if one.chosen),
        "importance": [[name, tuning.importance[name]] for name in reversed(tuning.importance)],
        "fields": [{"name": name, "log": bool(getattr(tuning.fields[name], "log", False))} for name in fields],
    }
    return fill("tuning", page, data)


def _cards(tuning: Tuning) -> list[Card]:
    default = next(one for one in tuning.finalists if one.number == 0)
    winner = next(one for one in tuning.finalists if one.chosen)
    states = [one.state for one in tuning.trials]
    ended = f"{states.count('pruned')} stopped early, {states.count('failed')} failed"
    cards = [
        Card("Trials", f"{len(states)}", ended),
        Card(f"{tuning.metric} on the folds", number(winner.loss, 3), f"default {number(default.loss, 3)}"),
    ]
    if tuning.test:
        change = 100 * (tuning.test.tuned / tuning.test.default - 1)
        remark = (
            "the default won" if tuning.default_won else f"default {number(tuning.test.default, 3)}: {change:+.1f} %"
        )
        cards.append(Card(f"{tuning.metric} on the test", number(tuning.test.tuned, 3), remark))
    return [*cards, Card("Time", duration(tuning.seconds), "of this run")]


def _changes(tuning: Tuning) -> list[tuple[str, str, str]]:
    """Name, default and winning value of each searched field."""
    default = tuning.trials[0].params
    return [(name, _text(default[name]), _text(tuning.settings.get(name, default[name]))) for name in tuning.fields]


def _facts(tuning: Tuning) -> facts.Facts:
    folds = tuning.folds
    return [
        ("Folds", f"{folds.folds}, each of {folds.windows} windows {folds.step} rows apart"),
        ("Rows held out for the test", f"{folds.held_out:,}"),
        ("Test windows", str(folds.test)),
        *((f"Range of {name}", _range(limits)) for name, limits in tuning.fields.items()),
    ]


def _range(limits: Any) -> str:
    if hasattr(limits, "values"):
        return ", ".join(map(_text, limits.values))
    return f"{_text(limits.low)} to {_text(limits.high)}{' (log)' if limits.log else ''}"


def _row(trial: Trial, fields: list[str]) -> dict[str, Any]:
    return {
        "name": _name(trial.number),
        "state": trial.state,
        "loss": NOTHING if trial.loss is None else number(trial.loss, 4),
        "seconds": duration(trial.seconds),
        "values": [_text(trial.params[name]) for name in fields],
        "error": trial.error,
    }


def _name(number_: int) -> str:
    return f"{number_} (default)" if number_ == 0 else str(number_)


def _text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    """The value on an axis: a number, or else its text."""
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)
