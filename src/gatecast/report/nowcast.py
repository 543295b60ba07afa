"""The page about a nowcast: the map that moves, scores by time ahead, reliability."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gatecast.base.text import number, plural, time_text
from gatecast.report import facts
from gatecast.report.charts import Json, values_list
from gatecast.report.headline import Card
from gatecast.report.html import fill, write_page
from gatecast.report.map_images import (
    CHANCE_COLORS,
    CHANCES,
    RATE_COLORS,
    RATES,
    chance_image,
    coarse,
    rate_image,
)

if TYPE_CHECKING:
    from gatecast.data.grid.grid import Grid
    from gatecast.nowcast import Nowcast, NowcastBacktest

PAST = 6  # fields shown before the forecast
_LAYERS = (0.5, 5.0)  # mm/h, of the layers of probability


def write_nowcast_report(
    path: str | Path,
    nowcast: Nowcast,
    *,
    backtest: NowcastBacktest | None = None,
    example: tuple[Nowcast, Grid] | None = None,
    run: Mapping[str, Any] | None = None,
) -> Path:
    """Write a self-contained HTML page about a nowcast, and return its path.

    Args:
        path: file to write; its folder is created. An older file is replaced only when the page is complete.
        nowcast: the forecast to show.
        backtest: past nowcasts beside rivals; without it the page says that the quality is unknown.
        example: a past nowcast, and the fields that fell afterwards.
        run: settings, seed …

    Raises:
        MissingExtraError: when plotly or jinja2 is not installed.
    """
    grid = nowcast.past
    page = {
        "title": f"Rain: the next {nowcast.minutes[-1]:g} minutes",
        "source": grid.source,
        "verdict": backtest.verdict(nowcast.model, minutes=_judged(backtest))
        if backtest is not None
        else "No backtest was run, so how good this nowcast is is not known.",
        "cards": _cards(nowcast, backtest),
        "model": nowcast.model,
        "rates": list(zip(RATES, RATE_COLORS, strict=True)),
        "chances": list(zip([f"{100 * one:g}" for one in CHANCES], CHANCE_COLORS, strict=True)),
        "bar": _scale_bar(grid),
        "ratio": grid.shape[1] / grid.shape[0],
        "example": example is not None,
        "example_time": time_text(example[0].past.times[-1]) if example else "",
        "scores": _score_rows(backtest) if backtest is not None else [],
        "origins": backtest.origins if backtest is not None else 0,
        "repairs": grid.repairs,
        "facts": [
            ("Fields", _grid_facts(grid)),
            ("Versions and machine", facts.machine_facts()),
            ("Settings", facts.run_facts(dict(run or {}))),
        ],
    }
    data = {
        "map": _frames(nowcast),
        "example": _example(*example) if example else None,
        "scores": _score_lines(backtest, nowcast.model) if backtest is not None else None,
    }
    return write_page(path, fill("nowcast", page, data))


# ── the map ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _frames(nowcast: Nowcast) -> Json:
    """Frames of the past and of the forecast, by layer; all layers show the same past."""
    past = nowcast.past.rows(max(0, len(nowcast.past) - PAST), len(nowcast.past))
    names = [_clock(one) for one in (*past.times, *nowcast.times)]
    seen = [rate_image(rate, gone) for rate, gone in zip(coarse(past.values), _coarse_mask(past.missing), strict=True)]
    unknown = _coarse_mask(nowcast.inside < 0.5)
    layers = {"Rate": [rate_image(*one) for one in zip(coarse(nowcast.rate), unknown, strict=True)]}
    for threshold in _LAYERS:
        if nowcast.thresholds[0] <= threshold <= nowcast.thresholds[-1]:
            chances = coarse(nowcast.probability(threshold))
            images = [chance_image(*one) for one in zip(chances, unknown, strict=True)]
            layers[f"P(rain > {threshold:g} mm/h)"] = images
    ahead = [f"+{minutes:g} min" for minutes in nowcast.minutes]
    return {"times": names, "ahead": [*("observed" for _ in past.times), *ahead], "past": seen, "layers": layers}


def _example(nowcast: Nowcast, fell: Grid) -> Json:
    """A past nowcast beside what fell."""
    unknown = _coarse_mask(nowcast.inside < 0.5)
    count = min(len(nowcast), len(fell))
    return {
        "times": [_clock(one) for one in fell.times[:count]],
        "ahead": [f"+{minutes:g} min" for minutes in nowcast.minutes[:count]],
        "observed": [
            rate_image(*one)
            for one in zip(coarse(fell.values)[:count], _coarse_mask(fell.missing)[:count], strict=True)
        ],
        "forecast": [rate_image(*one) for one in zip(coarse(nowcast.rate)[:count], unknown[:count], strict=True)],
    }


def _coarse_mask(mask: np.ndarray) -> np.ndarray:
    return coarse(mask.astype(np.float32)) > 0.5


def _clock(moment: Any) -> str:
    return time_text(moment) + " UTC"


def _scale_bar(grid: Grid) -> dict[str, Any]:
    """A round length of about a quarter of the map, and its share of the width."""
    width = grid.shape[1] * grid.pixel_km
    length = max(one for one in (1, 2, 5, 10, 20, 50, 100, 200, 500) if one <= max(1.0, width / 4))
    return {"text": f"{length} km", "percent": round(100 * length / width, 2)}


# ── scores ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _judged(backtest: NowcastBacktest) -> float:
    """The time ahead of the verdict: one hour, or the nearest."""
    return float(min(backtest.counts["minutes"].unique(), key=lambda minutes: abs(minutes - 60)))


def _cards(nowcast: Nowcast, backtest: NowcastBacktest | None) -> list[Card]:
    now = nowcast.past.values[-1][~nowcast.past.missing[-1]]
    cards = [
        Card("Last field", time_text(nowcast.past.times[-1])[-5:], "UTC"),
        Card("Rain now", f"{100 * float((now >= 0.5).mean()):.0f} %", "of the observed area above 0.5 mm/h"),
        Card("Rain at the end", f"{100 * nowcast.area(0.5)[-1]:.0f} %", "expected, of the area that is known then"),
    ]
    if backtest is None:
        return cards
    minutes = _judged(backtest)
    table = backtest.scores()
    row = table[(table["model"] == nowcast.model) & (table["minutes"] == minutes) & (table["threshold"] == 0.5)]
    return (
        [*cards, Card(f"CSI at {minutes:g} min", number(float(row["CSI"].iloc[0]), 2), "0.5 mm/h, backtest")]
        if len(row)
        else cards
    )


def _score_rows(backtest: NowcastBacktest) -> list[dict[str, Any]]:
    """Rows of the table: each threshold and some times ahead, best CSI marked."""
    table = backtest.scores()
    shown = [one for one in (30.0, 60.0, 90.0) if one in set(table["minutes"])] or sorted(set(table["minutes"]))[-1:]
    columns = [name for name in table.columns if name not in ("model", "minutes", "threshold")]
    rows = []
    for threshold in sorted(set(table["threshold"])):
        for minutes in shown:
            part = table[(table["threshold"] == threshold) & (table["minutes"] == minutes)]
            for _, one in part.sort_values("CSI", ascending=False).iterrows():
                best = one["CSI"] == part["CSI"].max() > 0
                cells = [{"text": number(float(one[name]), 3), "best": best and name == "CSI"} for name in columns]
                rows.append(
                    {"threshold": f"{threshold:g}", "minutes": f"{minutes:g}", "model": one["model"], "cells": cells}
                )
    return [{"columns": columns, **row} for row in rows]


def _score_lines(backtest: NowcastBacktest, model: str) -> Json:
    """CSI and FSS by time ahead for each threshold and model, and the reliability."""
    table, models = backtest.scores(), backtest.models
    found: dict[str, Any] = {"chosen": model, "models": models, "thresholds": {}, "reliability": {}}
    fss = next(name for name in table.columns if name.startswith("FSS"))
    for threshold, part in table.groupby("threshold"):
        lines = {}
        for name, one in part.groupby("model"):
            ordered = one.sort_values("minutes")
            lines[str(name)] = {
                "minutes": values_list(ordered["minutes"].to_numpy()),
                "CSI": values_list(ordered["CSI"].to_numpy(), 4),
                "FSS": values_list(ordered[fss].to_numpy(), 4),
            }
        found["thresholds"][f"{threshold:g}"] = lines
    for name, one in backtest.reliability.groupby("model"):
        rows = one[one["pixels"] >= 0.01 * one["pixels"].sum()]
        if len(rows) > 1:
            found["reliability"][str(name)] = {
                "said": values_list((rows["probability"] / rows["pixels"]).to_numpy(), 4),
                "came": values_list((rows["observed"] / rows["pixels"]).to_numpy(), 4),
            }
    return found


def _grid_facts(grid: Grid) -> facts.Facts:
    height, width = grid.shape
    return [
        ("Source", grid.source),
        ("Fields", f"{plural(len(grid), 'field')}, every {grid.step:g} min"),
        ("Pixels", f"{height} × {width} of {grid.pixel_km:g} km"),
        ("Span", f"{grid.start} to {grid.end} UTC"),
        ("Missing", f"{100 * float(grid.missing.mean()):.1f} % of the pixels"),
        ("Projection", grid.projection or "not stated"),
        ("SHA-256, first 16 digits", grid.digest()[:16]),
    ]
