"""Make the pictures of docs/evidence/epidemics.md from benchmarks/results."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

HERE = Path(__file__).parent
RESULTS, IMG = HERE.parent / "benchmarks" / "results", HERE / "img"
INK, ACCENT, SOFT, PALE = "#3d424d", "#2f4fd0", "#5b606b", "#c9cbd2"
OTHERS = ("#c2540a", "#0b7f6b", "#a3237f", "#8a6d00", "#0077a8")


def main() -> None:
    """All pictures whose results are there."""
    plt.rcParams.update({"font.size": 9, "axes.edgecolor": PALE, "axes.titlesize": 10, "axes.titleweight": "bold"})
    for name, draw in {
        "epidemic_india_ours": india,
        "epidemic_india_leakage": leakage,
        "epidemic_hybrid": china,
        "epidemic_world": world,
    }.items():
        path = RESULTS / f"{name}.json"
        if path.exists():
            draw(json.loads(path.read_text())["rows"])


def india(rows: list[dict[str, Any]]) -> None:
    """RMSE4 of each model on the static windows, one panel a region."""
    regions = list(dict.fromkeys(row["task"] for row in rows))
    figure, panels = plt.subplots(1, len(regions), figsize=(9, 2.7), sharey=True, layout="constrained")
    for axes, region in zip(panels, regions, strict=True):
        mine = [row for row in rows if row["task"] == region][::-1]
        names = [row["model"].replace("gatecast: LSTM and linear daily", "gatecast") for row in mine]
        colours = [ACCENT if n == "gatecast" else "#8fa0e8" if "LSTM on" in n else PALE for n in names]
        axes.barh(names, [row["RMSE4"] for row in mine], color=colours, height=0.65)
        for k, row in enumerate(mine):
            end = _range(axes, k, row.get("RMSE4, smallest to largest"), row["RMSE4"])
            axes.text(end, k, f" {row['RMSE4']:,.0f}", va="center", color=INK)
        _bare(axes, region)
        axes.set_xlim(0, 1.25 * max(row["RMSE4"] for row in mine))
    figure.suptitle("Four days of new cases, 53 windows of October and November 2020: error (RMSE4, persons)", x=0.5)
    _save(figure, "epidemic-india.png")


def _range(axes: Any, place: float, text: str | None, value: float) -> float:
    """Draw the range over seeds where there is one; its right end."""
    if not text:
        return value
    low, high = (float(part.replace(",", "")) for part in text.split("–"))
    axes.plot([low, high], [place, place], color=INK, lw=1)
    return high


def leakage(rows: list[dict[str, Any]]) -> None:
    """Error on the random split relative to repeating the last value."""
    rows = [row for row in rows if row["split"] == "random"]
    names = {
        "best published": "best published network",
        "nearest window, no overlap": "nearest window, overlap removed",
        "nearest window": "nearest training window",
        "line, no overlap": "line, overlap removed",
        "line": "line",
        "look up, else repeat": "look the day up",
    }
    figure, axes = plt.subplots(figsize=(7.5, 3), layout="constrained")
    width = 0.8 / len(rows)
    for k, row in enumerate(rows):
        places = [p + (k - 1) * width for p in range(len(names))]
        values = [row[name] / row["repeat"] for name in names]
        axes.barh(places, values, height=width * 0.9, label=row["region"], color=(ACCENT, OTHERS[0], OTHERS[1])[k])
    axes.set_yticks(range(len(names)), names.values())
    axes.invert_yaxis()
    axes.axvline(1, color=INK, lw=0.8, ls=":")
    axes.legend(frameon=False, loc="lower right")
    _bare(axes, "Random split: error over that of repeating the last value")
    axes.xaxis.set_visible(True)
    _save(figure, "epidemic-leakage.png")


def china(rows: list[dict[str, Any]]) -> None:
    """Absolute error of the cumulative count at each origin."""
    shown = {
        "no more cases": (PALE, "-"),
        "week goes on": (SOFT, "-"),
        "SEIR": (OTHERS[0], "-"),
        "LSTM, with provinces": (ACCENT, "-"),
        "SEIR+LSTM, with provinces": (OTHERS[1], "-"),
    }
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    figure, panels = plt.subplots(1, len(tasks), figsize=(10, 3.2), sharey=True, layout="constrained")
    for axes, task in zip(panels, tasks, strict=True):
        mine = [row for row in rows if row["task"] == task]
        for name, (colour, style) in shown.items():
            points = [(k, _number(row.get(name))) for k, row in enumerate(mine)]
            known = [(k, value) for k, value in points if value is not None]
            if known:
                axes.plot(*zip(*known, strict=True), style, color=colour, marker="o", ms=3, lw=1.5, label=name)
        axes.set_yscale("log")
        axes.set_xticks(range(len(mine)), [row["origin"][5:] for row in mine], rotation=90)
        axes.set_title(task, loc="left")
        axes.grid(axis="y", color="#eceae4", lw=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].yaxis.set_major_formatter(lambda value, _: f"{value:g} %")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False)
    figure.suptitle("Cumulative cases of China: error by the day of the forecast (2020)")
    _save(figure, "epidemic-china.png")


def _number(text: str | None) -> float | None:
    """``"-38.7 %"`` → 38.7."""
    found = re.search(r"[\d.]+", text or "")
    return max(float(found[0]), 0.05) if found else None


def world(rows: list[dict[str, Any]]) -> None:
    """Relative WIS, and the cover of the 80 % interval, by stretch of the horizon."""
    rows = [row for row in rows if "model" in row]
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    figure, panels = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True, layout="constrained")
    names = list(dict.fromkeys(row["model"] for row in rows))
    for axes, column, title, line in (
        (panels[0], "relative WIS", "WIS over that of the mean of the week", 1.0),
        (panels[1], "in 80 %", "values inside the 80 % interval, %", 80.0),
    ):
        for task, colour in zip(tasks, (PALE, "#8fa0e8", ACCENT), strict=True):
            values = {row["model"]: row[column] for row in rows if row["task"] == task}
            axes.plot([values[name] for name in names], range(len(names)), "o", color=colour, label=task)
        axes.axvline(line, color=INK, lw=0.8, ls=":")
        axes.set_title(title, loc="left")
        axes.grid(axis="y", color="#eceae4", lw=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].invert_yaxis()
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    _save(figure, "epidemic-world.png")


def _bare(axes: Any, title: str) -> None:
    axes.set_title(title, loc="left")
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.xaxis.set_visible(False)


def _save(figure: Any, name: str) -> None:
    figure.savefig(IMG / name, dpi=130)
    plt.close(figure)
    print(f"written: {IMG / name}")


if __name__ == "__main__":
    main()
