"""The evaluations of a training run and its best step."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from gatecast.base.errors import SettingError
from gatecast.base.fields import FINITE, check_field
from gatecast.base.options import Bounds


@dataclass
class History:
    """The evaluations of a training run and its best step.

    Args:
        entries: one for each evaluation: step, epoch (passes over the windows), progress (fraction of the planned
            steps), train_loss, val_loss, lr, seconds; gradients if they are recorded.
        best_step: step of the best weights, which the model has after training.
        best_loss: their validation loss; NaN without held-back windows.
        stale: evaluations since then.
    """

    entries: list[dict[str, Any]] = field(default_factory=list)
    best_step: int = 0
    best_loss: float = math.nan
    stale: int = 0

    def add(self, entry: dict[str, Any], min_delta: float = 0.0) -> bool:
        """Add an evaluation; return whether it is the best so far, by more than ``min_delta``."""
        self.entries.append(entry)
        loss = entry["val_loss"]
        better = loss is None or math.isnan(self.best_loss) or loss < self.best_loss - min_delta
        if better:
            self.best_step, self.best_loss, self.stale = entry["step"], math.nan if loss is None else loss, 0
        else:
            self.stale += 1
        return better


def check_evaluation(name: str, entry: dict[str, Any], *, steps: int | None = None) -> None:
    """Check kinds and bounds of an evaluation in a file.

    Args:
        name: of its field, for messages.
        entry: the evaluation.
        steps: of the run; None for any number.
    """
    check_field(f"{name}.step", entry.get("step"), "int", Bounds(least=0, most=steps))
    for key in ("epoch", "progress", "train_loss", "lr", "seconds"):
        if key in entry or key in ("train_loss", "lr"):
            check_field(f"{name}.{key}", entry.get(key), "float", FINITE)
    if steps is not None and "val_loss" not in entry:  # a run that goes on reads it
        raise SettingError(f"the field {name}.val_loss is missing")
    check_field(f"{name}.val_loss", entry.get("val_loss"), "float", optional=True)
    for layer, norm in dict(entry.get("gradients", {})).items():
        check_field(f"{name}.gradients.{layer}", norm, "float")
