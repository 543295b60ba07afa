"""The page about an epidemic: daily and cumulative cases, R_t, scenarios, and scores by origin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gatecast.base.text import NOTHING, number
from gatecast.data.panel import Panel
from gatecast.evaluation.forecast import Forecast
from gatecast.report import facts
from gatecast.report.charts import Json, bands, pack_times, time_numbers, values_list
from gatecast.report.format import hover_format, time_texts
from gatecast.report.headline import Card
from gatecast.report.html import fill, write_page

if TYPE_CHECKING:
    from gatecast.base.findings import Finding
    from gatecast.epidemic import OriginScores, SEIRForecaster, Study
    from gatecast.forecasters.backtest import Backtest

MOST_SERIES = 12


def write_epidemic_report(path: str | Path, study: Study, *, words: Callable[[Finding], str] = str) -> Path:
    """Write a self-contained HTML page about an epidemic, and return its path.

    Args:
        path: file to write; its folder is created. An older file is replaced only when the page is complete.
        study: from :func:`gatecast.epidemic.study`.
        words: renders the findings of the study.

    Raises:
        MissingExtraError: when plotly or jinja2 is not installed.
    """
    panel, backtest, origins = study.panel, study.backtest, study.origins
    shown = [name for name in map(str, panel.ids) if name in study.seir.fits_][:MOST_SERIES]
    page = {
        "title": _title(panel, study.config.horizon),
        "source": panel.source,
        "verdict": study.verdict or "No backtest was run, so how good these forecasts are is not known.",
        "cards": _cards(study, shown[0]),
        "chosen": study.best.model,
        "series": shown,
        "left_out": len(panel) - len(shown),
        "scores": _scores(backtest) if backtest is not None else None,
        "origins": _origins(origins, panel) if origins else None,
        "horizon": study.config.horizon,
        "parameters": _parameters(study.seir, shown),
        "scenarios": bool(study.curves),
        "notes": [*map(words, study.findings), *(note for one in study.forecasts.values() for note in one.notes)],
        "failed": backtest.failed if backtest is not None else {},
        "repairs": panel.repairs,
        "facts": facts.all_facts(panel, study.record()),
    }
    return write_page(path, fill("epidemic", page, _data(study, shown)))


# ── words and tables ──────────────────────────────────────────────────────────────────────────────────────────────────
def _title(panel: Panel, horizon: int) -> str:
    name = f"{panel.target_names[0]} of {panel.ids[0]}" if len(panel) == 1 and panel.id_name else panel.target_names[0]
    last = time_texts(panel.cutoffs[:1], panel)[0]
    return f"{name[:1].upper()}{name[1:]}: {horizon} days from {last}"


_CARDS = {
    "R_t at the origin": "Reproduction number",
    "doubling time (days)": "Doubling time",
    "peak date": "Peak",
    "peak (new cases a day)": "Cases a day at the peak",
    "final size (cases)": "Final size",
}


def _cards(study: Study, name: str) -> list[Card]:
    table = study.summary
    rows = table[table["unique_id"] == name].set_index("quantity")
    labels = dict(_CARDS)
    if (day := study.seir.fitted_from(name)) is not None:  # the peak may lie in the days before
        labels["peak date"] += f" since {_cell(day)}"
    return [_card(label, quantity, rows.loc[quantity]) for quantity, label in labels.items()]


def _card(label: str, quantity: str, row: Any) -> Card:
    value, low, high = (_cell(row[name]) for name in ("estimate", "low", "high"))
    if quantity == "doubling time (days)":
        label = "Doubling time" if row["estimate"] > 0 else "Halving time"
        value = f"{number(abs(row['estimate']), 1)} days"
        remark = _around_zero(row["low"], row["high"])
    else:
        remark = f"95 %: {low} to {high}"
    return Card(label, value, remark)


def _around_zero(low: float, high: float) -> str:
    """The interval of a doubling time, which is not an interval where it spans growth and decline."""
    if low * high < 0:
        return "growth and decline are both possible"
    return f"95 %: {number(min(abs(low), abs(high)), 1)} to {number(max(abs(low), abs(high)), 1)}"


def _cell(value: Any) -> str:
    if hasattr(value, "strftime"):
        return str(value)[:10]
    if value is None or not np.isfinite(value):
        return NOTHING
    return number(value, 0) if abs(value) >= 100 else number(value, 2)


def _scores(backtest: Backtest) -> Json:
    """One row per model, best WIS first."""
    table = backtest.scores().sort_values("WIS")
    columns = ["WIS", "MAE", "MASE", *[name for name in table.columns if name.startswith("coverage-")]]
    labels = [f"In {name.partition('-')[2]} %" if name.startswith("coverage-") else name for name in columns]
    best = {name: table[name].min() for name in columns if not name.startswith("coverage-")}
    rows = []
    for model, row in table.iterrows():
        cells = [
            {"text": number(row[name], 2 if name == "MASE" else 1), "best": name in best and row[name] == best[name]}
            for name in columns
        ]
        rows.append({"model": str(model), "cells": cells})
    return {"columns": labels, "rows": rows, "origins": len(backtest.cutoffs)}


def _origins(origins: OriginScores, panel: Panel) -> Json:
    models = [str(name) for name in origins.means.columns]
    days = time_texts(origins.table["cutoff"].to_numpy(), panel)
    rows = [
        {
            "day": day,
            "phase": row["phase"],
            "cells": [{"text": number(row[name], 0), "best": row["best"] == name} for name in models],
        }
        for day, (_, row) in zip(days, origins.table.iterrows(), strict=True)
    ]
    return {"models": models, "rows": rows}


def _parameters(seir: SEIRForecaster, shown: Sequence[str]) -> list[Json]:
    table = seir.params_[seir.params_["unique_id"].isin(shown)]
    return [
        {
            "series": row.unique_id,
            "name": row.parameter,
            "value": number(row.estimate),
            "interval": NOTHING if row.reason == "given" else f"{number(row.low)} to {number(row.high)}",
            "identified": {True: "yes", False: "no"}.get(row.identifiable, "given"),
            "reason": "" if row.reason == "given" else row.reason,
        }
        for row in table.itertuples()
    ]


# ── numbers behind the charts ─────────────────────────────────────────────────────────────────────────────────────────
def _data(study: Study, shown: Sequence[str]) -> Json:
    panel = study.panel
    rows = {str(name): row for row, name in enumerate(panel.ids)}
    before = study.cases.before
    return {
        "numeric": panel.freq.is_integer,
        "hover": hover_format(panel.freq),
        "target": panel.target_names[0],
        "chosen": study.best.model,
        "horizon": study.config.horizon,
        "models": list(study.forecasts),
        "series": [_series(study, rows[name], name, before[rows[name]]) for name in shown],
        "origins": _origin_lines(study.origins, panel) if study.origins else None,
    }


def _series(study: Study, row: int, name: str, before: float) -> Json:
    """One series; ``before`` are its cases before the first row."""
    panel = study.panel
    values = panel.series(row)[:, 0]
    fitted, reproduction = (_of_series(frame, name) for frame in (study.fitted_curve, study.reproduction))
    return {
        "id": name,
        "time": pack_times(time_numbers(panel.times(row), panel)),
        "new": values_list(values),
        "cumulative": values_list(before + np.nancumsum(values)),
        "future": pack_times(time_numbers(panel.future_times(study.config.horizon)[row], panel)),
        "models": {
            model: _model(one, row, before + float(np.nansum(values))) for model, one in study.forecasts.items()
        },
        "course": {"time": _frame_times(fitted, panel), **_course(fitted, before)},
        "reproduction": {
            "time": _frame_times(reproduction, panel),
            **{key: values_list(reproduction[key].to_numpy(), 3) for key in ("estimate", *_BANDS)},
            "origin": int((~reproduction["future"]).sum()),
        },
        "scenarios": [
            {"name": title, **_course(_of_series(curve, name), before)} for title, curve in study.curves.items()
        ],
    }


def _of_series(frame: Any, name: str) -> Any:
    return frame[frame["unique_id"] == name]


def _course(curve: Any, before: float) -> Json:
    """New and cumulative cases of a fitted course."""
    return {
        "new": values_list(curve["new"].to_numpy()),
        "cumulative": values_list(before + curve["cumulative"].to_numpy()),
    }


_BANDS = ("lo-95", "hi-95", "lo-50", "hi-50")


def _frame_times(frame: Any, panel: Panel) -> Json:
    return pack_times(time_numbers(frame["ds"].to_numpy(), panel))


def _model(forecast: Forecast, row: int, total: float) -> Json:
    """Median and bands of new and of cumulative cases."""
    levels = sorted(forecast.levels, reverse=True)
    new = {"middle": values_list(forecast.mean[row, :, 0]), "bands": bands(forecast, row, 0)}
    cumulative: Json = {"middle": values_list(total + forecast.mean[row, :, 0].cumsum()), "bands": []}
    if forecast.samples is not None:
        paths = total + forecast.samples[row, :, :, 0].cumsum(axis=1)
        tails = [(50 - level / 2, 50 + level / 2) for level in levels]
        cumulative["bands"] = [
            {"level": level, "low": values_list(low), "high": values_list(high)}
            for level, (low, high) in zip(levels, (np.percentile(paths, tail, axis=0) for tail in tails), strict=True)
        ]
    return {"new": new, "cumulative": cumulative}


def _origin_lines(origins: OriginScores, panel: Panel) -> Json:
    models = [str(name) for name in origins.means.columns]
    return {
        "time": time_numbers(origins.table["cutoff"].to_numpy(), panel).tolist(),
        "models": {name: values_list(origins.table[name].to_numpy()) for name in models},
    }
