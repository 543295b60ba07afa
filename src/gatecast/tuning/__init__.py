"""Search for good settings: Optuna's TPE over rolling-origin folds, and a test on rows that the search did not see."""

from __future__ import annotations

from gatecast.tuning.result import Finalist, Tested, Trial, Tuning
from gatecast.tuning.run import tune
from gatecast.tuning.space import FIELDS, searchable

__all__ = ["FIELDS", "Finalist", "Tested", "Trial", "Tuning", "searchable", "tune"]
