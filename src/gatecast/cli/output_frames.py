"""Frames for output: the user's names for id and time, and plain columns for the forecast."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gatecast.cli.shell import in_shell

if TYPE_CHECKING:
    import pandas as pd

    from gatecast.data import Panel


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
    if panel.freq.is_integer:
        return [str(int(time)) for time in times]
    import numpy as np

    from gatecast.data.wall_clock import zoned_times

    stamps = zoned_times(np.asarray(times), panel.tz)
    return [*stamps.strftime("%Y-%m-%d" if (stamps == stamps.normalize()).all() else "%Y-%m-%d %H:%M")]
