"""How good a forecast is: the forecast object, metrics, significance tests and the verdict in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatecast.base.lazy import lazy
from gatecast.evaluation.forecast import DEFAULT_LEVELS, Forecast, level_quantiles

if TYPE_CHECKING:
    from gatecast.evaluation.metrics import METRICS, Metric, metric, metric_names, weighted_interval_score
    from gatecast.evaluation.significance import TestResult, compare, diebold_mariano, holm, sign_flip
    from gatecast.evaluation.verdict import Comparison, Verdict, judge

__all__ = [
    "DEFAULT_LEVELS",
    "METRICS",
    "Comparison",
    "Forecast",
    "Metric",
    "TestResult",
    "Verdict",
    "compare",
    "diebold_mariano",
    "holm",
    "judge",
    "level_quantiles",
    "metric",
    "metric_names",
    "sign_flip",
    "weighted_interval_score",
]

_HOME = {
    **dict.fromkeys(("METRICS", "Metric", "metric", "metric_names", "weighted_interval_score"), "metrics"),
    **dict.fromkeys(("TestResult", "compare", "diebold_mariano", "holm", "sign_flip"), "significance"),
    **dict.fromkeys(("Comparison", "Verdict", "judge"), "verdict"),
}


__getattr__ = lazy(__name__, _HOME)
