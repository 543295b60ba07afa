"""What ``gatecast epidemic`` prints of a study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatecast.base.text import plural
from gatecast.cli.console import Console, numbers
from gatecast.cli.shell import in_shell

if TYPE_CHECKING:
    from gatecast.epidemic import Study


def print_study(found: Study, console: Console, file: Path) -> None:
    """Print findings, scores, what SEIR estimates, the best forecast and the scenarios.

    Args:
        found: the study.
        console: prints.
        file: that will hold all rows of the forecast.
    """
    console.say()
    for one in found.findings:
        console.say(in_shell(one))
    if found.origins is not None:
        _print_backtest(found, console)
    _print_summary(found, console)
    console.forecast(found.best, file)
    for title, ratio in found.scenario_ratios().items():
        console.say(f"Scenario {title}: {ratio:.2f} times the new cases of the next {found.config.horizon} days")


def _print_backtest(found: Study, console: Console) -> None:
    tested, origins = found.backtest, found.origins
    assert tested is not None
    assert origins is not None
    table = tested.scores().sort_values("WIS")
    shown = ["WIS", "MAE", "MASE", *[name for name in table.columns if name.startswith("coverage-")]]
    count = plural(len(tested.cutoffs), "origin")
    console.say(f"Backtest: {count} × {tested.horizon} days, each on what was reported by then")
    heads = [f"in {name.partition('-')[2]} %" if name.startswith("coverage") else name for name in shown]
    console.table(["model", *heads], _rows(table.index, *(numbers(table[name]) for name in shown)))
    for model, reason in tested.failed.items():
        console.say(f"  {model} failed: {in_shell(reason)}")
    models = [str(name) for name in origins.means.columns]
    console.say("\nWIS by origin")
    days = [str(cutoff)[:10] for cutoff in origins.table["cutoff"]]
    cells = [numbers(origins.table[name]) for name in models]
    rows = _rows(days, origins.table["phase"], *cells, origins.table["best"])
    console.table(["origin", "phase", *models, "best"], rows, left=2)
    console.say()
    console.paragraph(origins.text)
    console.say()


def _rows(*columns: Any) -> list[list[str]]:
    return [[str(cell) for cell in row] for row in zip(*columns, strict=True)]


def _print_summary(found: Study, console: Console) -> None:
    several = found.summary["unique_id"].nunique() > 1
    for name, rows in list(found.summary.groupby("unique_id", sort=False))[:3]:
        console.say(f"What SEIR finds{f' for {name}' if several else ''} (95 % interval)")
        console.table(["", "estimate", "low", "high"], [_summary_row(row) for row in rows.itertuples()])
        if (day := found.seir.fitted_from(name)) is not None:
            console.say(f"  Fitted to the days from {_cell(day)} on: R0 and the peak are of these days, not of all.")
    doubtful = found.parameters[found.parameters["identifiable"].eq(False)]
    for row in doubtful.head(3).itertuples():
        console.say(f"  {row.parameter} is not identified: {row.reason}")
    console.say()


def _summary_row(row: Any) -> list[str]:
    """A line of the summary; a negative doubling time is the time in which cases halve."""
    if row.quantity.startswith("doubling time") and row.low <= row.estimate <= row.high < 0:
        return ["halving time (days)", *map(_cell, (-row.estimate, -row.high, -row.low))]
    return [row.quantity, *map(_cell, (row.estimate, row.low, row.high))]


def _cell(value: Any) -> str:
    if hasattr(value, "strftime"):
        return str(value)[:10]
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
