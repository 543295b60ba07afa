"""What people see: plain tables on standard output, progress on standard error and on a terminal only."""

from __future__ import annotations

import json
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gatecast.cli.frames import moment, summary

if TYPE_CHECKING:
    import pandas as pd

    from gatecast.cli.flags import ShowFlags
    from gatecast.data import Panel
    from gatecast.evaluation import Forecast
    from gatecast.forecasters import Backtest

MOST_ROWS = 14
MOST_REPAIRS = 6
_SCORES = ("MASE", "sMAPE", "MAE", "RMSE")


class Console:
    """Prints for people, or one JSON document, or nothing."""

    def __init__(self, show: ShowFlags) -> None:
        self.json, self.quiet = show.json, show.quiet

    @property
    def progress(self) -> bool | None:
        """What progress bars are told: None is "on a terminal only"."""
        return False if self.json or self.quiet else None

    def say(self, text: str = "") -> None:
        """A line for people."""
        if not (self.json or self.quiet):
            print(text)

    def paragraph(self, text: str) -> None:
        """A longer text, broken into lines."""
        width = min(100, shutil.get_terminal_size((100, 24)).columns)
        whole = re.sub(r"(?<=p) (?=[<=≤≥])|(?<=[<=≤≥]) (?=\d)|(?<=\d) (?=%)", "\0", text)  # p = 0.01, 12 %: not broken
        lines = textwrap.fill(whole, width, break_long_words=False, break_on_hyphens=False)
        self.say(lines.replace("\0", " "))

    def document(self, value: dict[str, Any]) -> None:
        """The machine-readable result."""
        if self.json:
            print(json.dumps(value, ensure_ascii=False, indent=2, default=str, allow_nan=False))

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """A spinner with a word on what takes the time."""
        if self.progress is False or not sys.stderr.isatty():
            yield
            return
        from rich.console import Console as Rich

        with Rich(stderr=True).status(what):
            yield

    def panel(self, panel: Panel) -> None:
        """What was read, in three lines, and what was repaired."""
        facts = summary(panel)
        series = "1 series" if len(panel) == 1 else f"{len(panel):,} series"
        season = f", season {panel.season}" if panel.season > 1 else ""
        self.say(f"{panel.source}: {series}, {facts['rows']:,} rows, frequency {panel.freq}{season}")
        self.say(f"{facts['start']} to {facts['end']}, target {', '.join(panel.target_names)}{_covariates(panel)}")
        if facts["missing"]:
            self.say(f"{facts['missing']:,} missing values: left out of the loss and marked in the context")
        for one in panel.repairs[:MOST_REPAIRS]:
            self.say(f"  {one.kind}: {one.message}")
        if len(panel.repairs) > MOST_REPAIRS:
            self.say(f"  … {len(panel.repairs) - MOST_REPAIRS} more; gatecast data lists all")

    def scores(self, backtest: Backtest) -> None:
        """The metric table, best model first."""
        table = backtest.scores()
        coverage = [name for name in table.columns if name.startswith("coverage-")]
        shown = [name for name in _SCORES if name in table.columns and table[name].notna().any()] + coverage
        table = table.sort_values(shown[0], kind="stable")
        rows = [[str(model), *[_number(row[name]) for name in shown]] for model, row in table.iterrows()]
        origins = "1 origin" if len(backtest.cutoffs) == 1 else f"{len(backtest.cutoffs)} origins"
        self.say(f"Backtest: {origins} × {backtest.horizon} steps, season {backtest.season}")
        self.table(["model", *[_heading(name) for name in shown]], rows)
        for note in backtest.notes:
            self.say(f"  {note}")

    def forecast(self, forecast: Forecast) -> None:
        """The first rows of the first series."""
        panel, series = forecast.panel, 0
        columns = [panel.time_name, forecast.model, *[f"{level:g} % interval" for level in forecast.levels]]
        rows = []
        for step in range(min(forecast.horizon, MOST_ROWS)):
            ends = [[end[series, step, 0] for end in forecast.interval(level)] for level in forecast.levels]
            intervals = [f"{_number(low)} … {_number(high)}" for low, high in ends]
            when = moment(panel, forecast.times[series, step])
            rows.append([when, _number(forecast.mean[series, step, 0]), *intervals])
        many = len(panel) > 1 or panel.targets > 1
        name = f" of {panel.ids[series]}" + (f", {panel.target_names[0]}" if panel.targets > 1 else "") if many else ""
        self.say(f"Forecast{name} by {forecast.model}")
        self.table(columns, rows)
        if many or forecast.horizon > MOST_ROWS:
            self.say(f"  … {forecast.mean.size - len(rows):,} more rows")
        for note in forecast.notes:
            self.say(f"  {note}")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Columns aligned, the first to the left, the others to the right."""
        widths = [max(len(row[k]) for row in [columns, *rows]) for k in range(len(columns))]
        for row in [columns, *rows]:
            first = row[0].ljust(widths[0])
            rest = "".join(f"  {cell.rjust(width)}" for cell, width in zip(row[1:], widths[1:], strict=True))
            self.say(f"  {first}{rest}".rstrip())

    def files(self, paths: Sequence[str]) -> None:
        """What was written."""
        self.say(f"Wrote {', '.join(paths)}")


def _covariates(panel: Panel) -> str:
    roles = {"past": panel.past_names, "known": panel.known_names, "static": panel.static_names + panel.category_names}
    return "".join(f"; {role} {', '.join(names)}" for role, names in roles.items() if names)


def _heading(name: str) -> str:
    kind, _, level = name.partition("-")
    return f"in {level} %" if kind == "coverage" else name


def _number(value: Any) -> str:
    """Four digits that mean something: 0.8123, 431.2, 12,345."""
    number = float(value)
    if number != number:
        return "–"
    if abs(number) >= 1000:
        return f"{number:,.0f}"
    return f"{number:#.4g}".rstrip(".")


def scores_json(backtest: Backtest) -> list[dict[str, Any]]:
    """The metric table as JSON holds it."""
    from gatecast.cli.frames import records

    frame: pd.DataFrame = backtest.scores().reset_index()
    return records(frame)
