"""The page about the inside of an LSTM: heat maps of its gates, its four steps in numbers, a diagram with valves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gatecast.base.text import decimals_for
from gatecast.report import charts, facts
from gatecast.report.format import hover_format, steps_ahead, time_texts
from gatecast.report.headline import Card
from gatecast.report.html import fill, write_page

if TYPE_CHECKING:
    from gatecast.lab import Inside


def write_cell(path: str | Path, inside: Inside) -> Path:
    """Write a self-contained HTML page about the inside of a trained LSTM, and return its path.

    Args:
        path: file to write; its folder is created. An older file is replaced only when the page is complete.
        inside: from :func:`gatecast.lab.look_inside`.

    Example:
        >>> import tempfile
        >>> from gatecast import datasets
        >>> from gatecast.lab import InsideConfig, look_inside
        >>> from gatecast.report import write_cell
        >>> fitted = InsideConfig(steps=20).forecaster().fit(datasets.load("air_passengers"))
        >>> write_cell(tempfile.mkdtemp() + "/cell.html", look_inside(fitted)).name
        'cell.html'
    """
    return write_page(path, render(inside))


def render(inside: Inside) -> str:
    """The page as text."""
    panel, memory = inside.forecast.panel, inside.seen.memory()[0].numpy()
    page: dict[str, Any] = {
        "title": f"Inside the LSTM that forecasts {inside.target}",
        "source": panel.source,
        "verdict": _verdict(inside),
        "cards": _cards(inside),
        "units": [f"{unit} (remembers {_steps(memory[unit])} steps)" for unit in inside.unit_order()],
        "steps": len(inside.times),
        "inputs": inside.inputs,
        "target": inside.target,
        "ahead": steps_ahead(inside.forecast.horizon, panel.freq),
        "facts": [
            ("Data", facts.data_facts(panel)),
            ("Versions and machine", facts.machine_facts()),
            ("Model", facts.run_facts(inside.forecaster.describe())),
        ],
    }
    return fill("cell", page, _data(inside))


def _verdict(inside: Inside) -> str:
    """What the picture shows, in two sentences."""
    memory = inside.seen.memory()[0].numpy()
    kept = float(inside.seen["f"].mean())
    return (
        f"On average the forget gates keep {100 * kept:.0f} % of the memory from one step to the next. "
        f"The unit with the longest memory keeps a third of what it holds after {_steps(memory.max())} steps, "
        f"the one with the shortest after {_steps(memory.min())}."
    )


def _cards(inside: Inside) -> list[Card]:
    weight = np.abs(inside.by_lag()).sum(1)
    share = weight[: max(1, len(weight) // 4)].sum() / max(weight.sum(), 1e-12)
    means = {name: f"{float(inside.seen[name].mean()):.2f}" for name in "ifo"}
    return [
        Card("Units", str(inside.seen["h"].shape[-1]), f"read {len(inside.times)} steps"),
        Card("Mean forget gate", means["f"], "1 keeps all, 0 erases"),
        Card("Mean input gate", means["i"], f"output gate {means['o']}"),
        Card("Weight of the newest quarter", f"{100 * share:.0f} %", "of gradient × input through the LSTM"),
    ]


def _data(inside: Inside) -> charts.Json:
    panel, order = inside.forecast.panel, inside.unit_order()
    forecast = inside.forecast

    def rows(table: np.ndarray) -> list[list[float | None]]:
        """``(steps, hidden)`` as a row for each unit, in the order of the page."""
        return [charts.values_list(table[:, unit], 5) for unit in order]

    return {
        "numeric": panel.freq.is_integer,
        "hover": hover_format(panel.freq),
        "target": inside.target,
        "decimals": decimals_for(inside.values),
        "time": charts.pack_times(charts.time_numbers(inside.times, panel)),
        "text": time_texts(inside.times, panel),
        "value": charts.values_list(inside.values),
        "future": charts.pack_times(charts.time_numbers(forecast.times[0], panel)),
        "forecast": charts.values_list(forecast.mean[0, :, 0]),
        "inputs": list(inside.inputs),
        "x": [charts.values_list(row, 4) for row in inside.x],
        "units": [int(unit) for unit in order],
        "memory": charts.values_list(inside.seen.memory()[0].numpy()[order], 2),
        "parts": {name: rows(inside.seen[name][0, :, 0].numpy()) for name in ("i", "f", "g", "o", "c", "h")},
        "from_x": {name: rows(inside.from_x[k]) for k, name in enumerate("ifgo")},
        "from_h": {name: rows(inside.from_h[k]) for k, name in enumerate("ifgo")},
        "bias": {name: charts.values_list(inside.bias[k][order], 5) for k, name in enumerate("ifgo")},
        "influence": {
            name: [
                charts.values_list(row) for row in (table, inside.influence[0, ..., k], inside.influence[-1, ..., k])
            ]
            for k, (name, table) in enumerate(zip(inside.inputs, inside.influence.mean(0).T, strict=True))
        },
        "around": [charts.values_list(row) for row in _three(inside.base_influence)],
    }


def _steps(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _three(table: np.ndarray) -> tuple[np.ndarray, ...]:
    """The mean over the horizon, the first step ahead and the last."""
    return table.mean(0), table[0], table[-1]
