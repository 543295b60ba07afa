"""The frame of a forecast for files: the user's names for id and time, and plain columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from gatecast.evaluation.forecast import Forecast


def output_frame(forecast: Forecast) -> pd.DataFrame:
    """Columns: the user's id column (``series`` where the file was wide; left out for one series), the user's time
    column, ``target`` (where there are several), ``model``, ``forecast``, ``lo-80``, ``hi-80`` …
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
