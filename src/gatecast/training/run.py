"""What a training run leaves behind, apart from the weights."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Run:
    """What a training run leaves behind.

    Args:
        history: one entry for each evaluation: step, train_loss, val_loss, lr, seconds.
        best_step: step of the best weights, which the model now has.
        best_loss: their loss on the held-back windows; NaN without any.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    best_step: int = 0
    best_loss: float = math.nan
