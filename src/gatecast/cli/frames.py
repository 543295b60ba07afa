"""Frames for output: the user's names for id and time, and plain columns for the forecast."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gatecast.cli.shell import in_shell

if TYPE_CHECKING:
    import pandas as pd

    from gatecast.data import Panel
    from gatecast.evaluation import Forecast


def forecast_frame(forecast: Forecast) -> pd.DataFrame:
    """Columns: the user's id column (``series`` where the file was wide; none for one series), the user's time column,
    ``target`` (where there are several), ``model``, ``forecast``, ``lo-80``, ``hi-80`` …
    """
    panel, frame = forecast.panel, forecast.to_frame().drop(columns="cutoff")
    single = len(panel) == 1 and not panel.id_name
    names = {
        "unique_id": panel.id_name or "series",
        "ds": panel.time_name,
        "variable": "target",
        forecast.model: "forecast",
    }
    for level in forecast.levels:
        for side in ("lo", "hi"):
            names[f"{forecast.model}-{side}-{level:g}"] = f"{side}-{level:g}"
    frame = frame.drop(columns="unique_id") if single else frame
    taken = {panel.id_name, panel.time_name}
    ours = {old: _free(new, taken) if old not in ("unique_id", "ds") else new for old, new in names.items()}
    frame = frame.rename(columns=ours)
    frame.insert(int(frame.columns.get_loc(ours[forecast.model])), _free("model", taken), forecast.model)
    return frame


def _free(name: str, taken: set[str]) -> str:
    """The name, with ``_`` appended while a column of the user has it."""
    return _free(f"{name}_", taken) if name in taken else name


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as JSON values: ISO dates, null for missing."""
    return list(json.loads(frame.to_json(orient="records", date_format="iso", double_precision=10)))


def summary(panel: Panel) -> dict[str, Any]:
    """How the data were read, as JSON values."""
    start, end = moments(panel, [panel.starts.min(), panel.cutoffs.max()]) if len(panel) else (None, None)
    return {
        "source": panel.source,
        "series": len(panel),
        "rows": int(panel.lengths.sum()),
        "frequency": str(panel.freq),
        "season": panel.season,
        "start": start,
        "end": end,
        "time": panel.time_name,
        "id": panel.id_name or None,
        "target": list(panel.target_names),
        "past": list(panel.past_names),
        "known": list(panel.known_names),
        "static": list(panel.static_names),
        "category": list(panel.category_names),
        "time_zone": panel.tz,
        "missing": missing(panel),
        "future_rows": int((panel.stop - panel.end).max(initial=0)),
        "repairs": [
            {"kind": one.kind, "message": in_shell(replace(one, place="")), "count": one.count, "place": one.place}
            for one in panel.repairs
        ],
    }


def missing(panel: Panel) -> int:
    """Number of missing target values up to the origin."""
    import numpy as np

    return int(sum(np.isnan(values).sum() for _, values in panel))


def moments(panel: Panel, times: Any) -> list[str]:
    """Times as text; without the time of day where all are midnight."""
    import pandas as pd

    if panel.freq.is_integer:
        return [str(int(time)) for time in times]
    stamps = pd.DatetimeIndex(times)
    stamps = stamps.tz_localize("UTC").tz_convert(panel.tz) if panel.tz else stamps
    return [*stamps.strftime("%Y-%m-%d" if (stamps == stamps.normalize()).all() else "%Y-%m-%d %H:%M")]
