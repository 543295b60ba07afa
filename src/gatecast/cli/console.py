"""What people see: plain tables on standard output, progress on standard error and on a terminal only."""

from __future__ import annotations

import json
import math
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatecast.cli.output_frames import moments, summary
from gatecast.cli.shell import in_shell, visible, visible_cell

if TYPE_CHECKING:
    import pandas as pd

    from gatecast.base.findings import Finding
    from gatecast.cli.flags import ShowFlags
    from gatecast.data import Panel
    from gatecast.evaluation import Forecast
    from gatecast.evaluation.verdict import Verdict
    from gatecast.forecasters import Backtest

MOST_ROWS = 14
LEAST_STEPS = 3  # of each series, as long as the rows are enough for all
MOST_REPAIRS = 6
_SCORES = ("MASE", "sMAPE", "MAE", "RMSE")


class Console:
    """Prints text for people, one JSON document, or nothing."""

    def __init__(self, show: ShowFlags) -> None:
        self.json, self.quiet = show.json, show.quiet

    @property
    def progress(self) -> bool | None:
        """Whether to show progress bars; None: on a terminal only."""
        return False if self.json or self.quiet else None

    def say(self, text: str = "") -> None:
        """Print a line for people."""
        if not (self.json or self.quiet):
            print(visible(text))

    def paragraph(self, text: str) -> None:
        """Print a longer text, wrapped."""
        width = min(100, shutil.get_terminal_size((100, 24)).columns)
        whole = re.sub(r"(?<=p) (?=[<=≤≥])|(?<=[<=≤≥]) (?=\d)|(?<=\d) (?=%)", "\0", text)  # p = 0.01, 12 %: not broken
        lines = textwrap.fill(whole, width, break_long_words=False, break_on_hyphens=False)
        self.say(lines.replace("\0", " "))

    def recommended(self, verdict: Verdict, model: str) -> None:
        """Say how to forecast with the model that the verdict recommends, where it is another one."""
        if verdict.recommended not in (model, verdict.candidate):
            self.say(f"--model auto forecasts with {verdict.recommended}.")

    def document(self, value: dict[str, Any]) -> None:
        """Print the result as JSON, with ``--json``."""
        if self.json:
            encodes_all = "utf" in (sys.stdout.encoding or "utf-8").lower()
            text = json.dumps(value, ensure_ascii=not encodes_all, indent=2, default=str, allow_nan=False)
            print(re.sub(r"[\x7f-\x9f]", lambda found: f"\\u{ord(found[0]):04x}", text))  # JSON escapes the others

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Show a spinner with a description while the block runs."""
        if self.progress is False or not sys.stderr.isatty():
            yield
            return
        from rich.console import Console as Rich
        from rich.markup import escape

        with Rich(stderr=True).status(escape(visible(what))):
            yield

    def panel(self, panel: Panel) -> None:
        """Print what was read, in three lines, and the first repairs."""
        facts = summary(panel)
        series = "1 series" if len(panel) == 1 else f"{len(panel):,} series"
        season = f", season {panel.season}" if panel.season > 1 else ""
        self.say(f"{panel.source}: {series}, {facts['rows']:,} rows, frequency {panel.freq}{season}")
        self.say(f"{facts['start']} to {facts['end']}, target {', '.join(panel.target_names)}{_covariates(panel)}")
        if facts["missing"]:
            from gatecast.base.text import plural  # loads NumPy, which --help does not need

            self.say(f"{plural(facts['missing'], 'missing value')}: excluded from the loss, marked in the context")
        for one in panel.repairs[:MOST_REPAIRS]:
            self.say(f"  {repair_line(one)}")
        if len(panel.repairs) > MOST_REPAIRS:
            self.say(f"  … {len(panel.repairs) - MOST_REPAIRS} more; gatecast data lists all")

    def scores(self, backtest: Backtest) -> None:
        """Print the table of metrics, best model first."""
        table = backtest.scores()
        coverage = [name for name in table.columns if name.startswith("coverage-")]
        shown = [name for name in _SCORES if name in table.columns and table[name].notna().any()] + coverage
        table = table.sort_values(shown[0], kind="stable")
        cells = [numbers(table[name]) for name in shown]
        rows = [[str(model), *row] for model, *row in zip(table.index, *cells, strict=True)]
        origins = "1 origin" if len(backtest.cutoffs) == 1 else f"{len(backtest.cutoffs)} origins"
        self.say(f"Backtest: {origins} × {backtest.horizon} steps, season {backtest.season}")
        self.table(["model", *[_heading(name) for name in shown]], rows)
        for note in backtest.notes:
            self.say(f"  {note}")

    def forecast(self, forecast: Forecast, file: Path | None = None) -> None:
        """Print the first rows of the first series, some of every target."""
        panel, cells = forecast.panel, _shown_cells(forecast)
        keys, rows = _key_columns(panel), []
        for series, target, steps in cells:
            times = moments(panel, forecast.times[series, :steps])
            key = [str(panel.ids[series])] * (len(panel) > 1) + [panel.target_names[target]] * (panel.targets > 1)
            values = _value_cells(forecast, series, target, steps)
            rows += [[*key, time, *value] for time, value in zip(times, values, strict=True)]
        self.say(f"Forecast{_of_what(panel)} by {forecast.model}")
        columns = [*keys, panel.time_name, forecast.model, *[f"{level:g} % interval" for level in forecast.levels]]
        self.table(columns, rows, left=len(keys) + 1)
        more = forecast.mean.size - len(rows)
        if more:
            where = f"{file} has all" if file is not None else "--out FOLDER writes all"
            self.say(f"  … {more:,} more rows; {where}")
        for note in forecast.notes:
            self.say(f"  {note}")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> None:
        """Print aligned columns: the first ``left`` to the left, the others to the right."""
        columns, rows = [*map(visible_cell, columns)], [[*map(visible_cell, row)] for row in rows]
        widths = [max(len(row[k]) for row in [columns, *rows]) for k in range(len(columns))]
        for row in [columns, *rows]:
            cells = [
                cell.ljust(width) if k < left else cell.rjust(width)
                for k, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            self.say(f"  {'  '.join(cells)}".rstrip())

    def files(self, paths: Sequence[str]) -> None:
        """Print the paths written."""
        self.say(f"Wrote {', '.join(paths)}")


def repair_line(repair: Finding) -> str:
    """A repair or decision as one line: its kind, what was done, how to decide otherwise."""
    remedy = in_shell(repair.remedy)
    return f"{repair.kind}: {in_shell(repair.problem)}{f' ({remedy})' if remedy else ''}"


def _covariates(panel: Panel) -> str:
    roles = {"past": panel.past_names, "known": panel.known_names, "static": panel.static_names + panel.category_names}
    return "".join(f"; {role} {', '.join(names)}" for role, names in roles.items() if names)


def _heading(name: str) -> str:
    kind, _, level = name.partition("-")
    return f"in {level} %" if kind == "coverage" else name


def _shown_cells(forecast: Forecast) -> list[tuple[int, int, int]]:
    """Series, target and number of steps to show: the table's rows divided among first series and all targets."""
    panel, most = forecast.panel, MOST_ROWS
    count = min(len(panel) * panel.targets, max(most // LEAST_STEPS, min(panel.targets, most)))
    steps = max(1, min(forecast.horizon, most // count))
    return [(k // panel.targets, k % panel.targets, steps) for k in range(count)]


def _key_columns(panel: Panel) -> list[str]:
    return [panel.id_name or "series"] * (len(panel) > 1) + ["target"] * (panel.targets > 1)


def _of_what(panel: Panel) -> str:
    parts = [f"{len(panel):,} series"] * (len(panel) > 1) + [f"{panel.targets} targets"] * (panel.targets > 1)
    return f" of {' × '.join(parts)}" if parts else ""


def _value_cells(forecast: Forecast, series: int, target: int, steps: int) -> list[list[str]]:
    """Point forecast and intervals of the first steps, all with the same number of decimals."""
    point = forecast.mean[series, :steps, target]
    ends = [end[series, :steps, target] for level in forecast.levels for end in forecast.interval(level)]
    texts = numbers([value for column in [point, *ends] for value in column])
    columns = [texts[k * steps : (k + 1) * steps] for k in range(1 + len(ends))]
    pairs = [[f"{a} … {b}" for a, b in zip(*columns[k : k + 2], strict=True)] for k in range(1, len(columns), 2)]
    return [list(row) for row in zip(columns[0], *pairs, strict=True)]


def numbers(values: Iterable[Any]) -> list[str]:
    """Format a column with one number of decimals: 4 digits of the largest value, at least 2 of the smallest."""
    floats = [float(value) for value in values]
    sizes = [abs(value) for value in floats if math.isfinite(value) and value]
    if not sizes:
        sizes = [1.0]
    wanted = min(_decimals(min(sizes), 2), _decimals(max(sizes), 6))
    decimals = max(0, _decimals(max(sizes), 4), wanted)
    return [f"{value:,.{decimals}f}" if math.isfinite(value) else "–" for value in floats]


def _decimals(size: float, digits: int) -> int:
    """Decimals that show ``digits`` digits of a number of this size."""
    return digits - 1 - math.floor(math.log10(size))


def scores_json(backtest: Backtest) -> list[dict[str, Any]]:
    """The table of metrics as JSON values."""
    from gatecast.cli.output_frames import records

    frame: pd.DataFrame = backtest.scores().reset_index()
    return records(frame)
