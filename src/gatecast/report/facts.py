"""Facts of the data, the machine and the run, with which someone else can repeat a forecast."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Mapping
from typing import Any

import numpy as np

from gatecast.base.text import duration
from gatecast.data.panel import Panel
from gatecast.report.format import time_texts

Facts = list[tuple[str, str]]


def all_facts(panel: Panel, run: Mapping[str, Any]) -> list[tuple[str, Facts]]:
    """Facts of the data, the machine and the run, with their headings."""
    return [("Data", data_facts(panel)), ("Versions and machine", machine_facts()), ("Settings", run_facts(run))]


def data_hash(panel: Panel) -> str:
    """First 16 digits of the panel's SHA-256."""
    return panel.digest()[:16]


def data_facts(panel: Panel) -> Facts:
    """Source, size, span and missing values of the panel."""
    missing = sum(int(np.isnan(values).sum()) for _, values in panel)
    cells = int(panel.lengths.sum()) * panel.targets
    facts = [
        ("Source", panel.source),
        ("Target", ", ".join(panel.target_names)),
        ("Series", f"{len(panel):,}"),
        ("Rows", f"{int(panel.lengths.sum()):,}"),
        ("Frequency", str(panel.freq)),
        ("Span", _span(panel)),
        ("Missing values", f"{missing:,} of {cells:,}" if missing else "none"),
    ]
    for label, names in _covariates(panel):
        facts += [(label, ", ".join(names))] if names else []
    facts += [("Time zone", panel.tz)] if panel.tz else []
    return [*facts, ("SHA-256, first 16 digits", data_hash(panel))]


def _covariates(panel: Panel) -> list[tuple[str, tuple[str, ...]]]:
    return [
        ("Past covariates", panel.past_names),
        ("Known in advance", panel.known_names),
        ("Static", panel.static_names + panel.category_names),
    ]


def _span(panel: Panel) -> str:
    if not len(panel):
        return ""
    first, last = time_texts(np.array([panel.starts.min(), panel.cutoffs.max()]), panel)
    return f"{first} to {last}"


def machine_facts() -> Facts:
    """Versions and machine, read from this process."""
    names = ("gatecast", "torch", "numpy", "pandas", "statsforecast")
    facts = [(name, version) for name in names if (version := _version(name))]
    return [
        *facts,
        ("Python", platform.python_version()),
        ("System", f"{platform.system()} {platform.machine()}"),
        ("Processors", str(os.cpu_count() or "unknown")),
    ]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def run_facts(run: Mapping[str, Any]) -> Facts:
    """Settings as rows; nested ones with their path, seconds as durations."""
    rows: Facts = []
    for key, value in run.items():
        label = str(key).replace("_", " ").strip()
        if isinstance(value, Mapping):
            rows += [(f"{label} · {inner}", text) for inner, text in run_facts(value)]
        else:
            rows.append((label, _text(str(key), value)))
    return rows


def _text(key: str, value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (float, np.floating)):
        return duration(float(value)) if key.endswith("seconds") else f"{float(value):,.6g}"
    if isinstance(value, (int, np.integer)):
        return f"{int(value):,}" if abs(int(value)) >= 10_000 else str(int(value))
    if isinstance(value, (list, tuple)):
        return ", ".join(_text("", item) for item in value)
    return str(value)
