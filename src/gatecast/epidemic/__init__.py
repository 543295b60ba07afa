"""Epidemics: compartment models next to the LSTM, daily counts as they were reported, and scores by origin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatecast.base.lazy import lazy

if TYPE_CHECKING:
    from gatecast.epidemic.as_reported import AsReported
    from gatecast.epidemic.cases import Cases, read_cases
    from gatecast.epidemic.config import StudyConfig
    from gatecast.epidemic.counts import daily_counts
    from gatecast.epidemic.hybrid import SEIRHybrid
    from gatecast.epidemic.origins import OriginScores, by_origin
    from gatecast.epidemic.result import Study
    from gatecast.epidemic.run import study
    from gatecast.epidemic.seir import Scenario, SEIRForecaster

_HOME = {
    "AsReported": "as_reported",
    "Cases": "cases",
    "OriginScores": "origins",
    "SEIRForecaster": "seir",
    "SEIRHybrid": "hybrid",
    "Scenario": "seir",
    "Study": "result",
    "StudyConfig": "config",
    "by_origin": "origins",
    "daily_counts": "counts",
    "read_cases": "cases",
    "study": "run",
}

__all__ = [
    "AsReported",
    "Cases",
    "OriginScores",
    "SEIRForecaster",
    "SEIRHybrid",
    "Scenario",
    "Study",
    "StudyConfig",
    "by_origin",
    "daily_counts",
    "read_cases",
    "study",
]


__getattr__ = lazy(__name__, _HOME)
