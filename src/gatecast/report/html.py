"""The report: one self-contained HTML file, plotly.js included, which opens without a network."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatecast.base.errors import MissingExtraError
from gatecast.base.files import whole
from gatecast.base.text import duration, number
from gatecast.data.panel import Panel
from gatecast.evaluation.forecast import Forecast
from gatecast.report import charts, facts, headline
from gatecast.report.accuracy import Accuracy, calibration_chart, metric_table, origin_charts, rank_series, step_chart
from gatecast.report.format import steps_ahead
from gatecast.training.explain import explain_training

if TYPE_CHECKING:
    from gatecast.forecasters.backtest import Backtest

_HERE = Path(__file__).parent


def write_report(
    path: str | Path,
    *,
    panel: Panel,
    forecast: Forecast,
    backtest: Backtest | None = None,
    training: Sequence[Mapping[str, Any]] | None = None,
    run: Mapping[str, Any] | None = None,
) -> Path:
    """Write a self-contained HTML page about a forecast, and return its path.

    Args:
        path: file to write; its folder is created. An older file is replaced only when the page is complete.
        panel: the data forecast from; its repairs are listed.
        forecast: the forecast to show.
        backtest: past forecasts next to baselines; without it the page says that the quality is unknown.
        training: one mapping per step with ``step``, ``train_loss`` and optionally ``val_loss``
            (``forecaster.history_``).
        run: settings, seed, seconds …; versions, machine and a hash of the data are added.

    Raises:
        MissingExtraError: when plotly or jinja2 is not installed.

    Example:
        >>> import numpy as np, gatecast, tempfile
        >>> panel = gatecast.Panel.from_arrays([np.arange(30.0)], ids=["sales"])
        >>> forecast = gatecast.Drift().fit(panel).predict(7)
        >>> gatecast.write_report(tempfile.mkdtemp() + "/report.html", panel=panel, forecast=forecast).name
        'report.html'
    """
    return write_page(path, render(panel, forecast, backtest, list(training or []), dict(run or {})))


def write_page(path: str | Path, text: str) -> Path:
    """Write a page; the file appears complete or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as draft:
        draft.write_text(text, encoding="utf-8")
    return path


def render(
    panel: Panel, forecast: Forecast, backtest: Backtest | None, training: list[Any], run: Mapping[str, Any]
) -> str:
    """The page as text."""
    accuracy = Accuracy(backtest, forecast.model) if backtest is not None else None
    shown, labels, selection = _choose(forecast, accuracy)
    page: dict[str, Any] = {
        "title": headline.title(panel, forecast),
        "source": panel.source,
        "verdict": headline.NO_BACKTEST,
        "cards": headline.cards(panel, forecast, accuracy),
        "model": forecast.model,
        "levels": [f"{level:g}" for level in forecast.levels],
        "notes": forecast.notes,
        "selection": selection,
        "repairs": panel.repairs,
        "facts": facts.all_facts(panel, run),
        "series": list(zip(shown, labels, strict=True)),
        "targets": panel.target_names,
        "training": charts.training_chart(training),
        "training_words": explain_training(training).text if training else "",
    }
    data = {"fan": charts.forecast_charts(panel, forecast, shown), "training": page["training"]}
    if accuracy is not None:
        page["verdict"], page["backtest"], data["backtest"] = _accuracy(panel, accuracy, shown)
        page["notes"] = [*forecast.notes, *headline.other_model(accuracy.verdict, forecast.model, run)]
    return fill("forecast", page, data)


def _choose(forecast: Forecast, accuracy: Accuracy | None) -> tuple[list[str], list[str], str]:
    """Series shown, their labels in the picker, and a sentence on their order and on series left out."""
    ids, most = [str(name) for name in forecast.ids], charts.MOST_SERIES
    if len(ids) == 1 or accuracy is None:
        left = f"The first {most} of {len(ids):,} series are shown." if len(ids) > most else ""
        return ids[:most], ids[:most], left
    errors, metric = rank_series(accuracy)
    known = set(ids)
    ranked = [name for name in errors if name in known] + [name for name in ids if name not in errors]
    if len(ranked) > most:
        ranked = [ranked[round(i * (len(ranked) - 1) / (most - 1))] for i in range(most)]
    labels = [f"{name} · {metric} {number(errors[name], 2)}" if name in errors else name for name in ranked]
    order = f"from the largest {metric} of the backtest to the smallest"
    left = f"{len(ranked)} of {len(ids):,} series are shown, " if len(ids) > most else "Series are listed "
    return ranked, labels, f"{left}{order}{', in even steps of rank' if len(ids) > most else ''}."


def _accuracy(panel: Panel, accuracy: Accuracy, shown: list[str]) -> tuple[str, dict[str, Any], charts.Json]:
    backtest, candidate = accuracy.backtest, accuracy.candidate
    verdict = accuracy.verdict
    origins = origin_charts(accuracy, panel, shown)
    calibration = calibration_chart(accuracy)
    page = {
        "candidate": candidate,
        "metrics": metric_table(accuracy),
        "comparisons": headline.comparisons(verdict),
        "left_out": list(backtest.left_out),
        "notes": list(backtest.notes),
        "failed": dict(backtest.failed),
        "ahead": steps_ahead(backtest.horizon, panel.freq),
        "origins": len(backtest.cutoffs),
        "season": backtest.season,
        "capped": origins["kept"] if origins["kept"] < len(shown) else 0,
        "calibration": calibration,
    }
    data = {
        "candidate": candidate,
        "models": accuracy.models,
        "origins": origins,
        "steps": step_chart(accuracy),
        "calibration": calibration,
    }
    return headline.unbroken(verdict.text), page, data


def fill(name: str, page: Mapping[str, Any], data: charts.Json) -> str:
    """The page of a name from its template and script; ``page.*`` and plotly.js are shared by all pages."""
    try:
        import jinja2
    except ImportError as error:
        raise MissingExtraError("jinja2 is needed for the report", "pip install jinja2") from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["seconds"] = duration
    return environment.get_template(f"{name}.html.j2").render(
        **page,
        css=(_HERE / "page.css").read_text("utf-8"),
        shared=(_HERE / "page.js").read_text("utf-8"),
        script=(_HERE / f"{name}.js").read_text("utf-8"),
        plotly=_plotly_script(),
        data=safe_json(data),
    )


def safe_json(data: object) -> str:
    """JSON for a ``<script>`` element: ``<``, ``>`` and ``&`` are escaped."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _plotly_script() -> str:
    """plotly.js from the plotly package, which is not imported (that takes a second)."""
    found = importlib.util.find_spec("plotly")
    if found is None or not found.submodule_search_locations:
        raise MissingExtraError("plotly is needed for the report's charts", "pip install plotly")
    return (Path(found.submodule_search_locations[0]) / "package_data" / "plotly.min.js").read_text("utf-8")
