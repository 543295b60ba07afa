"""What a training run leaves behind, apart from the weights."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Run:
    """What a training run leaves behind.

    Args:
        history: one entry for each evaluation: step, epoch (passes over the windows), progress (share of the steps
            that were planned), train_loss, val_loss, lr, seconds; gradients where they are recorded.
        best_step: step of the best weights, which the model now has.
        best_loss: their loss on the held-back windows; NaN without any.
        stale: evaluations since then.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    best_step: int = 0
    best_loss: float = math.nan
    stale: int = 0

    def note(self, entry: dict[str, Any], min_delta: float = 0.0) -> bool:
        """Take an evaluation in; True where it is the best so far, by more than ``min_delta``."""
        self.history.append(entry)
        held = entry["val_loss"]
        better = held is None or math.isnan(self.best_loss) or held < self.best_loss - min_delta
        if better:
            self.best_step, self.best_loss, self.stale = entry["step"], math.nan if held is None else held, 0
        else:
            self.stale += 1
        return better
