"""Epidemics: compartment models beside the LSTM, daily counts as they were reported, and origins told by phase."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatecast.epidemic.as_reported import AsReported
    from gatecast.epidemic.counts import daily_counts
    from gatecast.epidemic.hybrid import SEIRHybrid
    from gatecast.epidemic.origins import Origins, by_origin
    from gatecast.epidemic.seir import SEIRForecaster

__all__ = ["AsReported", "Origins", "SEIRForecaster", "SEIRHybrid", "by_origin", "daily_counts"]

_HOME = {
    "AsReported": "as_reported",
    "daily_counts": "counts",
    "SEIRHybrid": "hybrid",
    **dict.fromkeys(("Origins", "by_origin"), "origins"),
    "SEIRForecaster": "seir",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value
