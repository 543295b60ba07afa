"""The page about gradients by lag: cells, forget biases, radii, depths, training and clipping."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gatecast.base.text import NOTHING
from gatecast.report import charts, facts
from gatecast.report.headline import Card
from gatecast.report.html import fill, write_page

if TYPE_CHECKING:
    from gatecast.lab import Gradients
    from gatecast.lab.gradients import Curve

_GROUPS = (
    (
        "cells",
        "The cells at the start",
        "Norm of the gradient of the last outputs with respect to the cell state where there is one, else the "
        "output. A straight line is a constant factor per step.",
    ),
    (
        "bias",
        "The forget bias",
        "The same LSTM with other biases of its forget gate. Chrono: biases drawn so that units remember 1 to all of "
        "the steps (Tallec & Ollivier 2018).",
    ),
    (
        "radius",
        "The spectral radius",
        "A plain network whose recurrent matrix is a rotation times the radius; one sigmoid unit that feeds itself. "
        "Above 1 the gradient may explode; tanh holds it back.",
    ),
    ("depth", "The depth", "The lowest layer of a stack, by lag."),
)


def write_gradients(path: str | Path, found: Gradients) -> Path:
    """Write a self-contained HTML page about gradients by lag, and return its path.

    Args:
        path: file to write; its folder is created. An older file is replaced only when the page is complete.
        found: from :func:`gatecast.lab.measure_gradients`.

    Example:
        >>> import tempfile
        >>> from gatecast.lab import GradientsConfig, measure_gradients
        >>> from gatecast.report import write_gradients
        >>> found = measure_gradients(GradientsConfig(lag=12, hidden=4, recall=5, updates=2))
        >>> write_gradients(tempfile.mkdtemp() + "/gradients.html", found).name
        'gradients.html'
    """
    return write_page(path, render(found))


def render(found: Gradients) -> str:
    """The page as text."""
    config = found.config
    page: dict[str, Any] = {
        "title": "Why the LSTM exists: gradients by lag",
        "source": f"{config.hidden} units, lags to {config.lag}",
        "verdict": verdict(found),
        "cards": _cards(found),
        "groups": [
            {
                "id": name,
                "title": title,
                "help": words,
                "rows": [_row(curve, config.lag) for curve in found.groups[name]],
            }
            for name, title, words in _GROUPS
        ],
        "weights": [(name, [f"{value:.1e}" for value in norms]) for name, norms in found.weights.items()],
        "differences": [(name, f"{value:.0e}") for name, value in found.differences.items()],
        "runs": [(run.name, f"{run.losses[-1]:.3f}", f"{100 * run.right:.1f}") for run in found.runs],
        "recall": config.recall,
        "updates": config.updates,
        "seed": config.seed,
        "facts": [("Sizes", facts.run_facts(vars(config))), ("Versions and machine", facts.machine_facts())],
    }
    return fill("gradients", page, _data(found))


def verdict(found: Gradients) -> str:
    """What was measured, in three sentences."""
    cells = {curve.label: curve for curve in found.groups["cells"]}
    rnn, zero, lag = cells["RNN"], cells["LSTM, forget bias 0"], found.config.lag
    high = cells["LSTM, forget bias 5"]
    return (
        f"With its forget gates at one half, an LSTM's gradient vanishes as an RNN's does: at lag {lag} the one is "
        f"{zero.norms[-1]:.0e}, the other {rnn.norms[-1]:.0e}. What saves it is a forget gate near one: with a bias of "
        f"5 it is {high.norms[-1]:.2g}. The cell of 1997, which has no forget gate, keeps it exactly."
    )


def _cards(found: Gradients) -> list[Card]:
    cells = {curve.label: curve for curve in found.groups["cells"]}
    shown = ("RNN", "LSTM, forget bias 0", "LSTM, forget bias 1", "LSTM of 1997")
    return [Card(name, f"{cells[name].factor:.3f}", "factor per step") for name in shown]


def _row(curve: Curve, lag: int) -> dict[str, str]:
    return {
        "label": curve.label,
        "factor": f"{curve.factor:.4f}",
        "theory": NOTHING if curve.theory is None else f"{curve.theory:.4f}",
        "words": curve.words,
        "first": f"{curve.norms[1]:.1e}",
        "last": f"{curve.norms[lag]:.1e}",
    }


def _data(found: Gradients) -> charts.Json:
    lines = {name: [_line(curve) for curve in curves] for name, curves in found.groups.items()}
    runs = {
        "runs": [{"name": run.name, "loss": _smooth(run.losses)} for run in found.runs],
        "clipping": [{"name": run.name, "loss": _smooth(run.losses)} for run in found.clipping],
        "norms": [{"name": run.name, "loss": charts.values_list(np.array(run.norms), 6)} for run in found.clipping],
    }
    return {"lines": lines, **runs}


def _line(curve: Curve) -> charts.Json:
    """Norms to three figures; zero has no place on a logarithmic axis."""
    return {"name": curve.label, "norm": [float(f"{v:.3g}") if v > 0 and np.isfinite(v) else None for v in curve.norms]}


def _smooth(losses: list[float], width: int = 20) -> list[float | None]:
    """Mean of the last steps."""
    table = np.array(losses, dtype=float)
    sums = np.cumsum(np.concatenate([[0.0], table]))
    first = np.maximum(np.arange(len(table)) + 1 - width, 0)
    return charts.values_list((sums[1:] - sums[first]) / (np.arange(len(table)) + 1 - first), 5)
