"""Draws docs/img/layers-rivals.png from the result of layers_rivals.py.

    python benchmarks/plot_layers.py [benchmarks/results/layers_rivals.json] [--image FILE]

A panel for each task, a row for each library, a dot for each shape: how many times as much time as gatecast it needs.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
IMAGE = HERE.parent / "docs" / "img" / "layers-rivals.png"
END = " × ours"
DOT, MEAN, LINE, WORDS = "#8fb4d9", "#12467b", "#c0392b", "#333333"


def main() -> None:
    """Draw and write."""
    parser = argparse.ArgumentParser(description="Draw the result of layers_rivals.py.")
    parser.add_argument("result", type=Path, nargs="?", default=HERE / "results" / "layers_rivals.json")
    parser.add_argument("--image", type=Path, default=IMAGE)
    args = parser.parse_args()
    figure = drawn(json.loads(args.result.read_text())["rows"])
    args.image.parent.mkdir(exist_ok=True)
    figure.savefig(args.image, dpi=110)
    print(f"written: {args.image}")


def drawn(rows: list[dict[str, Any]]) -> Any:
    """Tasks that have a row for each shape, one panel each."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter, NullFormatter

    tasks = list(dict.fromkeys(row["task"] for row in rows if "B, T, I, H, layers" in row))
    names = libraries(rows)
    columns = min(2, len(tasks))
    lines = -(-len(tasks) // columns)
    size = (5.2 * columns, 1.1 + lines * (0.9 + 0.34 * len(names)))
    figure, panels = pyplot.subplots(lines, columns, figsize=size, sharex=True, sharey=True, squeeze=False)
    for panel, task in zip(panels.flat, tasks, strict=False):
        draw(panel, [row for row in rows if row["task"] == task], names)
        panel.set_title(task, fontsize=10, color=WORDS, loc="left")
    for panel in panels[-1]:
        panel.set_xlabel("time × gatecast's; a dot for each shape, a bar for their mean", fontsize=8, color=WORDS)
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
        panel.xaxis.set_minor_formatter(NullFormatter())
    figure.tight_layout()
    return figure


def libraries(rows: list[dict[str, Any]]) -> list[str]:
    """Names of all rivals that run shapes, the fastest first."""
    means = [row for row in rows if row.get("B, T, I, H, layers") == "geometric mean"]
    names = dict.fromkeys(name for row in means for name in row if name.endswith(END))
    return sorted(names, key=lambda name: min(row[name] for row in means if name in row))


def draw(panel: Any, rows: list[dict[str, Any]], names: list[str]) -> None:
    """One task."""
    for place, name in enumerate(names):
        dots = [row[name] for row in rows if name in row and row["B, T, I, H, layers"] != "geometric mean"]
        means = [row[name] for row in rows if name in row and row["B, T, I, H, layers"] == "geometric mean"]
        panel.plot(dots, [place] * len(dots), "o", color=DOT, markersize=5, markeredgewidth=0)
        panel.plot(means, [place] * len(means), "|", color=MEAN, markersize=15, markeredgewidth=2.5)
        for mean in means:
            panel.annotate(f"{mean:.2g}×", (mean, place), xytext=(0, 8), textcoords="offset points", fontsize=7,
                           ha="center", color=MEAN)  # fmt: skip
    panel.axvline(1, color=LINE, linewidth=1)
    panel.set_xscale("log")
    panel.set_yticks(range(len(names)), [name.removesuffix(END) for name in names], fontsize=8, color=WORDS)
    panel.set_ylim(len(names) - 0.4, -0.8)
    panel.grid(axis="x", color="#eeeeee")
    panel.set_axisbelow(True)
    panel.tick_params(length=0, labelsize=8)
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)


if __name__ == "__main__":
    main()
