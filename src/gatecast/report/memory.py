"""The page about the experiments of 1997, run again: sequences until success beside the published figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gatecast.base.text import NOTHING, duration, plural
from gatecast.report import charts, facts
from gatecast.report.headline import Card
from gatecast.report.html import fill, write_page

if TYPE_CHECKING:
    from gatecast.lab import Outcome


def write_memory(path: str | Path, outcomes: Sequence[Outcome]) -> Path:
    """Write a self-contained HTML page about the experiments, and return its path.

    Args:
        path: file to write; its folder is created. An older file is replaced only when the page is complete.
        outcomes: from :func:`gatecast.lab.run_memory`.

    Example:
        >>> import tempfile
        >>> from gatecast.lab import run_memory
        >>> from gatecast.report import write_memory
        >>> outcomes = run_memory(["2a"], seeds=2, rivals=False, most=200)
        >>> write_memory(tempfile.mkdtemp() + "/memory.html", outcomes).name
        'memory.html'
    """
    return write_page(path, render(outcomes))


def render(outcomes: Sequence[Outcome]) -> str:
    """The page as text."""
    page: dict[str, Any] = {
        "title": "The experiments of 1997, run again",
        "source": "Hochreiter & Schmidhuber, Long Short-Term Memory",
        "verdict": verdict(outcomes),
        "cards": _cards(outcomes),
        "rows": [_row(one) for one in outcomes],
        "rivals": [_rival_row(one) for one in outcomes if one.rivals],
        "names": [rival.name for rival in next((one.rivals for one in outcomes if one.rivals), [])],
        "others": [(one.name, one.experiment.other) for one in outcomes if one.experiment.other],
        "criteria": [(one.name, one.experiment.title, one.experiment.criterion) for one in outcomes],
        "facts": [("Versions and machine", facts.machine_facts())],
    }
    return fill("memory", page, {"outcomes": [_chart(one) for one in outcomes]})


def verdict(outcomes: Sequence[Outcome]) -> str:
    """How many experiments came out as published, in two sentences."""
    reached = [one for one in outcomes if one.median <= one.experiment.published]
    solved = [one for one in outcomes if one.share == 1]
    return (
        f"The network of 1997 solves {len(solved)} of {plural(len(outcomes), 'experiment')} in every run. "
        f"In {len(reached)} the median run needs no more sequences than the paper's mean."
    )


def cells(one: Outcome) -> dict[str, str]:
    """Median, range and share of an experiment as texts."""
    won = [value for value in one.sequences if value is not None]
    median = f"{one.median:,.0f}" if np.isfinite(one.median) else f"> {one.limit:,}"
    span = f"{min(won):,} to {max(won):,}" if won else NOTHING
    wrong = [value for value in one.wrong if value is not None]
    return {
        "published": f"{one.experiment.published:,}",
        "median": median,
        "range": span,
        "share": f"{100 * one.share:.0f} %",
        "wrong": f"{np.median(wrong):g}" if wrong else NOTHING,
        "time": duration(one.seconds),
    }


def _row(one: Outcome) -> dict[str, Any]:
    experiment = one.experiment
    good = one.median <= experiment.published
    facts_ = {"name": one.name, "title": experiment.title, "weights": f"{experiment.net.weights:,}", "good": good}
    return {**facts_, "rate": f"{experiment.rate:g}", "runs": len(one.seeds), **cells(one)}


def _rival_row(one: Outcome) -> dict[str, Any]:
    found = []
    for rival in one.rivals:
        won = [value for value in rival.sequences if value is not None]
        median = f", median {np.median(won):,.0f}" if won else ""
        found.append(f"{len(won)} of {len(rival.sequences)}{median}")
    return {"name": one.name, "limit": f"{one.rivals[0].limit:,}", "found": found}


def _cards(outcomes: Sequence[Outcome]) -> list[Card]:
    runs = [value for one in outcomes for value in one.sequences]
    won = sum(value is not None for value in runs)
    seconds = sum(one.seconds + sum(rival.seconds for rival in one.rivals) for one in outcomes)
    return [
        Card("Experiments", str(len(outcomes)), "of the paper"),
        Card("Runs that succeed", f"{won} of {len(runs)}"),
        Card("Time", duration(seconds), "one core"),
    ]


def _chart(one: Outcome) -> charts.Json:
    return {
        "name": one.name,
        "published": one.experiment.published,
        "limit": one.limit,
        "sequences": one.sequences,
        "at": [count for count, _ in one.curve],
        "error": charts.values_list(np.array([error for _, error in one.curve]), 6),
    }
