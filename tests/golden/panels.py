"""A panel as plain facts and one digest. Only this file knows where a panel keeps its names, repairs and times."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

import gatecast
from gatecast import Panel

ROLES = ("target", "past", "known", "static", "category")


def with_future(panel: Panel, frame: Any) -> Panel:
    """The panel with the known covariates of the steps ahead."""
    return gatecast.add_future(panel, frame)


def names(panel: Panel) -> dict[str, list[str]]:
    """Column names by role, in order."""
    columns = {role: list(getattr(panel, f"{role}_names")) for role in ROLES}
    return {"time": [panel.time_name], "id": [panel.id_name], **columns}


def repairs(panel: Panel) -> list[list[Any]]:
    """Kind, count and place of each repair, sorted; the sentences are left out, because they may be rewritten."""
    return sorted([repair.kind, int(repair.count), str(repair.place)] for repair in panel.repairs)


def summary(panel: Panel) -> dict[str, Any]:
    """Everything that reading decides: facts to read in a diff, and a digest of all values."""
    return {
        "series": len(panel),
        "rows": int(panel.lengths.sum()),
        "freq": str(panel.freq),
        "alias": panel.freq.alias,
        "tz": panel.tz,
        "first": str(panel.starts[0]),
        "layout": panel.schema.layout,
        "names": names(panel),
        "levels": [list(level) for level in panel.levels],
        "digest": digest(panel),
        "repairs": repairs(panel),
    }


def digest(panel: Panel) -> str:
    """SHA-256 over ids, edges, starts and every value."""
    found = hashlib.sha256("\0".join(map(str, panel.ids)).encode())
    edges = (np.asarray(edge, np.int64) for edge in (panel.begin, panel.end, panel.stop))
    starts = panel.starts.astype("datetime64[ns]" if panel.starts.dtype.kind == "M" else np.int64).view(np.int64)
    values = (_plain(getattr(panel, role)) for role in ROLES)
    for array in (*edges, starts, *values):
        found.update(f"{array.dtype.str} {array.shape}".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def _plain(values: np.ndarray) -> np.ndarray:
    """One bit pattern for NaN, and one zero."""
    return values if values.dtype.kind == "i" else np.where(np.isnan(values), np.nan, values + 0.0).astype(values.dtype)
